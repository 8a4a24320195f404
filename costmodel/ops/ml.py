"""Operators of the ai.onnx.ml domain."""
