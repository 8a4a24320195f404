"""Names and texts out of a model's file, made safe to print."""

from __future__ import annotations

from costmodel.graph import Node

_FORMULAS = ("=", "+", "-", "@")


def plain(text: str) -> str:
    """Text from a file without control characters, which could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def operator_label(node: Node) -> str:
    """An operator's name as people look for it: with its module where the name does not tell."""
    named = not node.module or "/" in node.name or node.name.startswith(node.module)
    return node.name if named else f"{node.module}/{node.name}"


def shortened(name: str, longest: int) -> str:
    """A name without its middle where it is longer than so many characters, for pictures."""
    if len(name) <= longest:
        return name
    half = (longest - 3) // 2
    return f"{name[:half]}...{name[-half:]}"


def csv_cell(text: str) -> str:
    """A text as a cell of CSV: line breaks stay, control characters do not, and one that a spreadsheet would take for
    a formula begins with an apostrophe."""
    shown = "\n".join(map(plain, text.split("\n")))
    return f"'{shown}" if shown.startswith(_FORMULAS) else shown
