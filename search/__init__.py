"""From a latency budget on a platform to a ShuffleNet V2 design that keeps it.

Builds on `costmodel` for every count and latency; `costmodel` never imports this package.
"""
