"""From measured latencies to platform profiles, with honest held-out errors.

Builds on `costmodel` for every count; `costmodel` never imports this package.
"""
