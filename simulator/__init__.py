"""Whom to practise with: goals, simulated users, noise, and the gymnasium environments."""
