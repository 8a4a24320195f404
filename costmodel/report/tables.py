"""Plain tables and their text: what every renderer of tables shares."""

from __future__ import annotations

from io import StringIO

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

_UNLIMITED = 1_000_000  # columns of a pipe: wide enough that no name is ever cut
_NARROWEST = 80  # columns that every table needs; a narrower terminal wraps its lines


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
        width=_UNLIMITED if width is None else max(width, _NARROWEST),
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
