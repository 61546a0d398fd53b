"""What helps any gradient descent: optimisers, clipping, a curriculum. Knows no dialogue, imports no other folder."""
