"""A comparison as Markdown that fits a comment of a pull request: a summary, two tables, the layers folded away."""

from __future__ import annotations

from collections.abc import Iterator

from costmodel.comparing import Comparison, Verdict
from costmodel.report import compare_cells as cells
from costmodel.report.coverage import coverage_line
from costmodel.report.latency import Cells, note_lines
from costmodel.report.markdown import escape, pipe_table

_LONGEST = 60_000  # characters; comments of hosts of repositories hold 65,536


def render(comparison: Comparison, *, count: int = cells.SHOWN) -> str:
    """What the networks are to each other, counts and latencies; the layers that differ, `count` of each sort, in parts
    that are opened by a click, fewer of them where a comment would not hold them."""
    text = "\n".join(_blocks(comparison, count))
    while len(text) > _LONGEST and count > 1:
        count //= 2
        text = "\n".join(_blocks(comparison, count))
    return text


def _blocks(comparison: Comparison, count: int) -> Iterator[str]:
    yield f"### {escape(comparison.before.model)} → {escape(comparison.after.model)}\n"
    yield f"**{escape(cells.headline(comparison))}**\n"
    for line in cells.input_lines(comparison):
        yield f"{escape(line)}\n"
    yield _table(cells.totals(comparison))
    if comparison.delays:
        yield _table(cells.latencies(comparison))
        undecided = cells.undecided_line(comparison)
        if undecided:
            yield f"{escape(undecided)}\n"
    spelled = cells.spelled_line(comparison)
    if spelled:
        yield f"{escape(spelled)}\n"
    if comparison.verdict is Verdict.DIFFERENT:
        yield from _folded(comparison, count)
    yield from _trust(comparison)


def _folded(comparison: Comparison, count: int) -> Iterator[str]:
    for state, title in cells.SECTIONS.items():
        shown = cells.section(comparison, state, count)
        if shown.rows:
            number = len(comparison.of(state))
            left = cells.hidden(comparison, state, count)
            more = f"\nand {left} more, which weigh less\n" if left else ""
            yield f"<details><summary>{escape(title)} ({number})</summary>\n\n{_table(shown)}{more}\n</details>\n"


def _table(shown: Cells) -> str:
    return pipe_table(map(escape, shown.heads), (map(escape, row) for row in shown.rows))


def _trust(comparison: Comparison) -> Iterator[str]:
    for analysis in (comparison.before, comparison.after):
        coverage = analysis.coverage
        found = [coverage_line(analysis)] if coverage.approximated or coverage.unknown else []
        for line in (*found, *analysis.notes):
            yield f"- {escape(analysis.model)}: {escape(line)}"
    for line in note_lines(comparison.after):
        yield f"- {escape(line)}"
