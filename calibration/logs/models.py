"""Logs of tools that time one model a call: NETWORK=LOG pairs -> samples.

Such a log does not name a network of the zoo, so whoever gives it does: `zoo:mobilenet_v2=mbv2.txt` or
`model.onnx=model.txt`. The rest is read from the log, and must not contradict what is said of the network.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from calibration import networks
from calibration.dataset import LARGEST_BATCH, LONGEST, SHORTEST, BadRow, Dataset, Sample
from calibration.logs.lines import read_lines
from calibration.logs.measured import Measured, origin
from calibration.physics import Processor
from costmodel.errors import CostModelError, UsageError
from costmodel.zoo.options import clip

Shape = tuple[int, ...]
T = TypeVar("T")

_LARGEST_SIZE = 2**24
_OWN_BATCH = re.compile(r", *batch *=")


@dataclass(frozen=True, slots=True)
class Timing:
    """What one log says. latency: seconds of the whole batch. line: where that stands.

    threads 0, batch and processor None, texts "" and shapes (): not said. shapes: of inputs by name, as N x C x H x W.
    notes: what else to know, without the file's name.
    """

    latency: float
    line: int
    threads: int = 0
    precision: str = ""
    batch: int | None = None
    shapes: tuple[tuple[str, Shape], ...] = ()
    processor: Processor | None = None
    device: str = ""
    runtime_version: str = ""
    date: str = ""
    notes: tuple[str, ...] = ()


class UnusableLogError(Exception):
    """A log without a time that can be used: the line (0: the whole file), what is wrong, and what to do."""

    def __init__(self, line: int, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.line, self.problem, self.remedy = line, problem, remedy


@dataclass(frozen=True, slots=True)
class Pair:
    """A network, and the log of its runs."""

    network: str
    file: str


def pair(word: str) -> Pair:
    """`zoo:mobilenet_v2,width=0.75=mbv2.txt` as a pair: the log is what follows the last = (or names a file).

    Raises UsageError where there is no network or no log.
    """
    places = [place for place, letter in enumerate(word) if letter == "="]
    if not places:
        raise UsageError(f"{clip(word)}: of which network? Write NETWORK=LOG, such as zoo:mobilenet_v2={clip(word)}")
    cut = next((place for place in places if os.path.isfile(word[place + 1 :])), places[-1])
    network, file = word[:cut], word[cut + 1 :]
    if not network or not file or (network.startswith("zoo:") and not os.path.isfile(file)):
        raise UsageError(
            f"{clip(word)}: {clip(file) or 'its log'} is no file; write NETWORK=LOG, such as "
            "zoo:mobilenet_v2,width=0.75=mbv2.txt"
        )
    return Pair(network, file)


def read(
    tool: str, words: Sequence[str], parse: Callable[[Sequence[str]], Timing], *, skip_bad: bool = False
) -> Measured:
    """The measurements of one log a network, the fastest where logs measure the same.

    parse: the lines of a log -> what it says, or UnusableLogError. skip_bad: leave logs that cannot be used out, and
    list them. Raises UsageError for logs of several devices, and otherwise for a log that cannot be used.
    """
    pairs = list(map(pair, words))
    _check_distinct(pairs)
    found: list[tuple[Sample, Timing]] = []
    bad: list[BadRow] = []
    for one in pairs:
        try:
            timing = parse(read_lines(one.file, tool))
            found.append((_sample(tool, one, timing), timing))
        except UnusableLogError as error:
            bad.append(BadRow(one.file, error.line, error.problem, error.remedy))
    if bad and not (skip_bad and found):
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        option = "" if skip_bad else ", or leave such logs out with --skip-bad"
        raise UsageError(f"{bad[0]}{option}{more}")
    timings = [timing for _, timing in found]
    samples, notes = _fastest([sample for sample, _ in found])
    notes += [f"{sample.file}: {note}" for sample, timing in found for note in timing.notes]
    versions = _stated(timing.runtime_version for timing in timings)
    if len(versions) > 1:
        notes.append(f"{pairs[0].file}: the logs are of several versions of the runtime: {', '.join(versions)}.")
    return Measured(
        Dataset(samples, tuple(bad), tuple(notes)),
        origin(tool, [Path(sample.file).name for sample in samples]),
        _one(found, "processor", lambda timing: timing.processor),
        device=_one(found, "device", lambda timing: timing.device or None) or "",
        runtime_version=", ".join(versions),
        date=max((timing.date for timing in timings), default=""),
    )


def _check_distinct(pairs: Sequence[Pair]) -> None:
    """A log is of one network: the same for another is a slip."""
    seen: dict[Path, str] = {}
    for one in pairs:
        network = seen.setdefault(Path(one.file).resolve(), one.network)
        if network != one.network:
            raise UsageError(f"{one.file}: it is given for {network} and for {one.network}; a log is of one network")


def _sample(tool: str, one: Pair, timing: Timing) -> Sample:
    """Raises UnusableLogError where the network cannot be what the log measured."""
    if not SHORTEST <= timing.latency <= LONGEST:
        raise UnusableLogError(timing.line, f"its time is {timing.latency * 1e3:g} ms", "run it again")
    if any(not 0 < size <= _LARGEST_SIZE for _, shape in timing.shapes for size in shape):
        raise UnusableLogError(0, f"it ran an input of {_size(timing.shapes)}", "run it with sizes above 0")
    if timing.batch is not None and not 0 < timing.batch <= LARGEST_BATCH:
        raise UnusableLogError(0, f"it ran a batch of {timing.batch}", f"run it with 1 to {LARGEST_BATCH}")
    zoo = one.network.startswith("zoo:")
    if not zoo and one.network.endswith(".onnx") and not Path(one.network).is_file():
        raise UnusableLogError(0, f"{one.network}: no such file", "give the model that it measured")
    size = "" if zoo else _size(timing.shapes)
    try:
        network, stated = networks.resolve(one.network, Path(), None if zoo or size else timing.batch, size)
    except CostModelError as error:
        problem, _, remedy = str(error).partition("; ")
        raise UnusableLogError(0, problem, remedy or "write zoo:NAME or the path of a .onnx file") from error
    batch = timing.batch or stated
    if batch != stated and (not zoo or _OWN_BATCH.search(one.network)):
        raise UnusableLogError(0, f"it ran a batch of {batch}, and {one.network} has {stated}", "correct the network")
    sample = Sample(
        network,
        timing.latency,
        batch,
        size,
        threads=timing.threads,
        precision=timing.precision,
        source=f"{tool} log {Path(one.file).name}",
        file=one.file,
        line=timing.line,
    )
    if zoo and len(timing.shapes) == 1:
        _check_input(sample, timing.shapes[0][1])
    return sample


def _check_input(sample: Sample, ran: Shape) -> None:
    graph = networks.graph(sample.network, sample.batch)
    shape = graph.tensors[graph.inputs[0]].shape
    if shape != ran:
        takes = "x".join(map(str, shape or ()))
        raise UnusableLogError(
            0,
            f"it ran an input of {'x'.join(map(str, ran))}, and {sample.network} takes {takes}",
            f"write its size into the network, such as {sample.network.partition(',')[0]},resolution=256",
        )


def _size(shapes: Sequence[tuple[str, Shape]]) -> str:
    """As the column `input` of a data CSV has it."""
    texts = ["x".join(map(str, shape)) for _, shape in shapes]
    if len(texts) == 1:
        return texts[0]
    return " ".join(f"{name}={text}" for (name, _), text in zip(shapes, texts, strict=True))


def _fastest(samples: Sequence[Sample]) -> tuple[tuple[Sample, ...], list[str]]:
    """One sample for what was measured several times, and a note for each."""
    best: dict[tuple[object, ...], Sample] = {}
    notes: dict[str, None] = {}
    for sample in samples:
        key = (sample.network, sample.batch, sample.input, sample.threads, sample.precision)
        first = best.setdefault(key, sample)
        if first is not sample:
            notes[f"{sample.network}: it was measured more than once; the fastest was taken."] = None
            best[key] = min(first, sample, key=lambda one: one.latency)
    return tuple(best.values()), list(notes)


def _one(found: Sequence[tuple[Sample, Timing]], what: str, value: Callable[[Timing], T | None]) -> T | None:
    """The value that all logs which state one agree in."""
    first: tuple[str, T] | None = None
    for sample, timing in found:
        stated = value(timing)
        if stated is None:
            continue
        if first is not None and first[1] != stated:
            raise UsageError(
                f"{sample.file}: its {what} is {stated}, and that of {first[0]} is {first[1]}; a profile is of one "
                "platform: give its logs only"
            )
        first = first or (sample.file, stated)
    return first[1] if first else None


def _stated(texts: Iterable[str]) -> list[str]:
    return sorted({text for text in texts if text})
