"""A study's journal file: lines of JSON that any number of processes, on any number of hosts, append to.

As Optuna's own file of that kind, which optuna-dashboard reads, but for two things. A line is not forced onto the disk
before the next one: a trial is some twenty lines, and forcing each takes ten times as long as the trial. What was told
outlives its process at once, and the machine a moment later. And a last line that a full disk or a lost machine left
unfinished is cut off, since the next one would be glued to it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from costmodel.errors import UsageError


class _File(JournalFileBackend):
    def __init__(self, path: Path) -> None:
        self._path, self._own_lock = path, JournalFileSymlinkLock(str(path))
        super().__init__(str(path), self._own_lock)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        self._own_lock.acquire()
        try:
            with open(self._path, "ab", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                if file.write(lines) != len(lines):
                    file.truncate(end)
                    raise OSError("the disk took a part only; it may be full")
        finally:
            self._own_lock.release()

    def mend(self) -> None:
        """Cut off a last line that is not whole."""
        if _torn(self._path) is None:
            return
        self._own_lock.acquire()  # another process may be in the middle of a line
        try:
            end = _torn(self._path)
            if end is not None:
                os.truncate(self._path, end)
        finally:
            self._own_lock.release()


def journal(url: str, path: Path) -> BaseStorage:
    """The storage in a journal file, made where there is none.

    Raises UsageError, leaving the file as it is, where it is damaged or somebody else's, and OSError.
    """
    if not path.name or path.is_dir() or not path.absolute().parent.is_dir():
        why = "it is a folder" if path.is_dir() else "there is no such folder"
        raise UsageError(f"storage {url}: {why}; give the name of a file, such as journal:study.log")
    file = _File(path)
    try:
        with open(path, "rb") as begun:
            first = begun.readline()
        if first:
            if not _is_entry(first):
                raise ValueError(first)
            file.mend()
        return JournalStorage(file)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, IndexError):
        raise UsageError(
            f"storage {url}: it is damaged, or no journal of a study; it was left as it is: give another file"
        ) from None


def _torn(path: Path) -> int | None:
    """Where the last line begins if it is not whole, None if it is."""
    data = path.read_bytes()
    start = data.rfind(b"\n", 0, max(len(data) - 1, 0)) + 1
    return None if data.endswith(b"\n") and _is_entry(data[start:]) else start


def _is_entry(line: bytes) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    return isinstance(entry, dict) and "op_code" in entry
