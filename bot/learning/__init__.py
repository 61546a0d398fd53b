"""Learning beside the server: from logged dialogues to a better policy, and thresholds tuned in simulation."""
