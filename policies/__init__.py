"""What to do next: the action space, policies and their learners."""
