"""What can't be seen but followed: a user's mood, and when they come back."""
