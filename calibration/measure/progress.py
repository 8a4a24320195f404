"""The progress of a measurement: a bar with the remaining time on a terminal, nothing in a pipe or a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from calibration.measure.campaign import Show


@contextmanager
def progress(stream: TextIO | None) -> Iterator[Show]:
    """A function that shows visits done, visits in all as far as is known, and the seconds to go."""
    if stream is None or not stream.isatty():
        yield lambda done, of, seconds: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[known]}"))
    with Progress(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task("Measuring", total=None, known="the first visits")

        def show(done: int, of: int, seconds: float) -> None:
            bar.update(task, completed=done, total=of, known=f"{done}/{of} visits, {remaining(seconds)} left")

        yield show


def remaining(seconds: float) -> str:
    """Seconds as minutes and seconds: 4:05."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
