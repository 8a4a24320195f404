"""Pictures drawn with matplotlib, which is loaded when one is asked for: the same drawing gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

from costmodel.errors import UsageError


def svg(draw: Callable[[], Any], style: Mapping[str, Any] | None = None) -> str:
    """What `draw` makes, a figure, as SVG whose text stays text. style: matplotlib's settings by name.

    Raises UsageError where matplotlib is not installed.
    """
    with _styled({"svg.fonttype": "none", "svg.hashsalt": "costmodel", **(style or {})}):
        return _saved(draw(), "svg", metadata={"Date": None, "Creator": None}).decode("utf-8")


def png(draw: Callable[[], Any], style: Mapping[str, Any] | None = None) -> bytes:
    """The same on white, 160 pixels an inch."""
    with _styled(style or {}):
        return _saved(draw(), "png", dpi=160, facecolor="white", metadata={"Software": None})


def _styled(style: Mapping[str, Any]) -> Any:
    try:
        from matplotlib import rc_context
    except ImportError as error:
        raise UsageError(
            f"a picture needs matplotlib ({error}); install it with: pip install 'cnn-costmodel[plot]'"
        ) from error
    settings: Any = {
        "font.family": "DejaVu Sans",
        "font.size": 9.0,
        "text.parse_math": False,  # names are not formulas: a $ in one is a $
        "text.usetex": False,
        **style,
    }
    return rc_context(settings)


def _saved(figure: Any, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format=kind, **options)
    return out.getvalue()
