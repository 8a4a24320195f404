"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_whole(target: Path, content: str | bytes) -> None:
    """Write bytes, or text as UTF-8; a file that is there stays as it is, with its mode, until the new one is whole.

    Raises OSError where that is not possible.
    """
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".costmodel-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace"))
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~mask)
        Path(temporary).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
