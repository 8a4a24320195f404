"""Measured latencies as data: CSV files -> samples, every row checked.

A data CSV has a header with `network` and `latency_ms`, and optionally `platform`, `batch`, `input`, `threads`,
`precision` and `source`. docs/calibration-data.md describes it with all that can be wrong.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from calibration import kernel_times, networks
from costmodel.errors import CostModelError, UsageError
from costmodel.graph import Graph
from costmodel.zoo.options import clip

REQUIRED = ("network", "latency_ms")
OPTIONAL = ("platform", "batch", "input", "threads", "precision", "source")
HOW = ("min_ms", "spread", "visits", "disturbed", "runs", "reference_ms")  # how `costmodel measure` came by a latency

SHORTEST, LONGEST = 1e-9, 3600.0  # seconds; what is outside has the wrong unit
LARGEST_BATCH, LARGEST_THREADS = 2**20, 4096

_MOST_LISTED = 8  # bad rows that one message repeats
_LONGEST_LISTED, _LONGEST_ALONE = 200, 800  # characters of a bad row in a message
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
PRECISION = re.compile(r"[a-z0-9][a-z0-9_+.-]{0,19}")


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured latency.

    network: the shortest reference to it (`zoo:mobilenet_v2,width=0.75`, without a batch), or a .onnx file's path:
    rows that measure the same network have the same. latency: seconds of the whole batch. input: the size of an ONNX
    model's input where a row states it. platform, precision, source: "" and threads: 0 where a row does not say.
    file, line: where it stands. kernels: seconds of kernels of this run that were timed by themselves, by their names.
    """

    network: str
    latency: float
    batch: int = 1
    input: str = ""
    platform: str = ""
    threads: int = 0
    precision: str = ""
    source: str = ""
    file: str = ""
    line: int = 0
    kernels: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: where it is (line 0: the file as a whole), what is wrong, and what to do."""

    file: str
    line: int
    problem: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.problem}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples of a file in its order. skipped: rows that were left out. notes: what else to know, a sentence each."""

    samples: tuple[Sample, ...]
    skipped: tuple[BadRow, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def networks(self) -> tuple[str, ...]:
        """Every network once, in the order of the file."""
        return tuple(dict.fromkeys(sample.network for sample in self.samples))


def graph(sample: Sample) -> Graph:
    """The graph of a sample's network at its batch; built once for samples that share it."""
    onnx = sample.network.endswith(".onnx")
    return networks.graph(sample.network, sample.batch, sample.input if onnx else "")


def read(path: str | Path, *, skip_bad: bool = False) -> Dataset:
    """The measurements of a data CSV, and the times of kernels in the DATA.kernels.csv beside it, if there is one.

    skip_bad: leave rows that cannot be used out, and list them in the result, instead of refusing the file.
    Raises UsageError for a file that is no data CSV or has no usable row, and for bad rows: one line that names the
    first of them with what is wrong and what to do.
    """
    file = str(path)
    reader = _Reader(file, Path(path).parent)
    samples, bad = reader.read(_text(Path(path)))
    if bad and not skip_bad:
        raise UsageError(f"{_listed(bad)}; correct the rows, or leave them out with --skip-bad")
    if not samples:
        why = _listed(bad) if bad else f"{file}: there is no row below the header; add measurements"
        raise UsageError(f"{file}: no row can be used: {why}" if bad else why)
    return _with_kernels(Dataset(tuple(samples), tuple(bad), tuple(reader.notes)), Path(path))


def _with_kernels(dataset: Dataset, path: Path) -> Dataset:
    """The dataset with the kernels beside it. Those of a network with several rows are left out."""
    if not (file := kernel_times.beside(path)).is_file():
        return dataset
    times = {}
    for (name, batch), kernels in kernel_times.read(file).networks.items():
        with suppress(CostModelError):  # a network that cannot be built has no row either
            times[networks.resolve(name, path.parent, batch, "")] = tuple(kernels.items())
    rows = Counter((sample.network, sample.batch) for sample in dataset.samples)
    chosen = {key: kernels for key, kernels in times.items() if rows[key] == 1}
    count = sum(map(len, chosen.values()))
    samples = [replace(sample, kernels=chosen.get((sample.network, sample.batch), ())) for sample in dataset.samples]
    return with_samples(dataset, samples, f"{file}: {count} kernels of {len(chosen)} networks are fitted with them.")


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror or error}); give a CSV file of measurements"
        ) from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UsageError(f"{path}: it is UTF-16; save it as UTF-8")
    if b"\0" in data:
        raise UsageError(f"{path}: it is no text (it holds zero bytes); give a CSV file of measurements")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise UsageError(f"{path}: it is empty; the first line is a header such as {','.join(REQUIRED)}")
    return text


