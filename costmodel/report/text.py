"""Tables for a terminal or a pipe."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from costmodel.analysis import Analysis
from costmodel.report import latency
from costmodel.report.coverage import LOWER_BOUNDS, assumption_lines, bound, coverage_line, reason_lines
from costmodel.report.latency import Cells, Times
from costmodel.report.names import plain
from costmodel.report.numbers import exact, short, short_bytes
from costmodel.report.rows import Row, View, count_cells, count_heads, inputs, key_cells, key_head, rows
from costmodel.report.tables import NARROWEST, Name, table, to_text

MOST_TYPES = 50  # of the summary; `--by type` has all
BESIDE = 2  # platforms whose latencies fit the narrowest terminal beside a name
EACH = 25  # columns that another one needs beside counts
ABREAST = 3  # platforms at most in one table of shares
_TWO_LINES = {  # heads which would be wider than a terminal
    latency.HELD_OUT: "held-out\nerror",
    "mem. access": "mem.\naccess",
    "share of mult-adds": "share of\nmult-adds",
    "share of mem. access": "share of\naccess",
}


def render(analysis: Analysis, view: View, width: int | None = None, color: bool = False) -> str:
    """The analysis as text.

    width: columns of the terminal, names folded into it; None for a pipe, where lines are as long as
    they need to be. color: with ANSI styles.
    """
    times = latency.times(analysis)
    dearest = latency.DEAREST if view.top is None else view.top
    view = view.short()
    shown = rows(analysis, view)
    parts: list[RenderableType] = [_totals(analysis), *_latency(analysis, times, dearest)]
    parts += [Text(), _title(analysis, view, len(shown))]
    beside = times if width is None else times[: BESIDE + max(width - NARROWEST, 0) // EACH]
    parts.append(
        _operators(analysis, shown, view, beside) if view.by == "op" else _groups(analysis, shown, view, beside)
    )
    if len(beside) < len(times):
        left = f"The first {len(beside)} of {len(times)} platforms; a pipe, -o FILE and --format csv have all."
        parts.append(Text(left, "dim"))
    if view.by == "op":
        by_type = View("type", MOST_TYPES, view.key)
        shown = rows(analysis, by_type)
        parts += [Text(), _title(analysis, by_type, len(shown)), _groups(analysis, shown, by_type, [])]
    parts += [Text(), *map(Text, _coverage(analysis))]
    return to_text(Group(*parts), width, color)


def _latency(analysis: Analysis, times: list[Times], dearest: int) -> list[RenderableType]:
    """Latencies, where the time goes, and the dearest kernels; nothing without platforms."""
    if not times:
        return []
    parts: list[RenderableType] = [Text(), Text("Latency", "bold"), _table(latency.summary(times), 1)]
    parts += [Text(line) for line in (*map(latency.budget_line, analysis.budgets), *latency.note_lines(analysis))]
    if not latency.by_kind(times).rows:  # nothing takes time: the notes say why
        return parts
    for group in _chunks(times, ABREAST):
        parts += [Text(), Text("Where the time goes", "bold"), _table(latency.by_kind(group), 1, len(group))]
    for group in _chunks(times, BESIDE):
        cells = latency.dearest(group, dearest)
        many = f"The {len(cells.rows)} dearest kernels, by their main operators"
        title = many if len(cells.rows) != 1 else "The dearest kernel, by its main operator"
        parts += [Text(), Text(title, "bold"), _table(cells, 2, len(group))]
    return parts


def _chunks(times: list[Times], size: int) -> list[list[Times]]:
    return [times[start : start + size] for start in range(0, len(times), size)]


def _table(cells: Cells, leading: int, platforms: int = 0) -> Table:
    """leading: columns of words, before those of numbers. platforms: how many share the width, their names in heads."""
    first, *others = (_TWO_LINES.get(head, head) for head in cells.heads)
    numbers = others[leading - 1 :]
    if platforms:
        numbers = [latency.on_lines(head, _widest(platforms)) if head.endswith(" ms") else head for head in numbers]
    result = table(first, *others[: leading - 1], *numbers)
    for column in result.columns[1:leading]:
        column.justify = "left"
    for name, *others in cells.rows:
        result.add_row(Name(name), *others)
    return result


def _widest(platforms: int) -> int:
    """Columns that a platform's name may have in a head before it is broken."""
    return 13 if platforms <= BESIDE else 12


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
    if view.sort == "latency":
        what = f"latency on {plain(analysis.platforms[0].id)}"
    if view.by == "op":
        return Text(f"Top {shown} of {len(analysis.operators)} operators by {what}", "bold")
    dearest = f", the {shown} dearest" if shown == view.top else ""
    return Text(f"By {'operator type' if view.by == 'type' else 'module'}{dearest}", "bold")


def _operators(analysis: Analysis, shown: list[Row], view: View, times: list[Times]) -> Table:
    if times:
        return _timed_operators(analysis, shown, view, times)
    result = table("operator", "type", "output", *count_heads(view))
    for row in shown:
        result.add_row(
            Name(plain(row.label)), plain(row.op), row.output_shape, *count_cells(row, view, analysis.totals)
        )
    return result


def _groups(analysis: Analysis, shown: list[Row], view: View, times: list[Times]) -> Table:
    if times:
        return _timed_groups(analysis, shown, view, times)
    result = table(view.by, "operators", *(_TWO_LINES.get(head, head) for head in count_heads(view)))
    for row in shown:
        result.add_row(Name(plain(row.label)), str(row.operators), *count_cells(row, view, analysis.totals))
    return result


def _timed_operators(analysis: Analysis, shown: list[Row], view: View, times: list[Times]) -> Table:
    """Of the counts only what is dear, so that latencies fit a terminal beside it."""
    counts = 2 if len(times) == 1 else 1
    heads = (key_head(view), "share")[:counts]
    result = table("operator", "type", "output", *heads, *_heads(times))
    for row in shown:
        cells = (*key_cells(row, view, analysis.totals)[:counts], *(entry.cell(row.name) for entry in times))
        result.add_row(Name(plain(row.label)), plain(row.op), row.output_shape, *cells)
    return result


def _timed_groups(analysis: Analysis, shown: list[Row], view: View, times: list[Times]) -> Table:
    """As _timed_operators(), with shares of the latency."""
    single = len(times) == 1
    heads = ("operators", key_head(view), "share") if single else (key_head(view),)
    result = table(view.by, *heads, *(cell for head in _heads(times) for cell in (head, "share")))
    for row in shown:
        count, part = key_cells(row, view, analysis.totals)
        cells = [str(row.operators), count, part] if single else [count]
        for entry in times:
            seconds = entry.sum(row.members)
            cells += [entry.part(seconds), entry.share(seconds)]
        result.add_row(Name(plain(row.label)), *cells)
    return result


def _heads(times: list[Times]) -> list[str]:
    return [latency.on_lines(f"{entry.label} ms", _widest(len(times))) for entry in times]


def _coverage(analysis: Analysis) -> list[str]:
    lines = [coverage_line(analysis), *(f"  {line}" for line in reason_lines(analysis))]
    return lines + ([LOWER_BOUNDS] if analysis.coverage.unknown else []) + assumption_lines(analysis)
