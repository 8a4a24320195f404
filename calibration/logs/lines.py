"""A saved terminal output as lines: whatever a phone's shell, a pipe or a Windows console made of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from costmodel.errors import UsageError
from costmodel.zoo.options import clip

NUMBER = r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?"  # as C and C++ print what is finite and not below 0

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours and cursor moves of a terminal
_FIRST = 3  # lines that tell what a file looks like
_LONGEST = 10_000  # characters of a line; what is longer is no line of these tools


def read_lines(path: str, tool: str) -> tuple[str, ...]:
    """The lines of a log. Bytes that are no text, as noise leaves them, become replacement characters.

    tool: whose log it should be. Raises UsageError for what cannot be read, is no text or is empty.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error}); give a log of {tool}") from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # PowerShell redirects into UTF-16
        text = data.decode("utf-16", errors="replace")
    elif b"\0" in data:
        raise UsageError(f"{path}: it is no text (it holds zero bytes); give what {tool} printed")
    else:
        text = data.decode("utf-8-sig", errors="replace")
    text = _ESCAPES.sub("", text)
    if not text.strip():
        raise UsageError(f"{path}: it is empty; {tool} prints to stderr as well: save its output with > FILE 2>&1")
    return tuple(line[:_LONGEST] for line in text.splitlines())


def beginning(lines: Sequence[str]) -> str:
    """The first lines with something on them, quoted, for a message."""
    first = [line.strip() for line in lines if line.strip()][:_FIRST]
    return ", ".join(repr(clip(line)) for line in first)
