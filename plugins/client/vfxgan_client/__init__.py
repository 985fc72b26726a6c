"""Runs the vfxgan command for a host program: standard library only, Python 3.9 and later."""
