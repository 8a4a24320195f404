"""Where output goes: a terminal, a pipe, or a file that is written whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from costmodel.errors import UsageError


def terminal_width() -> int | None:
    """Columns of the terminal on stdout, or None for a pipe or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def use_color() -> bool:
    """Whether stdout is a terminal whose user has not asked for plain text (NO_COLOR)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def write(text: str, path: str | None) -> None:
    """Print text, or write it to path; a file that is there stays as it is until the new one is whole.

    Raises UsageError where path cannot be written.
    """
    if path is None:
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.flush()
        return
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")  # a pipe or a device: nothing to keep whole
            return
        _replace(target, text)
    except OSError as error:
        raise UsageError(f"-o {path}: cannot be written ({error.strerror or error}); give another file") from error


def _replace(target: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~mask)
        Path(temporary).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
