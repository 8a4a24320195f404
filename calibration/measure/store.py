"""What was measured, on disk: a journal that a killed run goes on from, and the data CSV that follows from it.

The journal, DATA.passes.jsonl beside DATA.csv, has one JSON object a line, each written whole, flushed and synced:

1. the settings, on the first line: what must be the same for a run to go on;
2. `{"start": ...}`, the machine and the date, each time that a run begins or goes on;
3. `{"visit": ...}`, one for each visit, and `{"profile": ...}`, one for each profile.

A last line that a killed run left unfinished is cut off. The CSV is written anew, whole or not at all, from the
visits: it never has a network twice, and is as good as what was measured so far. So is DATA.kernels.csv, the times of
kernels, where there are profiles.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from calibration import kernel_times
from calibration.dataset import HOW
from calibration.measure.profile import Anchored, Profile, anchored, chosen
from calibration.measure.visits import Measured, Visit, by_item, measured, usual_reference
from costmodel.errors import UsageError
from costmodel.writing import write_whole
from costmodel.zoo.options import clip

SCHEMA = "costmodel.measure/1"
KERNEL_COLUMNS = (*kernel_times.COLUMNS, "overhead_ms", "scale")
COLUMNS = ("network", "latency_ms", "batch", "threads", "precision", "source", *HOW)

_SAME_MACHINE = ("cpu", "gpu", "runtime", "runtime_version")  # what of a start no run may go on without


class Store:
    """A data CSV with its journal, locked against a second run while open.

    settings: backend, mode (how it runs, where not as usual), threads, precision, items (the batch of each network, by
    its reference) and what else must be the same for a run to go on. visits, profiles: all that the journal has. Raises
    UsageError for files that cannot be written, that someone else wrote, or of a measurement with other settings.
    """

    def __init__(self, target: Path, settings: Mapping[str, Any]) -> None:
        self.target, self.journal = target, target.parent / f"{target.stem}.passes.jsonl"
        self.settings: dict[str, Any] = json.loads(json.dumps({"schema": SCHEMA, **settings}))
        self.kernels = kernel_times.beside(target)
        self.visits: list[Visit] = []
        self.profiles: list[Profile] = []
        self.starts: list[dict[str, Any]] = []
        try:
            self._check_target()
            fresh = not self.journal.exists()
            self._file = open(self.journal, "ab", buffering=0)  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise self._unwritable(error) from error
        locked = False
        try:
            _lock(self._file.fileno(), self.journal)
            locked = True
            self._read()
        except BaseException:
            self._file.close()
            if fresh and locked:  # otherwise it is the journal of another run, which began just now
                self.journal.unlink()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def begin(self, machine: Mapping[str, Any]) -> None:
        """Note the machine that measures from here on. Raises UsageError where it is another than before."""
        for key in _SAME_MACHINE if self.starts else ():
            before, now = self.starts[0].get(key), machine.get(key)
            if before != now:
                raise UsageError(
                    f"{self.target}: it was measured with {key} {clip(str(before))}, and this is {clip(str(now))}; "
                    "give another file"
                )
        self._append({"start": dict(machine)})
        self.starts.append(dict(machine))

    def add(self, visit: Visit) -> None:
        """Append a visit; it is on disk when this returns."""
        self._append({"visit": asdict(visit)})
        self.visits.append(visit)

    def add_profile(self, profile: Profile) -> None:
        """Append a profile; it is on disk when this returns."""
        self._append({"profile": asdict(profile)})
        self.profiles.append(profile)

    def publish(self) -> None:
        """Write the CSV, a row for each network that has been visited, and that of the kernels of those profiled."""
        if not self.visits:
            return
        try:
            write_whole(Path(os.path.realpath(self.target)), _table(self.rows(), self.settings, self.starts))
            if self.profiles:
                write_whole(Path(os.path.realpath(self.kernels)), _kernel_table(self.anchored(), self.settings))
        except OSError as error:
            raise self._unwritable(error) from error

    def rows(self) -> list[Measured]:
        """What is known of each network that has been visited, in the order of the settings."""
        usual, seen = usual_reference(self.visits), by_item(self.visits)
        return [measured(seen[item], usual) for item in self.settings["items"] if item in seen]

    def anchored(self) -> list[Anchored]:
        """The kernels of each network that has a calm profile, in the order of the settings."""
        usual, seen = usual_reference(self.visits), by_item(self.profiles)
        found = ((row, chosen(seen.get(row.item, ()), usual)) for row in self.rows())
        return [anchored(profile, row.latency) for row, profile in found if profile is not None]

    @property
    def profiling(self) -> float:
        """Seconds that the profiles took."""
        return sum(profile.took for profile in self.profiles)

    def _check_target(self) -> None:
        """Refuse what is no file, and rows that the journal beside them does not explain."""
        name, folder = self.target, self.target.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            why = "no right to write there" if folder.is_dir() else "no such folder"
            raise UsageError(f"-o {name}: cannot be written ({why}: {folder}); give another file")
        if self.kernels.exists() and not self.journal.exists():
            raise UsageError(
                f"-o {name}: {self.kernels.name} is there, without the {self.journal.name} that says how it was "
                "measured; give another file, or move it away"
            )
        if not name.exists():
            return
        if not name.is_file():
            raise UsageError(f"-o {name}: it is no regular file; give the name of a CSV file to be")
        before = self._settings_before()
        if not self.journal.exists() or (name.stat().st_size and before is None):
            raise UsageError(
                f"-o {name}: it is there, without the {self.journal.name} that says how it was measured; "
                "give another file, or move it away"
            )
        try:
            text = name.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"-o {name}: it cannot be read ({error}); give another file") from error
        header, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
        strangers = [row[0] for row in rows if row and row[0] not in self.settings["items"]]
        if text and tuple(header) != COLUMNS:
            raise UsageError(f"-o {name}: its columns are not those of a measurement; give another file")
        if strangers and before == self.settings:  # of other settings _read says what differs
            raise UsageError(
                f"-o {name}: its row of {clip(strangers[0])} was not measured by this command; "
                "move such rows to a file of their own"
            )

    def _settings_before(self) -> Any:
        """The first line of the journal; None where there is none, or no whole one."""
        with suppress(OSError, ValueError), open(self.journal, "rb") as file:
            line = file.readline()
            return json.loads(line) if line.endswith(b"\n") else None
        return None

    def _read(self) -> None:
        data = self.journal.read_bytes()
        lines = data.split(b"\n")
        whole = lines[:-1]  # what follows the last line break is torn, or nothing
        for number, line in enumerate(whole, start=1):
            try:
                self._take(json.loads(line), first=number == 1)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                if number == len(whole):  # a disk may keep a line's length without its text
                    whole.pop()
                    break
                raise UsageError(
                    f"{self.journal}:{number}: it is damaged ({type(error).__name__}); remove it with {self.target} "
                    "to measure anew"
                ) from error
        kept = sum(len(line) + 1 for line in whole)
        try:
            if kept < len(data):
                os.truncate(self.journal, kept)
            if not whole:
                self._append(self.settings)
        except OSError as error:
            raise self._unwritable(error) from error

    def _take(self, entry: dict[str, Any], first: bool) -> None:
        if first:
            self._check_settings(entry)
        elif "start" in entry:
            self.starts.append(dict(entry["start"]))
        elif "profile" in entry:
            self.profiles.append(Profile(**entry["profile"]))
        else:
            self.visits.append(Visit(**entry["visit"]))

    def _check_settings(self, before: dict[str, Any]) -> None:
        for key, now in self.settings.items():
            if key not in before or before[key] != now:
                raise UsageError(
                    f"{self.target}: it was measured with {_setting(key, before.get(key))}, and now it is "
                    f"{_setting(key, now)}; give the same options, or another file"
                )

    def _append(self, entry: Mapping[str, Any]) -> None:
        """Raises UsageError where the disk does not take the whole line; what it took of it is cut off again."""
        line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        end = os.fstat(self._file.fileno()).st_size
        try:
            if self._file.write(line) != len(line):
                raise OSError("the disk took a part only; it may be full")
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                os.truncate(self.journal, end)
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UsageError:
        safe = len(by_item(self.visits))
        remedy = "make room, or give another file"
        if safe:
            remedy = f"what was measured of {safe} networks is safe: make room and give the same command"
        return UsageError(f"-o {self.target}: cannot be written ({error.strerror or error}); {remedy}")


def _setting(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{len(value)} other {key}, {clip(next(iter(value)))} first" if value else f"no {key}"
    return f"{key} {clip(str(value)) or 'unsaid'}"


def _table(rows: Sequence[Measured], settings: Mapping[str, Any], starts: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    version = starts[0].get("runtime_version", "") if starts else ""
    mode = f", {settings['mode']}" if settings["mode"] else ""
    source = f"costmodel measure with {settings['backend']} {version}{mode}"
    common = (settings["threads"], settings["precision"], source)
    for row in rows:
        times = [f"{seconds * 1e3:.6g}" for seconds in (row.latency, row.best, row.reference)]
        counts = (f"{row.spread:.4f}", row.visits, row.disturbed, row.runs)
        writer.writerow((row.item, times[0], settings["items"][row.item], *common, times[1], *counts, times[2]))
    return text.getvalue()


def _kernel_table(networks: Sequence[Anchored], settings: Mapping[str, Any]) -> str:
    """A row for each kernel of the networks whose profile counts."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(KERNEL_COLUMNS)
    for one in networks:
        for name, seconds in one.kernels.items() if one.counts else ():
            row = (
                one.item,
                settings["items"][one.item],
                name,
                f"{seconds * 1e3:.6g}",
                f"{one.overhead * 1e3:.6f}",
                f"{one.scale:.4f}",
            )
            writer.writerow(row)
    return text.getvalue()


def _lock(file: int, journal: Path) -> None:
    """Keep a second run away; a lock ends with its process, however that ends."""
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UsageError(f"{journal}: another run is writing it; wait for it, or give another file") from None
