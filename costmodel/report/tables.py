"""Plain tables and their text: what every renderer of tables shares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_UNLIMITED = 1_000_000  # columns of a pipe: wide enough that no name is ever cut
NARROWEST = 80  # columns that every table needs; a narrower terminal wraps its lines


class Name:
    """A name in a table: where its column is too narrow it goes on below, after a / . _ or - where it has one."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """As wide as rich takes any text to be."""
        return Measurement.get(console, options, Text(self.text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """The name in lines of the column's width."""
        yield Text("\n".join(_folded(self.text, max(options.max_width, 1))), overflow="fold")


def _folded(name: str, width: int) -> list[str]:
    """The name in lines of at most `width` characters; only a part that is longer than a line is cut inside."""
    lines = [""]
    for part in re.findall(r"[^/._-]*[/._-]+|[^/._-]+", name):
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return [line[start : start + width] for line in lines for start in range(0, max(len(line), 1), width)]


def table(first: str, *numeric: str) -> Table:
    """A table whose first column folds when it must and whose other columns are numbers.

    A name with a line break makes a head of two lines, on whose second line the other names stand.
    """
    lines = max(name.count("\n") for name in (first, *numeric)) if numeric else 0
    result = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1),
        collapse_padding=True,
        header_style="bold",
    )
    result.add_column("\n" * (lines - first.count("\n")) + first, overflow="fold")
    for name in numeric:
        result.add_column("\n" * (lines - name.count("\n")) + name, justify="right", no_wrap=True)
    return result


def to_text(content: RenderableType, width: int | None = None, color: bool = False) -> str:
    """What rich makes of the content, without trailing blanks.

    width: columns of the terminal, at least 80 of them used; None for a pipe, where lines are as long as
        they need to be.
    color: with ANSI styles.
    """
    out = StringIO()
    console = Console(
        file=out,
        width=_UNLIMITED if width is None else max(width, NARROWEST),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
    )
    console.print(content)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())
