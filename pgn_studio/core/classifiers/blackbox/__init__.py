"""Classifiers that only answer: an ONNX file, an HTTP endpoint, a Python function."""
