"""Quantising and dequantising."""
