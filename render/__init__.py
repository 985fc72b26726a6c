"""The render stage: seeds to frames on any machine that has NumPy, OpenImageIO and one inference runtime."""
