"""The PyDial benchmark environments (Casanueva et al. 2017): domains, sampled user, error model, tracker, actions."""
