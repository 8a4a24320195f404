"""CSV: one line an operator, counts in full."""

from __future__ import annotations

import csv
from io import StringIO

from costmodel.analysis import Analysis, cost_record
from costmodel.report.rows import View, rows


def render(analysis: Analysis, view: View) -> str:
    """The rows of a view as CSV with a header."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    counts = list(cost_record(analysis.totals))
    label = {"op": ["operator", "type", "output", "counting"], "type": ["type", "operators"]}
    writer.writerow([*label.get(view.by, ["module", "operators"]), *counts])
    for row in rows(analysis, view):
        lead = [row.op, row.output_shape, row.counting.value] if view.by == "op" else [row.operators]
        writer.writerow([row.name, *lead, *cost_record(row.cost).values()])
    return out.getvalue()
