"""A generated page, and the pieces of Markdown and HTML that pages are made of."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

_SPECIAL = re.compile(r"([\\`*_\[\]{}|#<>&])")
_COUNTS = re.compile(r"\b(mult_adds|element_ops|memory_access)\b")


@dataclass(frozen=True)
class Page:
    """A page that code writes.

    path: below docs/, as links name it. title: in the navigation. text: makes its Markdown, when it is asked to.
    """

    path: str
    title: str
    text: Callable[[], str]


def prose(text: str) -> str:
    """Plain prose, as docstrings and help texts have it, as Markdown: what is in backticks stays code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escaped(text)
    return "".join(f"`{part}`" if place % 2 else _counts_as_code(part) for place, part in enumerate(parts))


def _counts_as_code(text: str) -> str:
    pieces = _COUNTS.split(text)
    return "".join(f"`{piece}`" if place % 2 else escaped(piece) for place, piece in enumerate(pieces))


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return _SPECIAL.sub(lambda m: html.escape(m[1]) if m[1] in "<>&" else rf"\{m[1]}", text)


def paragraphs(text: str, starts: str = r"\n\s*\n") -> list[str]:
    """The paragraphs of a docstring, a line each."""
    return [" ".join(part.split()) for part in re.split(starts, text) if part.strip()]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> str:
    """A table of Markdown. The cells are Markdown; align: a letter a column, l or r; l for those it does not reach."""
    marks = [("---:" if letter == "r" else "---") for letter in align.ljust(len(heads), "l")]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, marks, *rows))


def anchor(name: str) -> str:
    """The id of what is called by a name: com.microsoft:Conv is com-microsoft-conv."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
