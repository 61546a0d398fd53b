"""Simulated users fitted on recorded dialogues: the agenda's numbers, and a recurrent network."""
