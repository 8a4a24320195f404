"""The table of a page that is searched and sorted, and whose rows are tied to the marks of its plots."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.report.html.markup import Content, Markup, join, tag


def head(name: str, *, number: bool = False, unit: str | None = None) -> Markup:
    """A head with a button that sorts; the script adds its column up where it has a unit."""
    return tag("th", tag("button", name, type="button"), scope="col", class_="n" if number else None, data_u=unit)


def listing(
    name: str,
    heads: Sequence[Markup],
    rows: Sequence[Markup],
    *,
    caption: str,
    search: str,
    called: str | None = None,
    filters: Content = None,
    notes: Sequence[Content] = (),
) -> Markup:
    """The table under its controls, which the script wakes up.

    name: for screen readers. search: what the field to search says. called: what the script calls rows, operators
    unless told. filters: further controls. notes: sentences above the table.
    """
    field = tag("input", id="search", type="search", autocomplete="off", spellcheck="false")
    content = (tag("caption", caption), tag("thead", tag("tr", *heads)), tag("tbody", *rows))
    whole = tag("table", *content, id="table", data_rows=called)
    return join(
        [
            tag("div", tag("label", search, for_="search"), field, filters, class_="controls script"),
            *(tag("p", note, class_="note") for note in notes if note is not None),
            tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=name),
        ]
    )
