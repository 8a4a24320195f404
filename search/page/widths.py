"""The widths of Table 5, which were chosen by hand, beside the best of the space."""

from __future__ import annotations

from collections.abc import Iterator

from costmodel.report.html.markup import Content, Markup, tag
from costmodel.report.html.sections import Section, section, table
from costmodel.report.latency import milliseconds
from search.comparison import Front, Gain
from search.page.shown import Entry, Shown
from search.report import capacity_text


def widths(shown: Shown) -> Section | None:
    """A table for each platform; None where there is no front to stand beside."""
    if not shown.outcome.gains:
        return None
    unit = shown.outcome.evaluator.capacity.unit
    heads = ("width", "latency ms", unit, "at this latency", "at this capacity ms", "times as fast")
    tables = [
        table(
            heads, list(_rows(shown, front)), f"Beside the best of the space by predicted latency on {front.platform}"
        )
        for front in shown.outcome.fronts
    ]
    said = (
        "At a width's own predicted latency the space has the design of most capacity that the next column links to; "
        "at its capacity the one of least latency."
    )
    return section("widths", "The widths of Table 5", tag("p", said, class_="note"), *tables)


def _rows(shown: Shown, front: Front) -> Iterator[tuple[Content, ...]]:
    for gain in shown.outcome.gains:
        if gain.platform == front.platform:
            yield _row(shown, front, gain)


def _row(shown: Shown, front: Front, gain: Gain) -> tuple[Content, ...]:
    able, fast = shown.beside(front, gain.width)
    own = shown.by_design[shown.outcome.standards[gain.width].design]
    least = gain.at_capacity
    return (
        _link(own, f"{gain.width:g}x"),
        milliseconds(gain.latency.seconds),
        capacity_text(gain.shown),
        "none" if able is None or gain.at_latency is None else _link(able, capacity_text(gain.at_latency)),
        "none" if fast is None or least is None else _link(fast, milliseconds(least)),
        "" if least is None else f"{gain.latency.seconds / least:.2f}",
    )


def _link(entry: Entry, words: str) -> Markup:
    return tag("a", words, href=f"#{entry.token}", aria_label=f"{words}: show design {entry.number}")
