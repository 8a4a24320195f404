"""HTML as text: elements whose contents and attributes are escaped unless they are markup already."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from costmodel.report.names import plain

_VOID = frozenset({"meta", "link", "input", "br"})
_CLOSED = frozenset({"rect", "line", "circle"})  # of SVG


class Markup(str):
    """Text that is HTML and safe to put into a page as it is."""

    __slots__ = ()


Content = str | Markup | None


def escape(text: str) -> Markup:
    """Text from anywhere, harmless between tags and in quoted attributes; markup stays as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(plain(text), quote=True))


def breakable(name: str) -> Markup:
    """A name that may go on in the next line after its dots, slashes and underscores."""
    return Markup(re.sub(r"[./_]+", r"\g<0><wbr>", escape(name)))


def join(parts: Iterable[Content]) -> Markup:
    """Contents one after the other; None is left out."""
    return Markup("".join(escape(part) for part in parts if part is not None))


def tag(name: str, /, *contents: Content, **attributes: object) -> Markup:
    """An element. An attribute's underscores become dashes, one at its end goes; True has no value, None and False
    leave it out."""
    words = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{words}>")
    if name in _CLOSED and not contents:
        return Markup(f"<{name}{words}/>")
    return Markup(f"<{name}{words}>{join(contents)}</{name}>")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
