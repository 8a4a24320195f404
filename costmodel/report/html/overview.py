"""The top of the page: what the network counts, and its latencies with their intervals."""

from __future__ import annotations

from costmodel.analysis import Analysis
from costmodel.dims import Dim
from costmodel.pricing import Budget, doubts, launches
from costmodel.report import latency
from costmodel.report.coverage import LOWER_BOUNDS, assumption_lines, bound, coverage_line, reason_lines
from costmodel.report.html.markup import Markup, tag
from costmodel.report.html.sections import Section, bullets, section
from costmodel.report.html.shown import Shown
from costmodel.report.latency import Times
from costmodel.report.numbers import exact, short, short_bytes
from costmodel.report.rows import inputs


def totals(analysis: Analysis) -> Section:
    """The counts, and how far they can be trusted."""
    cost = analysis.totals
    least = bound(analysis)
    tiles = (
        _tile("mult-adds (the paper's FLOPs)", least + short(cost.mult_adds), cost.mult_adds),
        _tile("parameters", short(cost.params), cost.params),
        _tile("memory access (elements)", short(cost.memory_access), cost.memory_access),
        _tile("bytes read and written", short_bytes(cost.bytes), cost.bytes),
        _tile("operators", short(len(analysis.operators)), None),
    )
    word = "Input" if len(analysis.graph.inputs) == 1 else "Inputs"
    lower = [LOWER_BOUNDS] if analysis.coverage.unknown else []
    return section(
        "counts",
        "Counts",
        tag("p", f"{word}: {inputs(analysis)}"),
        tag("dl", *tiles, class_="tiles"),
        tag("p", f"{coverage_line(analysis)}."),
        bullets([*reason_lines(analysis), *lower, *assumption_lines(analysis)]),
    )


def _tile(name: str, value: str, full: Dim | None) -> Markup:
    below = None if full is None or exact(full) == value else tag("dd", exact(full), class_="full")
    return tag("div", tag("dt", name), tag("dd", value), below)


def latencies(shown: Shown) -> Section:
    """A card for each platform, and what the intervals do not cover."""
    cards = [_card(shown.analysis, entry) for entry in shown.times]
    said = (
        "Latencies are predicted, not measured. An interval is to hold the measured latency of the given share of "
        "networks; the held-out error is the mean on networks that the platform's fit had not seen."
    )
    return section("latency", "Latency", tag("div", *cards, class_="cards"), tag("p", said, class_="note"))


def _card(analysis: Analysis, entry: Times) -> Markup:
    took, platform = entry.prediction.latency, entry.platform
    low, high = latency.milliseconds(took.low), latency.milliseconds(took.high)
    accuracy = platform.accuracy
    facts = [f"{launches(entry.prediction)} kernel launches"]
    if accuracy is not None:
        facts.append(f"{latency.HELD_OUT} {100 * accuracy.mape:.1f} % ({accuracy.method})")
    budgets = [_budget(budget) for budget in analysis.budgets if budget.platform == platform.id]
    return tag(
        "article",
        tag("h3", platform.id),
        tag("p", platform.device, class_="muted"),
        tag("p", f"{latency.milliseconds(took.seconds)} ms", class_="big"),
        tag("p", f"{low} to {high} ms for {100 * took.coverage:g} % of networks"),
        tag("p", ", ".join(facts), class_="muted"),
        *budgets,
        bullets([*doubts(entry.prediction, platform, analysis.graph), *platform.notes]),
        class_="card",
    )


def _budget(budget: Budget) -> Markup:
    return tag("p", f"{latency.budget_line(budget)}.", class_="exceeded" if budget.exceeded else "kept")
