"""The files that a search writes: whether they can be, before it begins, and its picture."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from costmodel.cli.progress import busy
from costmodel.errors import UsageError
from costmodel.writing import write_whole

if TYPE_CHECKING:
    from search.report import Outcome

PICTURES, PAGE = (".svg", ".png"), ".html"
_LONGEST_NAME = 200  # bytes of a file's; 255 are usual, some of them for the name that it is written under first


def check(output: str | None, plot: str | None, read: Iterable[str | None]) -> None:
    """Refuse files that could not be written. read: what the search reads; files among it are not replaced."""
    taken = {os.path.realpath(path): f"{path}, which is read" for path in read if path and os.path.isfile(path)}
    for option, path in (("-o", output), ("--plot", plot)):
        if path is None:
            continue
        if path == "" or os.path.isdir(path):
            raise UsageError(f"{option} {path}: is no file; give the path of one to write")
        if os.path.exists(path) and not os.path.isfile(path):  # a pipe or a device
            continue
        place = os.path.realpath(path)
        folder, name = os.path.split(place)
        if not os.path.isdir(folder):
            raise UsageError(f"{option} {path}: there is no folder {folder}; make it, or give another file")
        if not os.access(folder, os.W_OK) or len(os.fsencode(name)) > _LONGEST_NAME:
            raise UsageError(f"{option} {path}: cannot be written there; give another file")
        if place in taken:
            raise UsageError(f"{option} {path}: is the file of {taken[place]}; give another")
        taken[place] = option
    if plot is not None and _ending(plot) not in (*PICTURES, PAGE):
        raise UsageError(f"--plot {plot}: its ending is not known; end it in {', '.join(PICTURES)} or {PAGE}")


def check_picture(plot: str | None, *, shows: bool) -> None:
    """Refuse a picture that could not be drawn. shows: whether there will be anything on it."""
    if plot is None or _ending(plot) == PAGE:
        return
    if find_spec("matplotlib") is None:
        raise UsageError(
            f"--plot {plot}: a picture needs matplotlib; install it with: pip install 'cnn-costmodel[plot]', or end "
            f"the file in {PAGE}"
        )
    if not shows:
        raise UsageError(
            f"--plot {plot}: no platform is named, so a picture has nothing to show; give --budget or -p, or end the "
            f"file in {PAGE}"
        )


def draw(outcome: Outcome, path: str) -> None:
    """Write the picture or the page that the file's ending asks for. Raises UsageError where that cannot be."""
    ending = _ending(path)
    if ending == PAGE:
        from search.page import render

        with busy("Drawing"):
            content = render(outcome).encode()
    else:
        from search import plots

        content = plots.svg(outcome).encode() if ending == ".svg" else plots.png(outcome)
    try:
        write_whole(Path(path), content)
    except OSError as error:
        raise UsageError(f"--plot {path}: cannot be written ({error.strerror or error}); give another file") from error


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()
