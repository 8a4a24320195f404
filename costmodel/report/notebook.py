"""What notebooks and the interpreter's prompt show of an analysis: a small table in HTML, and a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from costmodel.analysis import Analysis
from costmodel.report import latency
from costmodel.report.coverage import LOWER_BOUNDS, assumption_lines, bound, coverage_line
from costmodel.report.names import plain
from costmodel.report.numbers import exact, short, short_bytes
from costmodel.report.rows import inputs

_NUMBER = ' style="text-align: right"'


def html(analysis: Analysis) -> str:
    """Totals, latencies with their intervals, and coverage, as HTML without a script whose names are all escaped."""
    cost = analysis.totals
    totals = [
        ("mult-adds (the paper's FLOPs)", bound(analysis) + short(cost.mult_adds), exact(cost.mult_adds)),
        ("parameters", short(cost.params), exact(cost.params)),
        ("memory access", short(cost.memory_access), f"{exact(cost.memory_access)} elements"),
        ("", short_bytes(cost.bytes), f"{exact(cost.bytes)} bytes"),
        ("operators", str(len(analysis.operators)), ""),
    ]
    head = f"<p><strong>{_safe(analysis.model)}</strong>: {_safe(inputs(analysis))}</p>"
    return f"<div>{head}{_table((), totals)}{_latencies(analysis)}{_small(_trust(analysis))}</div>"


def line(analysis: Analysis) -> str:
    """The totals, and the latencies with their intervals, in one line of text."""
    cost = analysis.totals
    counts = f"{bound(analysis)}{short(cost.mult_adds)} mult-adds, {short(cost.params)} parameters"
    times = [f"{latency.interval(one.prediction.latency)} on {one.platform.id}" for one in analysis.timings]
    return f"<Analysis of {plain(analysis.model)}: {plain('; '.join([counts, *times]))}>"


def _latencies(analysis: Analysis) -> str:
    """A table of the platforms; nothing without any, one sentence for a population."""
    if not analysis.predictions:
        return ""
    if not analysis.timings:
        return _small(["Latencies of a population: read predictions."])
    shown = latency.summary(latency.times(analysis))
    lines = [*map(latency.budget_line, analysis.budgets), *latency.note_lines(analysis)]
    return _table(shown.heads, shown.rows) + _small(lines)


def _trust(analysis: Analysis) -> list[str]:
    below = [LOWER_BOUNDS] if analysis.coverage.unknown else []
    return [coverage_line(analysis), *below, *assumption_lines(analysis)]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows whose first cell names them and whose other cells are numbers."""
    head = "".join(f'<th scope="col"{_NUMBER if place else ""}>{_safe(name)}</th>' for place, name in enumerate(heads))
    body = "".join(
        f'<tr><th scope="row" style="text-align: left">{_safe(name)}</th>'
        + "".join(f"<td{_NUMBER}>{_safe(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"


def _small(lines: Sequence[str]) -> str:
    return f"<p><small>{'<br>'.join(map(_safe, lines))}</small></p>" if lines else ""


def _safe(text: str) -> str:
    return escape(plain(text))
