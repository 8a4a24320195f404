"""What a benchmark's log gives: measurements, and what it says of the platform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calibration.dataset import Dataset
from calibration.physics import Processor

_MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurements, and the platform as their log says it: "" or None where it does not.

    origin: the logs in words, for the report. device, runtime_version, clock, date: as in a profile.
    """

    dataset: Dataset
    origin: str = ""
    processor: Processor | None = None
    device: str = ""
    runtime_version: str = ""
    clock: str = ""
    date: str = ""


def origin(tool: str, names: Sequence[str]) -> str:
    """The logs in words: `benchncnn log phone.txt`, or how many with the first names."""
    if len(names) == 1:
        return f"{tool} log {names[0]}"
    more = ", ..." if len(names) > _MOST_NAMED else ""
    return f"{len(names)} {tool} logs: {', '.join(names[:_MOST_NAMED])}{more}"
