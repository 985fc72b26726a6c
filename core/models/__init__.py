"""The models that ship inside the package, as self-describing ONNX files."""
