"""Names and texts out of a model's file, made safe to print."""

from __future__ import annotations


def plain(text: str) -> str:
    """Text from a file without control characters, which could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
