"""Names and texts out of a model's file, made safe to print."""

from __future__ import annotations

from costmodel.graph import Node


def plain(text: str) -> str:
    """Text from a file without control characters, which could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def operator_label(node: Node) -> str:
    """An operator's name as people look for it: with its module where the name does not tell."""
    named = not node.module or "/" in node.name or node.name.startswith(node.module)
    return node.name if named else f"{node.module}/{node.name}"