def _listed(bad: Sequence[BadRow]) -> str:
    """Bad rows in one line: all of a few, else the first."""
    if len(bad) == 1:
        return _clipped(str(bad[0]), _LONGEST_ALONE)
    rows = [_clipped(f"line {row.line}: {row.problem}; {row.remedy}", _LONGEST_LISTED) for row in bad[:_MOST_LISTED]]
    more = f" ... and {len(bad) - _MOST_LISTED} more" if len(bad) > _MOST_LISTED else ""
    return f"{bad[0].file}: {len(bad)} bad rows: {' | '.join(rows)}{more}"


def _clipped(text: str, longest: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


class _BadCellError(Exception):
    """What is wrong with a row, and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem, self.remedy = problem, remedy


class _Reader:
    """Reads one file; keeps what is known of rows already read."""

    def __init__(self, file: str, folder: Path) -> None:
        self.file, self.folder = file, folder
        self.notes: list[str] = []
        self._seen: dict[tuple[object, ...], Sample] = {}

    def read(self, text: str) -> tuple[list[Sample], list[BadRow]]:
        samples: list[Sample] = []
        bad: list[BadRow] = []
        rows = self._rows(text)
        header = self._header(*next(rows))
        for line, cells in rows:
            try:
                samples.append(self._sample(line, self._cells(header, cells)))
            except _BadCellError as error:
                bad.append(BadRow(self.file, line, error.problem, error.remedy))
        return samples, bad

    def _rows(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """Lines with something on them, each with its number."""
        reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
        line = 1
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield line, [cell.strip() for cell in cells]
                line = reader.line_num + 1
        except csv.Error as error:
            raise UsageError(
                f"{self.file}:{line}: no CSV from here on ({error}); look for a quote that is not closed"
            ) from None

    def _header(self, line: int, names: list[str]) -> list[str]:
        if len(names) == 1 and (found := [mark for mark in (";", "\t", "|") if mark in names[0]]):
            shown = "tabs" if found[0] == "\t" else repr(found[0])
            raise UsageError(f"{self.file}:{line}: its columns are separated by {shown}; save it with commas")
        if missing := [name for name in REQUIRED if name not in names]:
            raise UsageError(
                f"{self.file}:{line}: the header is {clip(','.join(names))!r}, without {' and '.join(missing)}; "
                f"the first line names the columns: {','.join(REQUIRED)}, and optionally {','.join(OPTIONAL)}"
            )
        if twice := [name for name in (*REQUIRED, *OPTIONAL) if names.count(name) > 1]:
            raise UsageError(f"{self.file}:{line}: the column {twice[0]} is there twice; keep one")
        if others := [name for name in names if name not in (*REQUIRED, *OPTIONAL, *HOW)]:
            self.notes.append(
                f"{self.file}: columns that have no meaning here were not read: {clip(', '.join(others))}."
            )
        return names

    def _cells(self, header: list[str], cells: list[str]) -> dict[str, str]:
        if len(cells) < len(header):
            raise _BadCellError(
                f"it has {len(cells)} of {len(header)} fields", "fill in the rest, an empty one too needs its comma"
            )
        if len(cells) > len(header):
            remedy = "remove the surplus"
            if any(cell.startswith("zoo:") for cell in cells):
                remedy = 'write a reference with commas in double quotes: "zoo:mobilenet_v2,width=0.75"'
            raise _BadCellError(f"it has {len(cells)} fields where the header has {len(header)}", remedy)
        return dict(zip(header, cells, strict=True))

    def _sample(self, line: int, cells: dict[str, str]) -> Sample:
        latency = _latency(cells["latency_ms"])
        batch = _whole(cells, "batch", 1, LARGEST_BATCH)
        threads = _whole(cells, "threads", 0, LARGEST_THREADS)
        precision = cells.get("precision", "").lower()
        if precision and not PRECISION.fullmatch(precision):
            raise _BadCellError(f"precision is {clip(precision)!r}", "write a word such as fp32, fp16 or int8")
        size = (
            cells.get("input", "").lower().replace(" ", "")
            if cells["network"].startswith("zoo:")
            else cells.get("input", "")
        )
        network, batch = self._network(cells["network"], batch, size)
        sample = Sample(
            network=network,
            latency=latency,
            batch=batch,
            input="" if network.startswith("zoo:") else size,
            platform=cells.get("platform", ""),
            threads=threads or 0,
            precision=precision,
            source=cells.get("source", ""),
            file=self.file,
            line=line,
        )
        self._check_duplicate(sample)
        return sample

    def _network(self, network: str, batch: int | None, size: str) -> tuple[str, int]:
        if not network:
            raise _BadCellError("network is empty", "write zoo:NAME or the path of a .onnx file")
        try:
            return networks.resolve(network, self.folder, batch, size)
        except CostModelError as error:
            problem, _, remedy = str(error).partition("; ")
            raise _BadCellError(problem, remedy or "write zoo:NAME or the path of a .onnx file") from error

    def _check_duplicate(self, sample: Sample) -> None:
        key = (sample.network, sample.platform, sample.batch, sample.threads, sample.precision, sample.input)
        first = self._seen.setdefault(key, sample)
        if first is sample:
            return
        if first.latency == sample.latency:
            raise _BadCellError(f"it repeats line {first.line}: {sample.network}", "remove one of the two")
        times = f"{sample.latency * 1e3:g} ms here and {first.latency * 1e3:g} ms in line {first.line}"
        raise _BadCellError(
            f"{sample.network} takes {times}", "keep one row, with the median of the repeated measurements"
        )


def _latency(text: str) -> float:
    """Seconds."""
    if not _NUMBER.fullmatch(text):
        remedy = "write the milliseconds of the whole batch as a number, such as 12.34"
        if re.fullmatch(r"[0-9]+,[0-9]+", text):
            remedy = "write a decimal point instead of the comma"
        raise _BadCellError(f"latency_ms is {clip(text)!r}" if text else "latency_ms is empty", remedy)
    seconds = float(text) / 1e3
    if seconds <= 0:
        raise _BadCellError(f"latency_ms is {text}", "a latency is above 0; measure it again, or remove the row")
    if not SHORTEST <= seconds <= LONGEST:
        limit = "over an hour" if seconds > LONGEST else "under a nanosecond"
        raise _BadCellError(f"latency_ms is {clip(text)}, {limit}", "the unit is milliseconds; check it")
    return seconds


def _whole(cells: dict[str, str], column: str, lowest: int, highest: int) -> int | None:
    """A cell's whole number; None where it is empty or there is no such column."""
    text = cells.get(column, "")
    if not text:
        return None
    if not _WHOLE.fullmatch(text) or not lowest <= int(text) <= highest:
        raise _BadCellError(f"{column} is {clip(text)!r}", f"write a whole number from {lowest} to {highest}")
    return int(text)


def with_samples(dataset: Dataset, samples: Sequence[Sample], *notes: str) -> Dataset:
    """The dataset with other samples, and with more notes."""
    return replace(dataset, samples=tuple(samples), notes=(*dataset.notes, *notes))
