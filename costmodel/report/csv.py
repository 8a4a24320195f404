"""CSV: one line an operator, or a group of them, counts in full, latencies of kernels at their main operators."""

from __future__ import annotations

import csv
from io import StringIO

from costmodel.analysis import Analysis, cost_record, time_record
from costmodel.report.latency import times
from costmodel.report.names import csv_cell
from costmodel.report.rows import Row, View, rows
from costmodel.views import Time

_OF_OPERATOR = ("operator", "type", "output", "counting", "note", "module")
_OF_GROUP = ("operators", "counted", "approximated", "unknown")


def render(analysis: Analysis, view: View) -> str:
    """The rows of a view as CSV with a header."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    lead = _OF_OPERATOR if view.by == "op" else (view.by, *_OF_GROUP)
    platforms = times(analysis)
    heads = [f"{entry.platform.id}:{head}" for entry in platforms for head in _heads(view)]
    writer.writerow([*lead, *cost_record(analysis.totals), *heads])
    for row in rows(analysis, view):
        latencies = [cell for time in row.times for cell in _latency(time, view)]
        writer.writerow([csv_cell(row.name), *_lead(row), *cost_record(row.cost).values(), *latencies])
    return out.getvalue()


def _lead(row: Row) -> list[str | int]:
    if row.node is not None:
        texts = (row.op, row.output_shape, row.node.counting.value, row.node.note, row.node.module)
        return [csv_cell(text) for text in texts]
    states = row.coverage
    return [row.operators, *((states.counted, states.approximated, states.unknown) if states else ())]


def _heads(view: View) -> tuple[str, ...]:
    return ("kernel", "latency_ms", "low_ms", "high_ms") if view.by == "op" else ("latency_ms",)


def _latency(time: Time, view: View) -> list[str | float]:
    """An operator's kernel, with its latency at the main operator of the kernel; of a group the sum."""
    record = time_record(time)
    cells = ("" if record[name] is None else record[name] for name in _heads(view))
    return [csv_cell(cell) if isinstance(cell, str) else cell for cell in cells]
