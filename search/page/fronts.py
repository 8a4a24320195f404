"""Capacity over predicted latency: the front of the space, the widths of Table 5, the budget and the best design."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from costmodel.platforms import Platform
from costmodel.report.html.markup import Markup, tag
from costmodel.report.html.plots import Axis, line, percent, plot, x_axis, y_axis
from costmodel.report.html.sections import Section, figure, marks, section
from costmodel.report.latency import milliseconds
from search.comparison import Front
from search.page.axes import Axes, axes, place
from search.page.panel import panel
from search.page.shown import BEST, FRONT, TABLE_5, TRIALS, Entry, Shown
from search.report import capacity_text

_HEIGHT = 380
_GRID = 2_000  # steps of a staircase's width and height

WORDS = {
    FRONT: "best of the space at its predicted latency",
    TRIALS: "front of the trials",
    TABLE_5: "widths of Table 5",
    BEST: "best designs that were found",
}
_RADIUS = {FRONT: 3.5, TRIALS: 4.0, TABLE_5: 5.0, BEST: 5.5}

Drawn = tuple[str, Entry]  # a role, and one that is there for it


def fronts(shown: Shown) -> Section:
    """A plot for each platform beside the chosen design; without platforms that alone."""
    if not shown.labels:
        return section("front", "A design drawn", tag("div", panel(shown), class_="look alone"))
    plots = [_figure(shown, platform) for platform in shown.outcome.evaluator.platforms]
    sides = (tag("div", _legend(shown), *plots), panel(shown))
    said = tag("p", "A click on any point shows that design.", class_="note script")
    notes = (tag("p", note, class_="note") for note in _notes(shown))
    return section("front", "Capacity over latency", said, *notes, tag("div", *sides, class_="look"))


def _notes(shown: Shown) -> Iterator[str]:
    """What would mislead about lines and points if it went unsaid."""
    if shown.outcome.required and shown.outcome.fronts:
        yield f"The lines are drawn whether or not their designs break {', '.join(shown.outcome.required)}."
    if shown.of(TRIALS) and len(shown.labels) > 1:
        yield "Of the front of the trials no design is beaten on all platforms and in capacity at once."


def _legend(shown: Shown) -> Markup:
    """What the colours mean; each a link that shows those designs alone in the table."""
    items = [
        tag("li", tag("a", tag("span", class_=f"key {role}"), words, href=f"#r-{role}"))
        for role, words in WORDS.items()
        if shown.of(role)
    ]
    return tag("ul", *items, class_="legend")


def _figure(shown: Shown, platform: Platform) -> Markup:
    front = shown.front_of(platform.id)
    x, y = axes(shown, platform.id)
    unit = shown.outcome.evaluator.capacity.unit
    name = f"{unit} over predicted latency on {platform.id}"
    steps = None if front is None else _staircase(front, shown.outcome.evaluator.capacity.shown, (x, y))
    content = plot(
        _HEIGHT,
        name,
        *x_axis(x),
        *y_axis(y),
        steps,
        *_budget(shown, platform.id, x),
        *_interval(shown, platform.id, (x, y)),
        *(_point(shown, platform.id, one, (x, y)) for one in _drawn(shown, platform.id)),
        *_names(shown, platform.id, (x, y)),
        tag("circle", class_="ring script", r="10", cx="-99", cy="-99"),
    )
    return figure(
        platform.id,
        tag("p", unit, class_="axis"),
        marks(content, name),
        tag("p", "predicted latency, ms", class_="axis below"),
        note=_left_out(shown, front),
    )


def _left_out(shown: Shown, front: Front | None) -> str | None:
    if front is None or len(front.seconds) == len(shown.on_front(front)):
        return None
    return (
        f"The line has all {len(front.seconds):,} designs of the front; {len(shown.on_front(front))} of them, spread "
        "over it, are points."
    )


def _drawn(shown: Shown, platform: str) -> Iterator[Drawn]:
    """The points of a plot, those on top last; an entry that has several roles is drawn once, in the last one."""
    front = shown.front_of(platform)
    roles = {
        FRONT: [] if front is None else shown.on_front(front),
        TRIALS: shown.of(TRIALS),
        TABLE_5: shown.of(TABLE_5),
        BEST: shown.of(BEST)[::-1],
    }
    last = {entry.number: role for role, entries in roles.items() for entry in entries}
    for role, entries in roles.items():
        yield from ((role, entry) for entry in entries if last[entry.number] == role)


def _staircase(front: Front, shown: Callable[[np.ndarray], np.ndarray], sides: Axes) -> Markup:
    """The front as a line that rises where a design is reached, and goes on to the right."""
    x, y = sides
    capacity = np.asarray(shown(front.capacity), float)
    places = [
        (round(_GRID * x.at(seconds * 1e3)), round(_GRID * (1 - y.at(value))))
        for seconds, value in zip(front.seconds.tolist(), capacity.tolist(), strict=True)
    ]
    path, (left, height) = [f"M{places[0][0]} {places[0][1]}"], places[0]
    for column, row in places[1:]:
        path += [f"H{column}"] if column != left else []
        path += [f"V{row}"] if row != height else []
        left, height = column, row
    path.append(f"H{_GRID}")
    content = tag("path", d="".join(path))
    return tag("svg", content, class_="steps", viewBox=f"0 0 {_GRID} {_GRID}", preserveAspectRatio="none")


def _budget(shown: Shown, platform: str, x: Axis) -> Iterator[Markup]:
    budget = shown.outcome.limits.budgets.get(platform)
    if budget is not None:
        at = percent(x.at(budget * 1e3))
        yield tag("line", class_="budget", x1=at, x2=at, y1="0", y2="100%")
        near = x.at(budget * 1e3) > 0.7
        words = f"budget {milliseconds(budget)} ms"
        yield tag(
            "text", words, class_="label", x=at, y="100%", dy="-8", dx="-6" if near else "6",
            text_anchor="end" if near else None,
        )  # fmt: skip


def _interval(shown: Shown, platform: str, sides: Axes) -> Iterator[Markup]:
    """The interval of the best design."""
    best = shown.best.candidate
    latency = best.latency[platform]
    ends = ((latency.low * 1e3, best.shown), (latency.high * 1e3, best.shown))
    yield line(*sides, *ends, "interval")
    for milli, value in ends:
        left, height = percent(sides[0].at(milli)), percent(1 - sides[1].at(value))
        yield tag("circle", class_="end", cx=left, cy=height, r="2.5")


def _point(shown: Shown, platform: str, drawn: Drawn, sides: Axes) -> Markup:
    role, entry = drawn
    left, height = place(entry, platform, sides)
    latency, value = entry.candidate.latency[platform].seconds, entry.candidate.shown
    unit = shown.outcome.evaluator.capacity.unit
    return tag(
        "circle",
        class_=f"m {role}",
        cx=left,
        cy=height,
        r=_RADIUS[role] + 1.5 * (entry.number == 1),
        data_t=entry.token,
        data_o=entry.number,
        data_d=f"{milliseconds(latency)} ms, {capacity_text(value)} {unit}",
    )


def _names(shown: Shown, platform: str, sides: Axes) -> Iterator[Markup]:
    """The widths beside the points of Table 5."""
    for width, one in shown.outcome.standards.items():
        x, y = place(shown.by_design[one.design], platform, sides)
        yield tag("text", f"{width:g}x", class_="label", x=x, y=y, dy="19", text_anchor="middle")
