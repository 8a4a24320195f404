"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def write_whole(target: Path, content: str | bytes) -> None:
    """Write bytes, or text as UTF-8; a file that is there stays as it is, with its mode, until the new one is whole.

    Raises OSError where that is not possible.
    """
    with whole(target) as file:
        file.write(content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace"))


@contextmanager
def whole(target: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of target, with its mode, when the block ends well; else nothing is left.

    It ends where writing ended, which may be behind a hole. Raises OSError where that is not possible.
    """
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".costmodel-")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.truncate()
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~mask)
        Path(temporary).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
