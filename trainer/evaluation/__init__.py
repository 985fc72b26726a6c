"""Checkpoints against held-out pictures."""
