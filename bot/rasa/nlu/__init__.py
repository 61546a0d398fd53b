"""What users of a Rasa project mean: intents and entities of their messages."""
