"""Pieces that sections of the page share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from costmodel.report.html.markup import Content, Markup, join, tag
from costmodel.report.html.parts import PARTS


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. id: what links to it name. title: its heading."""

    id: str
    title: str
    content: Markup


def section(id: str, title: str, *contents: Content) -> Section:
    """A part of the page with its heading."""
    heading = tag("h2", title, id=f"{id}-title")
    return Section(id, title, tag("section", heading, *contents, id=id, aria_labelledby=f"{id}-title"))


def figure(title: Content, *contents: Content, note: Content = None) -> Markup:
    """A picture with its title above and, where there is more to say, a note below."""
    below = tag("p", note, class_="note") if note else None
    return tag("figure", tag("figcaption", title), *contents, below)


def legend(parts: Iterable[str]) -> Markup:
    """What the colours mean."""
    items = (tag("li", tag("span", class_=f"key {part}"), PARTS[part]) for part in PARTS if part in set(parts))
    return tag("ul", *items, class_="legend")


def table(heads: Sequence[str], rows: Iterable[Sequence[Content]], caption: str) -> Markup:
    """A small table: its first column is words, the others are numbers."""
    first, *others = heads
    head = tag("tr", tag("th", first, scope="col"), *(tag("th", name, scope="col", class_="n") for name in others))
    body = [
        tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell, class_="n") for cell in row[1:])) for row in rows
    ]
    content = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return tag("div", content, class_="scroll", tabindex="0", role="region", aria_label=caption)


def details(summary: str, *contents: Content, opened: bool = False) -> Markup:
    """What is shown when it is asked for."""
    return tag("details", tag("summary", summary), *contents, open=opened)


def marks(content: Content, name: str) -> Markup:
    """A plot whose marks the keyboard can walk over."""
    return tag("div", content, class_="walk", data_name=name)


def bullets(lines: Iterable[str]) -> Markup | None:
    """Sentences as a list; nothing without any."""
    items = [tag("li", line) for line in lines]
    return tag("ul", *items, class_="notes") if items else None


def grid(*contents: Content) -> Markup:
    """Pictures beside each other where there is room."""
    return tag("div", join(contents), class_="grid")
