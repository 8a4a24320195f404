"""A comparison as one HTML page to look at: nothing is loaded, and it needs no server."""

from __future__ import annotations

from collections.abc import Iterator

from costmodel.comparing import Comparison, Verdict
from costmodel.report import compare_cells as cells
from costmodel.report.html.comparison.bars import where_time_goes
from costmodel.report.html.comparison.compared import Compared
from costmodel.report.html.comparison.layers import layers
from costmodel.report.html.comparison.overview import latencies, totals
from costmodel.report.html.comparison.strips import strips
from costmodel.report.html.frame import page
from costmodel.report.html.markup import Markup, breakable, tag
from costmodel.report.html.sections import Section
from costmodel.report.latency import times


def render(comparison: Comparison) -> str:
    """What the networks are to each other, counts, latencies, where the time goes, and every layer that differs."""
    before, after = (tuple(times(analysis)) for analysis in (comparison.before, comparison.after))
    compared = Compared(comparison, (before, after))
    sections = [totals(comparison), *_sections(compared)]
    models = (comparison.before.model, comparison.after.model)
    return page(
        " → ".join(models),
        "What became of a network",
        sections,
        heading=Markup(" → ".join(map(breakable, models))),
        verdict=tag("p", cells.headline(comparison), class_=f"verdict {comparison.verdict.value}"),
    )


def _sections(compared: Compared) -> Iterator[Section]:
    """All but the first; the table, which has the tokens of what is drawn, last.

    Of networks that are the same, pictures are drawn where their spelling makes one of them take longer.
    """
    comparison = compared.comparison
    if comparison.delays:
        yield latencies(compared)
    if comparison.verdict is Verdict.SAME and not any(delay.seconds for delay in comparison.delays):
        return
    if comparison.delays:
        yield where_time_goes(compared)
    yield strips(compared)
    if compared.rows:
        yield layers(compared)
