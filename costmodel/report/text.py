"""Tables for a terminal or a pipe."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from costmodel.analysis import Analysis
from costmodel.report.coverage import LOWER_BOUNDS, assumption_lines, bound, coverage_line, reason_lines
from costmodel.report.names import plain
from costmodel.report.numbers import exact, short, short_bytes
from costmodel.report.rows import Row, View, count_cells, count_heads, inputs, rows
from costmodel.report.tables import table, to_text

MOST_TYPES = 50  # of the summary; `--by type` has all
_TWO_LINES = {  # heads of groups, which would be wider than a terminal
    "mem. access": "mem.\naccess",
    "share of mult-adds": "share of\nmult-adds",
    "share of mem. access": "share of\naccess",
}


def render(analysis: Analysis, view: View, width: int | None = None, color: bool = False) -> str:
    """The analysis as text.

    width: columns of the terminal, names folded into it; None for a pipe, where lines are as long as
    they need to be. color: with ANSI styles.
    """
    view = view.short()
    shown = rows(analysis, view)
    parts: list[RenderableType] = [_totals(analysis), Text(), _title(analysis, view, len(shown))]
    parts.append(_operators(analysis, shown, view) if view.by == "op" else _groups(analysis, shown, view))
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
    result.add_column(overflow="fold")
    result.add_row("input" if len(analysis.graph.inputs) == 1 else "inputs", "", plain(inputs(analysis)))
    mult_adds = f"{bound(analysis)}{exact(cost.mult_adds)} (the paper's FLOPs)"
    result.add_row("mult-adds", short(cost.mult_adds), mult_adds)
    result.add_row("parameters", short(cost.params), exact(cost.params))
    result.add_row("memory access", short(cost.memory_access), f"{exact(cost.memory_access)} elements read and written")
    result.add_row("", short_bytes(cost.bytes), f"{exact(cost.bytes)} bytes")
    result.add_row("operators", str(len(analysis.operators)), "")
    return Group(Text(plain(analysis.model), "bold"), result)


def _title(analysis: Analysis, view: View, shown: int) -> Text:
    what = {"mult_adds": "mult-adds", "memory_access": "memory access", "params": "parameters"}[view.key]
    if view.by == "op":
        return Text(f"Top {shown} of {len(analysis.operators)} operators by {what}", "bold")
    dearest = f", the {shown} dearest" if shown == view.top else ""
    return Text(f"By {'operator type' if view.by == 'type' else 'module'}{dearest}", "bold")


def _operators(analysis: Analysis, shown: list[Row], view: View) -> Table:
    result = table("operator", "type", "output", *count_heads(view))
    for row in shown:
        result.add_row(plain(row.label), plain(row.op), row.output_shape, *count_cells(row, view, analysis.totals))
    return result


def _groups(analysis: Analysis, shown: list[Row], view: View) -> Table:
    result = table(view.by, "operators", *(_TWO_LINES.get(head, head) for head in count_heads(view)))
    for row in shown:
        result.add_row(plain(row.label), str(row.operators), *count_cells(row, view, analysis.totals))
    return result


def _coverage(analysis: Analysis) -> list[str]:
    lines = [coverage_line(analysis), *(f"  {line}" for line in reason_lines(analysis))]
    return lines + ([LOWER_BOUNDS] if analysis.coverage.unknown else []) + assumption_lines(analysis)
