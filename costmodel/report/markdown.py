"""Markdown: tables that fit a pull request or a README."""

from __future__ import annotations

from collections.abc import Iterable

from costmodel.analysis import Analysis
from costmodel.report import latency
from costmodel.report.coverage import LOWER_BOUNDS, assumption_lines, bound, coverage_line, reason_lines
from costmodel.report.latency import Times
from costmodel.report.numbers import exact
from costmodel.report.rows import Row, View, count_cells, count_heads, inputs, rows


def render(analysis: Analysis, view: View) -> str:
    """Totals, latencies, the rows of a view, and the coverage."""
    times = latency.times(analysis)
    dearest = latency.DEAREST if view.top is None else view.top
    view = view.short()
    cost = analysis.totals
    others = (cost.params, cost.memory_access, cost.bytes, len(analysis.operators))
    totals = pipe_table(
        ("input", "mult-adds (the paper's FLOPs)", "parameters", "memory access (elements)", "bytes", "operators"),
        [[escape(inputs(analysis)), f"{bound(analysis)}{exact(cost.mult_adds)}", *map(exact, others)]],
    )
    head = ("operator", "type", "output") if view.by == "op" else (view.by, "operators")
    body = [
        [
            escape(row.label),
            *([escape(row.op), row.output_shape] if view.by == "op" else [str(row.operators)]),
            *count_cells(row, view, cost),
            *(cell for entry in times for cell in _cells(row, entry)),
        ]
        for row in rows(analysis, view)
    ]
    heads = [cell for entry in times for cell in _heads(entry, view)]
    shown = pipe_table((*head, *count_heads(view), *heads), body)
    blocks = [totals, *_latency(analysis, times, dearest), shown, _trust(analysis)]
    return f"### {escape(analysis.model)}\n\n" + "\n".join(blocks)


def _latency(analysis: Analysis, times: list[Times], dearest: int) -> list[str]:
    """Latencies, where the time goes, and the dearest kernels; nothing without platforms."""
    if not times:
        return []
    cells = (latency.summary(times), latency.by_kind(times), latency.dearest(times, dearest))
    first, *others = (pipe_table(map(escape, part.heads), (map(escape, row) for row in part.rows)) for part in cells)
    lines = (*map(latency.budget_line, analysis.budgets), *latency.note_lines(analysis))
    notes = "".join(f"- {escape(line)}\n" for line in lines)
    return [first, *([notes] if notes else []), *others]


def _heads(entry: Times, view: View) -> list[str]:
    head = f"{escape(entry.label)} ms"
    return [head] if view.by == "op" else [head, f"share of {head}"]


def _cells(row: Row, entry: Times) -> list[str]:
    """The kernel at its main operator; of a group the sum, and its share."""
    if row.node is not None:
        return [escape(entry.cell(row.name, name_kernel=True))]
    seconds = entry.sum(row.members)
    return [entry.part(seconds), entry.share(seconds)]


def _trust(analysis: Analysis) -> str:
    """Coverage, its reasons as a list, and what was assumed."""
    reasons = [f"- {escape(line)}" for line in reason_lines(analysis)]
    after = [LOWER_BOUNDS] if analysis.coverage.unknown else []
    after += assumption_lines(analysis)
    blocks = [escape(coverage_line(analysis)), "\n".join(reasons), "  \n".join(map(escape, after))]
    return "\n\n".join(filter(None, blocks)) + "\n"


def pipe_table(head: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    """A table of Markdown; its cells are escaped already."""
    head = list(head)
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def escape(text: str) -> str:
    """Text from a file, harmless in Markdown and in the HTML that Markdown lets through."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    for char in "\\`*_|[]":
        plain = plain.replace(char, "\\" + char)
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
