"""One portable bundle of everything that was trained, for other programs, devices and browsers."""
