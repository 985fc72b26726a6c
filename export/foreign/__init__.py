"""Weights that people already have: recognised by their names, read without running code, put into networks of ours."""
