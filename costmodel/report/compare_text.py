"""A comparison as text."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from costmodel.comparing import Comparison, State, Verdict
from costmodel.report import compare_cells as cells
from costmodel.report.coverage import LOWER_BOUNDS, coverage_line
from costmodel.report.latency import Cells, note_lines
from costmodel.report.names import plain
from costmodel.report.tables import Name, table, to_text

_HEAD = 12  # columns of a platform's head


def render(comparison: Comparison, width: int | None = None, color: bool = False, *, count: int = cells.SHOWN) -> str:
    """What the networks are to each other, counts, latencies, and the layers that differ, `count` of each sort.

    width: columns of the terminal; None for a pipe. color: with ANSI styles.
    """
    models = f"{plain(comparison.before.model)} → {plain(comparison.after.model)}"
    lines = [*cells.input_lines(comparison), *filter(None, [cells.spelled_line(comparison)])]
    parts: list[RenderableType] = [
        Text(models, "bold"),
        Text(cells.headline(comparison)),
        *map(Text, lines),
        Text(),
        _numbers(cells.totals(comparison)),
        *_latencies(comparison),
    ]
    if comparison.verdict is Verdict.DIFFERENT:
        for state, title in cells.SECTIONS.items():
            parts += _section(comparison, state, title, count)
    parts += _trust(comparison)
    return to_text(Group(*parts), width, color)


def _latencies(comparison: Comparison) -> list[RenderableType]:
    if not comparison.delays:
        return []
    undecided = cells.undecided_line(comparison)
    return [Text(), _numbers(cells.latencies(comparison)), *([Text(undecided)] if undecided else [])]


def _section(comparison: Comparison, state: State, title: str, count: int) -> list[RenderableType]:
    shown = cells.section(comparison, state, count)
    if not shown.rows:
        return []
    left = cells.hidden(comparison, state, count)
    more = f"and {left} more, which weigh less; --top N shows more, --format json all"
    return [Text(), Text(title, "bold"), _rows(shown), *([Text(more, "dim")] if left else [])]


def _numbers(shown: Cells) -> Table:
    result = table(*shown.heads)
    for name, *others in shown.rows:
        result.add_row(Name(name), *others)
    return result


def _rows(shown: Cells) -> Table:
    """Layers with what became of them; both may go on below."""
    result = table(*cells.narrow(shown.heads, _HEAD))
    result.columns[1].justify, result.columns[1].no_wrap, result.columns[1].overflow = "left", False, "fold"
    for name, what, *others in shown.rows:
        result.add_row(Name(name), what, *others)
    return result


def _trust(comparison: Comparison) -> list[RenderableType]:
    """What the counts of either network leave out, what was assumed, and what the intervals do not cover."""
    lines = []
    for analysis in (comparison.before, comparison.after):
        coverage = analysis.coverage
        found = [coverage_line(analysis)] if coverage.approximated or coverage.unknown else []
        found += [LOWER_BOUNDS] if coverage.unknown else []
        lines += [plain(f"{analysis.model}: {line}") for line in (*found, *analysis.notes)]
    lines += note_lines(comparison.after)
    return [Text(), *map(Text, lines)] if lines else []
