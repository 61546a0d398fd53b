"""Rasa's HTTP API over the conversations of this server."""
