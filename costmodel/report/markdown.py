"""Markdown: tables that fit a pull request or a README."""

from __future__ import annotations

from collections.abc import Iterable

from costmodel.analysis import Analysis
from costmodel.report.coverage import LOWER_BOUNDS, assumption_lines, bound, coverage_line, reason_lines
from costmodel.report.numbers import exact
from costmodel.report.rows import View, count_cells, count_heads, inputs, rows


def render(analysis: Analysis, view: View) -> str:
    """Totals, the rows of a view, and the coverage."""
    view = view.short()
    cost = analysis.totals
    others = (cost.params, cost.memory_access, cost.bytes, len(analysis.operators))
    totals = _table(
        ("input", "mult-adds (the paper's FLOPs)", "parameters", "memory access (elements)", "bytes", "operators"),
        [[_escape(inputs(analysis)), f"{bound(analysis)}{exact(cost.mult_adds)}", *map(exact, others)]],
    )
    head = ("operator", "type", "output") if view.by == "op" else (view.by, "operators")
    body = [
        [
            _escape(row.label),
            *([_escape(row.op), row.output_shape] if view.by == "op" else [str(row.operators)]),
            *count_cells(row, view, cost),
        ]
        for row in rows(analysis, view)
    ]
    shown = _table((*head, *count_heads(view)), body)
    return f"### {_escape(analysis.model)}\n\n{totals}\n{shown}\n{_trust(analysis)}"


def _trust(analysis: Analysis) -> str:
    """Coverage, its reasons as a list, and what was assumed."""
    reasons = [f"- {_escape(line)}" for line in reason_lines(analysis)]
    after = [LOWER_BOUNDS] if analysis.coverage.unknown else []
    after += assumption_lines(analysis)
    blocks = [_escape(coverage_line(analysis)), "\n".join(reasons), "  \n".join(map(_escape, after))]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _table(head: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _escape(text: str) -> str:
    """Text from a file, harmless in Markdown and in the HTML that Markdown lets through."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    for char in "\\`*_|[]":
        plain = plain.replace(char, "\\" + char)
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
