"""Docstrings as Markdown: an extension of griffe, which reads them for mkdocstrings.

They are plain prose. What a field or a parameter means is a line that begins with its name and a colon, or with
several names; here these become items of a list. Names of counts are not Markdown, nor is what looks like HTML.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_NAMED = re.compile(r"^(?P<names>[a-z_]\w*(?:, [a-z_]\w*)*(?: \([^)]+\))?): (?P<meaning>\S.*)$")
_FENCE = "```"


class AsMarkdown(griffe.Extension):
    """Rewrites the docstring of everything that is loaded."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Called once for a package, which is none of the objects in it."""
        _rewrite(pkg)

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called once for each object in a package."""
        if obj.parent is not None:
            _rewrite(obj)


def _rewrite(obj: griffe.Object) -> None:
    if obj.docstring is not None:
        obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """A docstring's text, its examples fenced and its definitions a list."""
    return "\n\n".join(_block(block) for block in re.split(r"\n[ \t]*\n", text.strip("\n")))


def _block(block: str) -> str:
    lines = block.split("\n")
    if lines[0].lstrip().startswith(">>>"):
        return "\n".join([f"{_FENCE}pycon", *lines, _FENCE])
    if all(line.startswith("    ") for line in lines):
        return block  # a figure, or a table
    result: list[str] = []
    in_list = False
    for line in lines:
        for part in _definitions(line.strip(), in_list):
            named = _NAMED.match(part)
            if in_list and part.startswith("Raises "):
                in_list = False
                result.append("")
            if named:
                result += [""] * (bool(result) and not in_list)
                in_list = True
                names = re.sub(r"[a-z_]\w*(?=,|$| \()", r"`\g<0>`", named["names"])
                result.append(f"* {names}: {_plain(named['meaning'])}")
            else:
                result.append(f"    {_plain(part)}" if in_list else _plain(part, keep_list=True))
    return "\n".join(result)


def _definitions(line: str, in_list: bool) -> list[str]:
    """A line; where it or one before it defines a name, another definition after the end of a sentence is apart, and so
    is what is raised."""
    if not in_list and not _NAMED.match(line):
        return [line]
    return re.split(r"(?<=[.;]) (?=[a-z_]\w*(?:, [a-z_]\w*)*: |Raises )", line)


def _plain(text: str, keep_list: bool = False) -> str:
    """Text of which no character means something to Markdown, except the sign of a list's item."""
    sign = re.match(r"^(?:[*-] |\d+\. )", text) if keep_list else None
    start = sign[0] if sign else ""
    parts = text[len(start) :].split("`")
    if len(parts) % 2 == 0:
        parts = [text[len(start) :].replace("`", r"\`")]
    return start + "".join(f"`{part}`" if place % 2 else _escaped(part) for place, part in enumerate(parts))


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\*_\[\]])", r"\\\1", text)
