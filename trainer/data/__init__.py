"""Training data: files to encoded signals, cached; signals to samples, in worker processes."""
