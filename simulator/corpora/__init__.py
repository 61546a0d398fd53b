"""Readers of recorded dialogues: each format becomes the common type of ``simulator.corpora.dialogues``."""
