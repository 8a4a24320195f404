"""What findings save, in words: the same for every renderer that has sentences."""

from __future__ import annotations

from collections.abc import Iterable

from costmodel.guidelines import Finding, Saving
from costmodel.report.latency import milliseconds
from costmodel.report.names import plain


def savings_sentence(savings: Iterable[Saving]) -> str:
    """What a change is estimated to save on each platform, with intervals, in one sentence; empty without any.

    The platform where it saves the largest share of the time comes first.
    """
    parts = list(map(_saving, sorted(savings, key=lambda saving: -saving.share)))
    return f"Estimated to {'; to '.join(parts)}." if parts else ""


def _saving(saving: Saving) -> str:
    """save 1.2 ms (0.8 to 1.6, 5.3 %) on PLATFORM; where the changed design is slower, what it costs."""
    verb, ends = "save", (saving.seconds, saving.low, saving.high)
    if saving.seconds < 0:
        verb, ends = "cost", (-saving.seconds, -saving.high, -saving.low)
    much, low, high = map(signed_milliseconds, ends)
    return f"{verb} {much} ms ({low} to {high}, {_share(saving.share)}) on {plain(saving.platform)}"


def _share(share: float) -> str:
    percent = 100 * abs(share)
    return f"{percent:.1f} %" if percent >= 0.05 else "under 0.1 %"


def signed_milliseconds(seconds: float) -> str:
    """Seconds in milliseconds, to three digits, of either sign."""
    text = milliseconds(abs(seconds))
    return f"-{text}" if seconds < 0 and text != "0" else text


def as_sentence(text: str) -> str:
    """Text from a finding as a sentence: safe to print, with a capital and a full stop."""
    text = plain(text).strip()
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def place_of_source(finding: Finding) -> tuple[str, int]:
    """The file that wrote a finding's first operator and its line, from 1; "" and 0 where the model tells none."""
    file, _, line = finding.source.rpartition(":")
    if not file:
        return "", 0
    return file, int(line) if line.isascii() and line.isdecimal() and len(line) < 10 else 0
