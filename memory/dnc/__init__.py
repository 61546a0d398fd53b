"""Memory that a network learns to use: the DNC, the NTM, and the stories they are tested on. Needs torch."""
