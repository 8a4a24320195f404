"""Tables for a terminal or a pipe."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from costmodel.analysis import Analysis
from costmodel.report.numbers import exact, share, short
from costmodel.report.rows import Row, View, rows
from costmodel.report.tables import plain, table, to_text

DEFAULT_TOP = 10
MOST_TYPES = 50  # of the summary; `--by type` has all


def render(analysis: Analysis, view: View, width: int | None = None, color: bool = False) -> str:
    """The analysis as text.

    width: columns of the terminal, names folded into it; None for a pipe, where lines are as long as
    they need to be. color: with ANSI styles.
    """
    if view.by == "op" and view.top is None:
        view = View(view.by, DEFAULT_TOP, view.sort)
    shown = rows(analysis, view)
    parts: list[RenderableType] = [_totals(analysis), Text(), _title(analysis, view, len(shown))]
    parts.append(_operators(analysis, shown) if view.by == "op" else _groups(analysis, shown, view))
    if view.by == "op":
        by_type = View("type", MOST_TYPES, view.sort)
        shown = rows(analysis, by_type)
        parts += [Text(), _title(analysis, by_type, len(shown)), _groups(analysis, shown, by_type)]
    parts += [Text(), *map(Text, _coverage(analysis))]
    return to_text(Group(*parts), width, color)


def _totals(analysis: Analysis) -> RenderableType:
    cost = analysis.totals
    result = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    result.add_column()
    result.add_column(justify="right")
    result.add_column()
    result.add_row("mult-adds", short(cost.mult_adds), f"{exact(cost.mult_adds)} (the paper's FLOPs)")
    result.add_row("parameters", short(cost.params), exact(cost.params))
    result.add_row("memory access", short(cost.memory_access), f"{exact(cost.memory_access)} elements read and written")
    result.add_row("", f"{short(cost.bytes)}B", f"{exact(cost.bytes)} bytes")
    result.add_row("operators", str(len(analysis.operators)), "")
    return Group(Text(plain(analysis.model), "bold"), result)


def _title(analysis: Analysis, view: View, shown: int) -> Text:
    what = {"mult_adds": "mult-adds", "memory_access": "memory access", "params": "parameters"}[view.sort]
    if view.by == "op":
        return Text(f"Top {shown} of {len(analysis.operators)} operators by {what}", "bold")
    dearest = f", the {shown} dearest" if shown == view.top else ""
    return Text(f"By {'operator type' if view.by == 'type' else 'module'}{dearest}", "bold")


def _operators(analysis: Analysis, shown: list[Row]) -> Table:
    result = table("operator", "type", "output", "mult-adds", "share", "params", "mem. access")
    total = analysis.totals.mult_adds
    for row in shown:
        cost = row.cost
        result.add_row(
            plain(row.label),
            plain(row.op),
            row.output_shape,
            short(cost.mult_adds),
            share(cost.mult_adds, total),
            short(cost.params),
            short(cost.memory_access),
        )
    return result


def _groups(analysis: Analysis, shown: list[Row], view: View) -> Table:
    result = table(view.by, "operators", "mult-adds", "share", "params", "mem. access", "share")
    totals = analysis.totals
    for row in shown:
        cost = row.cost
        result.add_row(
            plain(row.label),
            str(row.operators),
            short(cost.mult_adds),
            share(cost.mult_adds, totals.mult_adds),
            short(cost.params),
            short(cost.memory_access),
            share(cost.memory_access, totals.memory_access),
        )
    return result


def coverage_line(analysis: Analysis) -> str:
    """How many operators are counted how, and which types are not known."""
    coverage = analysis.coverage
    line = f"Coverage: {coverage.counted} counted, {coverage.approximated} approximated, {coverage.unknown} unknown"
    return f"{line}: {', '.join(map(plain, coverage.unknown_ops))}" if coverage.unknown_ops else line


def _coverage(analysis: Analysis) -> list[str]:
    reasons: dict[str, int] = {}
    for node in analysis.operators:
        if node.note:
            reasons[node.note] = reasons.get(node.note, 0) + 1
    lines = [coverage_line(analysis)]
    lines += [f"  {count} x {plain(reason)}" for reason, count in reasons.items()]
    lines += [f"Assumed {plain(note)}" if note.startswith("free dims") else plain(note) for note in analysis.notes]
    return lines
