"""Markdown: tables that fit a pull request or a README."""

from __future__ import annotations

from collections.abc import Iterable

from costmodel.analysis import Analysis
from costmodel.report.numbers import exact, share, short
from costmodel.report.rows import View, rows
from costmodel.report.text import DEFAULT_TOP, coverage_line


def render(analysis: Analysis, view: View) -> str:
    """Totals, the rows of a view, and the coverage."""
    if view.by == "op" and view.top is None:
        view = View(view.by, DEFAULT_TOP, view.sort)
    cost = analysis.totals
    totals = _table(
        ("mult-adds (the paper's FLOPs)", "parameters", "memory access (elements)", "bytes", "operators"),
        [
            [
                *map(
                    exact,
                    (cost.mult_adds, cost.params, cost.memory_access, cost.bytes, len(analysis.operators)),
                )
            ]
        ],
    )
    head = ("operator", "type", "output") if view.by == "op" else (view.by, "operators")
    body = [
        [
            _escape(row.label),
            *([_escape(row.op), row.output_shape] if view.by == "op" else [str(row.operators)]),
            short(row.cost.mult_adds),
            share(row.cost.mult_adds, cost.mult_adds),
            short(row.cost.params),
            short(row.cost.memory_access),
        ]
        for row in rows(analysis, view)
    ]
    operators = _table((*head, "mult-adds", "share", "params", "memory access"), body)
    lines = [coverage_line(analysis), *analysis.notes]
    return (
        f"### {_escape(analysis.model)}\n\n{totals}\n{operators}\n"
        + "\n".join(f"{_escape(li)}  " for li in lines)
        + "\n"
    )


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
