"""Times of single kernels beside a data CSV: DATA.kernels.csv, which `costmodel measure --kernels` writes.

A row is a kernel of a network at a batch, by its name in costmodel, and its milliseconds in one run. Rows of networks
that the data CSV does not have are not read: what is fitted is whole networks, and their kernels with them.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from costmodel.errors import UsageError
from costmodel.zoo.options import clip

COLUMNS = ("network", "batch", "kernel", "latency_ms")

LONGEST = 3600.0  # seconds

Times = dict[str, float]


@dataclass(frozen=True, slots=True)
class KernelTimes:
    """Seconds of kernels, by the network as the file writes it and the batch; and the file."""

    file: str
    networks: Mapping[tuple[str, int], Times]

    def __len__(self) -> int:
        return sum(len(times) for times in self.networks.values())


def beside(path: Path) -> Path:
    """Where the kernels of a data CSV are."""
    return path.parent / f"{path.stem}.kernels.csv"


def read(path: Path) -> KernelTimes:
    """The kernels of a file. Raises UsageError where it is none, or a row is not as it should be."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); remove it to calibrate without kernels") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    networks: dict[tuple[str, int], Times] = {}
    try:
        if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
            raise _BadRowError(f"the header has no {' and no '.join(missing)}")
        for row in reader:
            network, batch, kernel, seconds = _row(row)
            times = networks.setdefault((network, batch), {})
            if kernel in times:
                raise _BadRowError(f"it repeats {clip(kernel)} of {clip(network)}")
            times[kernel] = seconds
    except (_BadRowError, csv.Error) as error:
        raise UsageError(
            f"{path}:{max(reader.line_num, 1)}: {error}; measure again, or remove the file to calibrate without kernels"
        ) from None
    return KernelTimes(str(path), networks)


class _BadRowError(Exception):
    """What is wrong with a row."""


def _row(row: Mapping[str, str | None]) -> tuple[str, int, str, float]:
    network, batch, kernel, latency = (row[name] or "" for name in COLUMNS)
    if not network or not kernel:
        raise _BadRowError("network or kernel is empty")
    if not (batch.isascii() and batch.isdigit() and 0 < len(batch) < 10 and int(batch) > 0):
        raise _BadRowError(f"batch is {clip(batch)!r}, no whole number above 0")
    try:
        seconds = float(latency) / 1e3
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST:
        raise _BadRowError(f"latency_ms is {clip(latency)!r}, no time of a kernel")
    return network, int(batch), kernel, seconds
