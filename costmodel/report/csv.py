"""CSV: one line an operator, or a group of them, counts in full."""

from __future__ import annotations

import csv
from io import StringIO

from costmodel.analysis import Analysis, cost_record
from costmodel.report.rows import Row, View, rows

_OF_OPERATOR = ("operator", "type", "output", "counting", "note", "module")
_OF_GROUP = ("operators", "counted", "approximated", "unknown")


def render(analysis: Analysis, view: View) -> str:
    """The rows of a view as CSV with a header."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    lead = _OF_OPERATOR if view.by == "op" else (view.by, *_OF_GROUP)
    writer.writerow([*lead, *cost_record(analysis.totals)])
    for row in rows(analysis, view):
        writer.writerow([row.name, *_lead(row), *cost_record(row.cost).values()])
    return out.getvalue()


def _lead(row: Row) -> list[str | int]:
    if row.node is not None:
        return [row.op, row.output_shape, row.node.counting.value, row.node.note, row.node.module]
    states = row.coverage
    return [row.operators, *((states.counted, states.approximated, states.unknown) if states else ())]
