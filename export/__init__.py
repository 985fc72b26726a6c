"""Checkpoint to ONNX: folding, the file, the parity gate. Needs the `train` extra, and `cpu` or `gpu` for the gate."""
