"""Numbers as people read them."""

from __future__ import annotations

from decimal import Decimal

from costmodel.dims import Dim

_PREFIXES = "kMGTPE"


def short(count: Dim) -> str:
    """A count to four digits with its unit prefix, 144.9 M, and from 10^21 as a power of ten.

    Expressions and counts below 1000 in full.
    """
    if not isinstance(count, int) or count < 1000:
        return str(count)
    scale = 1
    for prefix in _PREFIXES:
        scale *= 1000
        if count < 999.95 * scale:  # where one decimal rounds up to the next prefix
            value = count / scale
            return f"{value:.{2 if value < 99.995 else 1}f} {prefix}"
    return f"{Decimal(count):.2e}"


def short_bytes(count: Dim) -> str:
    """A number of bytes as short() has it, with its unit: 72.72 MB, 80 B."""
    text = short(count)
    return f"{text}B" if text[-2:-1] == " " else f"{text} B"


def exact(count: Dim) -> str:
    """A count in full, thousands apart."""
    return f"{count:,}" if isinstance(count, int) else str(count)


def share(part: Dim, whole: Dim) -> str:
    """part of whole in percent."""
    if not isinstance(part, int) or not isinstance(whole, int) or whole == 0:
        return ""
    return f"{100 * part / whole:.1f} %"
