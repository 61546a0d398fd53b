"""What is remembered: dialogue acts, the belief state, events and their store."""
