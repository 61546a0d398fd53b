"""Readers of recorded dialogues."""
