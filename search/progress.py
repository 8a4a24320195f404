"""How far a sampling search is, on a terminal: trials, time left, and the best so far."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Show = Callable[[int, float | None], None]


@contextmanager
def trials_bar(total: int, shown: Callable[[float], float]) -> Iterator[Show]:
    """A function that shows how many of the trials have ended and the best capacity; nothing in a pipe or a log.

    shown: a capacity's total as it is shown.
    """
    if not sys.stderr.isatty():
        yield lambda ended, best: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Searching"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    best_column = TextColumn("{task.fields[best]}")
    with Progress(*columns, best_column, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Searching", total=total, best="")

        def show(ended: int, best: float | None) -> None:
            bar.update(task, completed=ended, best="" if best is None else f"best so far {shown(best):,.6g}")

        yield show
