"""JSON of the published schema costmodel.analysis/1."""

from __future__ import annotations

import json
from typing import Any

from costmodel.analysis import Analysis


def render(analysis: Analysis) -> str:
    """The whole analysis as one JSON document; expressions and columns of counts become text and lists."""
    return json.dumps(analysis.to_dict(), indent=1, ensure_ascii=False, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    values = getattr(value, "values", None)
    return str(value) if values is None or callable(values) else values.tolist()
