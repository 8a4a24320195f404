"""Attention in ONNX's own domain."""
