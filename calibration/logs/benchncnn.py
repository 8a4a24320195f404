"""What ncnn's benchncnn prints, for the networks that the zoo holds exactly.

A run begins with a header and has a line a network, in milliseconds (benchmark/benchncnn.cpp of Tencent/ncnn, commit
009d607a; old versions print neither gpu_device nor cooling_down, commit 42ba9127):

    loop_count = 8
    num_threads = 1
    powersave = 2
    gpu_device = -1
    cooling_down = 1
              squeezenet  min =   19.53  max =   19.61  avg =   19.57

The minimum is taken, as in the measurements that come with the package: what else a phone does only adds to a time, and
the minimum of a few loops is stable to about 1 %. A log does not say whether ncnn computed in fp16.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from calibration import networks
from calibration.dataset import LARGEST_THREADS, LONGEST, SHORTEST, Dataset, Sample
from calibration.logs.lines import NUMBER, beginning, read_lines
from calibration.logs.measured import Measured, origin
from calibration.names import network_names
from costmodel.errors import UsageError
from costmodel.zoo.options import clip

TOOL = "benchncnn"

_HEADER = re.compile(r"\b(loop_count|num_threads|powersave|gpu_device|cooling_down) *= *(-?[0-9]{1,9})\s*$")
_BEGUN = re.compile(r"(?<!\S)(\S+)\s+min *= ")
_ROW = re.compile(rf"(?<!\S)(\S+)\s+min *= *({NUMBER})\s+max *= *({NUMBER})\s+avg *= *({NUMBER})\s*$")
_CORES = {
    0: "all cores allowed (powersave 0)",
    1: "little cores only (powersave 1)",
    2: "big cores only (powersave 2)",
}
_INT8 = ("_int8", "-int8")
# Networks of which the terms of a profile cannot tell the time (calibration/data/README.md says why).
_NOT_CONVOLUTIONAL = ("vision_transformer",)


@dataclass(frozen=True, slots=True)
class Time:
    """A network's line: what ncnn calls it, seconds, and where it stands."""

    name: str
    seconds: float
    line: int


@dataclass(frozen=True, slots=True)
class Run:
    """One call of benchncnn. header: what it says of itself. torn: names on lines without a usable time."""

    file: str
    header: Mapping[str, int]
    times: tuple[Time, ...]
    torn: tuple[str, ...]

    @property
    def on_gpu(self) -> bool:
        return self.header.get("gpu_device", -1) >= 0

    @property
    def threads(self) -> int:
        """0 where no header says it, or nonsense."""
        stated = self.header.get("num_threads", 0)
        return stated if 0 < stated <= LARGEST_THREADS else 0


def fits(lines: Iterable[str]) -> bool:
    """Whether these are lines of such a log."""
    return any(_ROW.search(line) or _HEADER.search(line) for line in lines)


def runs(file: str, lines: Iterable[str]) -> list[Run]:
    """Every run in a log, in its order; a run without a network is none."""
    found = [_Open()]
    for number, line in enumerate(lines, start=1):
        header, begun, row = _HEADER.search(line), _BEGUN.search(line), _ROW.search(line)
        if header:
            if found[-1].started or header[1] in found[-1].header:
                found.append(_Open())
            found[-1].header[header[1]] = int(header[2])
        elif row and _is_time(*map(float, row.group(2, 3, 4))):
            found[-1].times.append(Time(row[1], float(row[2]) / 1e3, number))
        elif begun:  # cut off, or 0 and nonsense, which ncnn prints of a network whose files are missing
            found[-1].torn.append(begun[1])
    return [Run(file, run.header, tuple(run.times), tuple(run.torn)) for run in found if run.started]


def _is_time(low: float, high: float, average: float) -> bool:
    """Whether these milliseconds can be the times of a network."""
    return SHORTEST * 1e3 <= low <= average <= high <= LONGEST * 1e3


@dataclass(slots=True)
class _Open:
    """A run of which more lines may follow."""

    header: dict[str, int] = field(default_factory=dict)
    times: list[Time] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)

    @property
    def started(self) -> bool:
        return bool(self.times or self.torn)


