"""Where output goes: a terminal, a pipe, or a file that is written whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from costmodel.errors import UsageError
from costmodel.writing import write_whole


def terminal_width() -> int | None:
    """Columns of the terminal on stdout, or None for a pipe or a file."""
    return shutil.get_terminal_size().columns if _is_terminal() else None


def use_color() -> bool:
    """Whether stdout is a terminal whose user has not asked for plain text (NO_COLOR)."""
    return _is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # None: started with stdout closed


def write(text: str, path: str | None) -> None:
    """Print text, or write it to path; a file that is there stays as it is until the new one is whole.

    Raises UsageError where path cannot be written.
    """
    if path is None:
        _print(text)
        return
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            # a pipe or a device: nothing to keep whole
            target.write_text(text, encoding="utf-8", errors="backslashreplace")
            return
        write_whole(Path(os.path.realpath(target)), text)  # a link stays a link
    except OSError as error:
        raise UsageError(f"-o {path}: cannot be written ({error.strerror or error}); give another file") from error


def check_file(format: str, path: str | None) -> None:
    """Refuse to print a format that nobody reads on a terminal. Raises UsageError."""
    if path is None and _is_terminal():
        raise UsageError(f"--format {format}: it is not for a terminal; give -o FILE, or pipe it")


def _print(text: str) -> None:
    if sys.stdout is None:
        raise UsageError("stdout is closed; give -o FILE")
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        silence_stdout()
        raise UsageError(f"stdout cannot be written ({error.strerror or error}); give -o FILE") from error


def silence_stdout() -> None:
    """Let what is still to be written go nowhere: Python would complain once more when it flushes at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
