"""NVIDIA GPUs, for export and render alike: which library is missing, what an engine fits, how one is run."""
