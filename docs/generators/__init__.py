"""Pages that are made from the code when the site is built, so that they say what it does.

Each module has one kind of page; `pages()` gives them all. Nothing here knows of the program that builds the site:
that is docs/hooks.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from generators import commands, guidelines, latency, networks, operators, platforms, python
from generators.page import Page

__all__ = ["Page", "pages"]


def pages() -> Iterator[Page]:
    """Every generated page; its text is made when it is asked for."""
    for module in (commands, python, operators, guidelines, latency, platforms, networks):
        yield from module.pages()
