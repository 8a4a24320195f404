"""JSON as all reports write it: characters as they are, but for those that could do harm where it is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

# What JSON may hold but a terminal obeys, a reader does not see or no file can hold: control characters, marks of
# direction and of no width, separators of lines, lone surrogates.
_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]")


def json_text(document: Any, default: Callable[[Any], Any] | None = None) -> str:
    """A document as JSON, whose strings read back as they were. default: as that of json.dumps."""
    text = json.dumps(document, indent=1, ensure_ascii=False, default=default)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"
