"""Which of several candidates to say: learned rankers, blending of pools, and their evaluation."""
