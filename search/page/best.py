"""The best design: its latencies beside their budgets, its counts, and what guidelines it breaks."""

from __future__ import annotations

from costmodel.platforms import Platform
from costmodel.predictor import Estimate
from costmodel.report.html.markup import Markup, escape, tag
from costmodel.report.html.plots import Axis, percent
from costmodel.report.html.sections import Section, section
from costmodel.report.latency import HELD_OUT, milliseconds
from costmodel.report.numbers import exact, short
from search.page.panel import between
from search.page.shown import Shown
from search.report import capacity_text


def best(shown: Shown) -> Section:
    """A card for each platform, counts, and the line of findings."""
    one = shown.best.candidate
    cards = [_card(shown, platform) for platform in shown.outcome.evaluator.platforms]
    counts = (("mult-adds (the paper's FLOPs)", one.mult_adds), ("parameters", one.params))
    tiles = [_tile(name, count) for name, count in (*counts, ("memory access (elements)", one.memory_access))]
    unit = shown.outcome.evaluator.capacity.unit
    tiles.append(tag("div", tag("dt", unit), tag("dd", capacity_text(one.shown))))
    name = tag("p", tag("code", _in_lines(shown.reference(shown.best))), _copy(), class_="line")
    return section(
        "best",
        "The best design",
        name,
        tag("dl", *tiles, class_="tiles"),
        tag("div", *cards, class_="cards") if cards else None,
        _findings(shown),
    )


def _in_lines(reference: str) -> Markup:
    """A network's name that may go on in the next line after its commas."""
    return Markup(escape(reference).replace(",", ",<wbr>"))


def _copy() -> Markup:
    return tag("button", "Copy", type="button", class_="copy script", aria_label="Copy the network's name")


def _tile(name: str, count: int) -> Markup:
    full = tag("dd", exact(count), class_="full") if exact(count) != short(count) else None
    return tag("div", tag("dt", name), tag("dd", short(count)), full)


def _findings(shown: Shown) -> Markup | None:
    """How many findings there are; the command that tells them stands in the panel."""
    words = shown.outcome.findings
    return tag("p", tag("b", "Guidelines: "), f"{words}.", class_="verdict") if words else None


def _card(shown: Shown, platform: Platform) -> Markup:
    latency = shown.best.candidate.latency[platform.id]
    budget = shown.outcome.limits.budgets.get(platform.id)
    accuracy = platform.accuracy
    certain = latency.low == latency.high
    said = f"{between(latency)} ms for {100 * latency.coverage:g} % of networks"
    held = None if accuracy is None else f"{HELD_OUT} {100 * accuracy.mape:.1f} % ({accuracy.method})"
    return tag(
        "article",
        tag("h3", platform.id),
        tag("p", platform.device, class_="muted"),
        tag("p", f"{milliseconds(latency.seconds)} ms", class_="big"),
        tag("p", "measured" if certain else said),
        _ruler(latency, budget),
        None if budget is None else _budget(latency, budget),
        tag("p", held, class_="muted") if held else None,
        class_="card",
    )


def _budget(latency: Estimate, budget: float) -> Markup:
    left = budget - latency.high
    words = f"Budget of {milliseconds(budget)} ms: "
    if left < 0:
        return tag("p", f"{words}exceeded by the upper end.", class_="exceeded")
    return tag("p", f"{words}kept, with {milliseconds(left)} ms to spare at the upper end.", class_="kept")


def _ruler(latency: Estimate, budget: float | None) -> Markup:
    """The interval from 0 on, with the latency as a dot and the budget as a line."""
    axis = Axis(0.0, max(latency.high, budget or 0.0) * 1.04)
    low, middle = percent(axis.at(latency.low)), percent(axis.at(latency.seconds))
    marks = [
        tag("line", x1="0", x2="100%", y1="50%", y2="50%", class_="grid"),
        tag(
            "rect",
            x=low,
            width=percent(axis.at(latency.high) - axis.at(latency.low)),
            y="6",
            height="12",
            class_="span",
        ),
        tag("circle", cx=middle, cy="50%", r="6", class_="best"),
    ]
    if budget is not None:
        place = percent(axis.at(budget))
        marks.append(tag("line", x1=place, x2=place, y1="0", y2="100%", class_="budget"))
    words = f"from 0: interval {milliseconds(latency.low)} to {milliseconds(latency.high)} ms"
    name = words if budget is None else f"{words}, budget {milliseconds(budget)} ms"
    return tag("svg", *marks, class_="ruler", height="24", role="img", aria_label=name)
