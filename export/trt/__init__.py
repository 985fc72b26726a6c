"""An ONNX file to a TensorRT engine, with the one TensorRT that is installed: 8.6, 10.x or 11.x."""
