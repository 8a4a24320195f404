"""A copy of a data CSV with rows of a search's designs, as `costmodel calibrate` reads it."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from costmodel import zoo
from costmodel.errors import CostModelError, UsageError
from costmodel.platforms import Platform
from costmodel.writing import write_whole
from costmodel.zoo.options import clip

_NEEDED = ("network", "latency_ms")
_STATED = ("batch", "threads", "precision", "source")
_WHOLE = 30  # operators of a whole network; less is a stack of one kind of layer, or a block

Rows = list[dict[str, str]]


class RefinedData:
    """The copy. target, profile: its file, and where the profile calibrated from it belongs. data: the file itself.

    source: what the rows say of where they come from. known: seconds of the networks that were added, by reference.
    platform: as the column of that name calls it, "" where no row does. date: of the measurements, for the profile.
    Times of kernels beside the data are copied with it, and a model's path is written as seen from the copy. Raises
    UsageError for files that cannot be used.
    """

    def __init__(self, data: Path, target: Path, platform: Platform, batch: int, source: str) -> None:
        self.target, self.profile = target, target.with_suffix(".json")
        self.data, self._batch = data, str(batch)
        self._check_target()
        columns, rows = _read(data)
        self._columns = [*columns, *(name for name in _STATED if name not in columns)]
        self._rows = [self._moved(row) for row in rows]
        self.platform = self._called(platform)
        self.date = _span([source.date for source in platform.sources])
        self._stated = {
            "platform": self.platform,
            "batch": self._batch,
            "threads": str(platform.threads),
            "precision": platform.precision,
            "source": source,
        }
        self._usual = {**self._stated, "batch": "1"}  # of a row that does not state it
        self.known: dict[str, float] = {}
        self._own = len(self._rows)
        self._go_on()

    def controls(self, seconds: float, count: int) -> dict[str, float]:
        """Up to `count` whole networks of the zoo that the data has, with their seconds: those nearest to `seconds`."""
        found = {}
        for row in self._rows[: self._own]:
            with suppress(ValueError, CostModelError):
                network, time = row["network"].strip(), float(row["latency_ms"]) / 1e3
                if self._fits(row) and 0 < time < math.inf and len(zoo.load(network).nodes) >= _WHOLE:
                    found[network] = time
        near = sorted(found, key=lambda network: abs(math.log(found[network] / seconds)))
        return {network: found[network] for network in near[:count]}

    def _fits(self, row: Mapping[str, str]) -> bool:
        """Whether a row is of a network of the zoo, measured as the designs are."""
        named = ("platform", "batch", "threads", "precision")
        alike = all((row.get(name) or self._usual[name]) == self._stated[name] for name in named)
        return (
            alike and row["network"].startswith(zoo.PREFIX) and not row.get("input") and "batch=" not in row["network"]
        )

    def add(self, networks: Sequence[str], seconds: Sequence[float]) -> None:
        """A row for each network; all of them are on disk when this returns."""
        for network, time in zip(networks, seconds, strict=True):
            self._rows.append({**self._stated, "network": network, "latency_ms": f"{time * 1e3:.6g}"})
            self.known[network] = time
        kernels = _kernels(self.data)
        if kernels.exists():
            columns, rows = _read(kernels)
            self._write(_kernels(self.target), columns, [self._moved(row) for row in rows])
        self._write(self.target, self._columns, self._rows)

    def _check_target(self) -> None:
        target = self.target
        if target.suffix != ".csv":
            raise UsageError(f"{target}: refined measurements go into a .csv file; give another name")
        if target.exists() and self.data.exists() and target.samefile(self.data):
            raise UsageError(f"{target}: it holds the measurements themselves; give another file")
        if not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
            why = "no right to write there" if target.parent.is_dir() else "no such folder"
            raise UsageError(f"{target}: cannot be written ({why}: {target.parent}); give another file")
        for other in (self.profile, _kernels(target)):
            if other.exists() and not target.exists():
                raise UsageError(f"{target}: {other.name} is there and would be replaced; give another file")

    def _called(self, platform: Platform) -> str:
        names = sorted({row["platform"] for row in self._rows if row.get("platform")})
        if platform.id in names or not names:
            return platform.id if names else ""
        if len(names) > 1:
            raise UsageError(f"{self.data}: it has rows of {len(names)} platforms, none of {platform.id}; keep its own")
        return names[0]

    def _moved(self, row: Mapping[str, str]) -> dict[str, str]:
        """A row with its model's path, if it has one, relative to the copy."""
        network = row["network"].strip()
        if not network.endswith(".onnx"):
            return dict(row)
        return {**row, "network": Path(os.path.relpath(self.data.parent / network, self.target.parent)).as_posix()}

    def _go_on(self) -> None:
        """Take over the rows that an earlier call has added to the same data."""
        if not self.target.exists():
            return
        columns, rows = _read(self.target)
        count = len(self._rows)
        before = [{name: row.get(name, "") for name in self._columns} for row in self._rows]
        if columns != self._columns or rows[:count] != before:
            raise UsageError(
                f"{self.target}: it is there, and is no refined copy of {self.data} as it is now; move it away, or "
                "give another file"
            )
        for row in rows[count:]:
            try:
                seconds = float(row["latency_ms"]) / 1e3
            except ValueError:
                seconds = math.nan
            if not 0 < seconds < math.inf or row["batch"] != self._batch:
                network, batch, time = (clip(row[name]) for name in ("network", "batch", "latency_ms"))
                raise UsageError(
                    f"{self.target}: its row of {network} has batch {batch} and latency_ms {time}, not a latency at "
                    f"batch {self._batch}; move the file away, or give another"
                )
            self._rows.append(row)
            self.known[row["network"]] = seconds

    def _write(self, path: Path, columns: Sequence[str], rows: Rows) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: row.get(name, "") for name in columns} for row in rows)
        try:
            write_whole(Path(os.path.realpath(path)), text.getvalue())
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror or error}); give another file") from error


def _kernels(data: Path) -> Path:
    """Where `costmodel measure --kernels` puts the times of kernels beside a data CSV, and calibrate looks for them."""
    return data.with_name(f"{data.stem}.kernels.csv")


def _read(path: Path) -> tuple[list[str], Rows]:
    """Columns and rows of a CSV; blank lines are left out. Raises UsageError where it is none of measurements."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), restval="", strict=True)
        columns, rows = list(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{path}: cannot be read ({error}); give the CSV that the platform was calibrated from"
        ) from None
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise UsageError(f"{path}: its header has no {missing[0]}; give the CSV that the platform was calibrated from")
    if long := [number for number, row in enumerate(rows, start=1) if None in row]:
        raise UsageError(f"{path}: its row {long[0]} has more cells than its header; correct it")
    return columns, rows


def _span(dates: Sequence[str]) -> str:
    """From the first of the dates to today; what is no ISO date is left out."""
    today = datetime.now(UTC).date().isoformat()
    first = min((date[:10] for date in dates if date[:4].isdigit()), default=today)
    return today if first == today else f"{first} to {today}"
