"""Training: data, networks, losses, the loop, checkpoints. Needs the `train` extra (torch)."""
