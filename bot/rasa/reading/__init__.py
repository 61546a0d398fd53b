"""A project's files, read and checked into one value (``bot.rasa.project``)."""
