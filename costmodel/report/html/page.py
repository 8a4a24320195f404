"""The page of an analysis: its sections in their order."""

from __future__ import annotations

from collections.abc import Iterator

from costmodel.analysis import Analysis
from costmodel.errors import UsageError
from costmodel.report.html.bars import where_time_goes
from costmodel.report.html.counts import counts
from costmodel.report.html.findings import findings
from costmodel.report.html.frame import page
from costmodel.report.html.memory import memory
from costmodel.report.html.operators import operators
from costmodel.report.html.overview import latencies, totals
from costmodel.report.html.rooflines import rooflines
from costmodel.report.html.sections import Section
from costmodel.report.html.shown import Shown
from costmodel.report.html.timeline import timeline
from costmodel.report.latency import times


def render(analysis: Analysis) -> str:
    """The analysis as one HTML file that loads nothing: it works from a disk, and as an attachment.

    Raises UsageError for graphs of columns or symbols: a page shows one network.
    """
    if not all(isinstance(count, int) for count in (analysis.totals.memory_access, analysis.totals.mult_adds)):
        raise UsageError(
            f"{analysis.model}: a page shows one network, and its sizes are columns or symbols; give all sizes"
        )
    shown = Shown(analysis, tuple(times(analysis)), analysis.check() if analysis.platforms else None)
    sections = [part for part in (totals(analysis), *_sections(shown), operators(shown)) if part is not None]
    return page(analysis.model, "What a network costs", sections)


def _sections(shown: Shown) -> Iterator[Section | None]:
    """All but the first and the last; those of platforms where there are any."""
    if shown.times:
        yield latencies(shown)
        yield where_time_goes(shown)
        yield timeline(shown)
        yield rooflines(shown)
    yield counts(shown)
    yield memory(shown)
    if shown.review is not None:
        yield findings(shown, shown.review)
