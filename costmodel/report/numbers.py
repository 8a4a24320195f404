"""Numbers as people read them."""

from __future__ import annotations

from costmodel.dims import Dim

_SCALES = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def short(count: Dim) -> str:
    """A count to four digits with its unit prefix: 144.9 M; expressions and small counts in full."""
    if not isinstance(count, int):
        return str(count)
    for scale, prefix in _SCALES:
        if count >= scale:
            value = count / scale
            return f"{value:.{2 if value < 100 else 1}f} {prefix}"
    return str(count)


def exact(count: Dim) -> str:
    """A count in full, thousands apart."""
    return f"{count:,}" if isinstance(count, int) else str(count)


def share(part: Dim, whole: Dim) -> str:
    """part of whole in percent."""
    if not isinstance(part, int) or not isinstance(whole, int) or whole == 0:
        return ""
    return f"{100 * part / whole:.1f} %"