def read(files: Sequence[str], threads: int | None) -> Measured:
    """The minimum of each network over all runs of the logs that fit.

    threads: of the platform; runs with another number are left out. None: not asked for. Raises UsageError for a file
    that is no such log, and where no run fits or runs differ in the cores they were kept to.
    """
    every: list[Run] = []
    for file in files:
        lines = read_lines(file, TOOL)
        found = runs(file, lines)
        if not found:
            raise UsageError(f"{file}: it has no network's time; it begins {beginning(lines)}: let the run finish")
        every += found
    notes: list[str] = []
    chosen = _with_threads(_on_cpu(every, notes), threads, notes)
    cores = _cores(chosen)
    samples = _samples(chosen, notes)
    names = [Path(file).name for file in files]
    return Measured(Dataset(samples, (), tuple(notes)), origin(TOOL, names), "cpu", clock=cores)


def _on_cpu(every: Sequence[Run], notes: list[str]) -> list[Run]:
    chosen = [run for run in every if not run.on_gpu]
    if not chosen:
        raise UsageError(
            f"{every[0].file}: it ran on a GPU (gpu_device = {every[0].header['gpu_device']}), and profiles of ncnn "
            "are of CPUs; run benchncnn with gpu_device -1"
        )
    if len(chosen) < len(every):
        notes.append(f"{every[0].file}: {len(every) - len(chosen)} run(s) on a GPU were left out.")
    return chosen


def _with_threads(every: Sequence[Run], threads: int | None, notes: list[str]) -> list[Run]:
    chosen = [run for run in every if not threads or run.threads in (0, threads)]
    if not chosen:
        stated = ", ".join(map(str, sorted({run.threads for run in every})))
        raise UsageError(
            f"{every[0].file}: it ran with {stated} thread(s), and the platform has {threads}; correct the --id and "
            "--threads, or run it with as many"
        )
    if len(chosen) < len(every):
        notes.append(
            f"{every[0].file}: {len(every) - len(chosen)} run(s) with other threads than {threads} were left out."
        )
    return chosen


def _cores(chosen: Sequence[Run]) -> str:
    """Which cores the runs were kept to, in words."""
    stated = sorted({run.header["powersave"] for run in chosen if "powersave" in run.header})
    if len(stated) > 1:
        raise UsageError(
            f"{chosen[0].file}: its runs differ in powersave ({', '.join(map(str, stated))}), which says the cores; "
            "keep the runs of one in the log"
        )
    return _CORES.get(stated[0], f"powersave {stated[0]}") if stated else ""


def _samples(chosen: Sequence[Run], notes: list[str]) -> tuple[Sample, ...]:
    """The fastest time of each network that the zoo has; what is left out goes into the notes."""
    known = network_names("ncnn")
    best: dict[tuple[str, int], Sample] = {}
    counted: dict[tuple[str, int], int] = {}
    left_out: dict[str, dict[str, None]] = {}
    for run in chosen:
        for time in run.times:
            why = _reason(time.name, known)
            if why:
                left_out.setdefault(why, {})[time.name] = None
                continue
            network = networks.resolve(known[time.name], Path(), None, "")[0]
            sample = Sample(
                network,
                time.seconds,
                threads=run.threads,
                source=f"{TOOL} log {Path(run.file).name}",
                file=run.file,
                line=time.line,
            )
            key = (network, run.threads)
            best[key] = min(best.get(key, sample), sample, key=lambda one: one.latency)
            counted[key] = counted.get(key, 0) + 1
        for name in run.torn:
            left_out.setdefault("cut off, or without a time above 0", {})[name] = None
    file = chosen[0].file
    if not best:
        raise UsageError(f"{file}: no network of it can be used ({_listed(left_out)}); run benchncnn with its networks")
    if max(counted.values()) > 1:
        notes.append(f"{file}: of networks that it times more than once the minimum was taken.")
    if left_out:
        notes.append(f"{file}: {sum(map(len, left_out.values()))} network(s) left out: {_listed(left_out)}.")
    return tuple(best.values())


def _reason(name: str, known: Mapping[str, str]) -> str:
    """Why a network is left out; "" for one that is taken."""
    if name.endswith(_INT8):
        return "int8"
    if name in _NOT_CONVOLUTIONAL:
        return "not of convolutions"
    return "" if name in known else "not in the zoo as ncnn has it"


def _listed(left_out: Mapping[str, Iterable[str]]) -> str:
    return "; ".join(f"{why}: {', '.join(map(clip, names))}" for why, names in left_out.items())
