"""From text to dialogue acts."""
