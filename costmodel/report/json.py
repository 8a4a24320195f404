"""JSON of the published schema costmodel.analysis/1."""

from __future__ import annotations

from typing import Any

from costmodel.analysis import Analysis
from costmodel.report.documents import json_text


def render(analysis: Analysis) -> str:
    """The whole analysis as one JSON document; expressions and columns of counts become text and lists."""
    return json_text(analysis.to_dict(), default=_plain)


def _plain(value: Any) -> Any:
    values = getattr(value, "values", None)
    return str(value) if values is None or callable(values) else values.tolist()
