"""Rasa 3 projects as assistants: reading, understanding, deciding and acting as their files say."""
