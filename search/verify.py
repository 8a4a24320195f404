"""Designs timed on this machine, in turn, beside what was predicted of them.

The machinery is that of `costmodel measure`: visits to every network in rounds, a reference workload around each of
them, disturbed visits thrown away, the lower quartile of the rest (calibration/measure). It is the one place of this
package that measures. What is timed is the built network: where torch is installed, the ONNX model with the weights
of its module (search/exporting.py).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from calibration.measure.backend import Backend as Backend  # of whoever is to measure
from calibration.measure.backend import Ready, RefusedError
from calibration.measure.campaign import ANEW, REFERENCE, Item, Show, measure
from calibration.measure.machine import machine
from calibration.measure.onnxruntime import OnnxRuntime
from calibration.measure.store import Store
from calibration.measure.timing import RULES, Clock, Rules, fastest, mean
from calibration.measure.torch import Torch
from calibration.measure.visits import by_item, floor, is_calm, low, usual_reference
from calibration.measure.visits import measured as known_of
from costmodel import zoo
from costmodel.errors import UsageError
from costmodel.platforms import Platform
from costmodel.predictor import COVERAGE, Estimate, predict
from costmodel.zoo.options import clip
from search.design import WIDTHS, Design, standard

BACKENDS: dict[str, Callable[[int, int], Backend]] = {  # by threads and seed
    "onnxruntime": lambda threads, seed: OnnxRuntime(threads, seed),
    "torch": lambda threads, seed: Torch("cpu", threads, seed=seed),
}
BUDGET = 60.0  # seconds

Subject = Design | str  # a design; zoo:NAME[,key=value...]; the path of a .onnx file


@dataclass(frozen=True)
class Measured:
    """What the clock said of a network.

    seconds: of one run of the whole batch, the lower quartile of the visits that count. spread: (median of these -
    seconds) / seconds. rounds: seconds of each visit, None for those that were disturbed; what was measured with it was
    visited in the same rounds. repeatability: relative difference that nine in ten networks of the set stay within
    between two measurements; None where there were too few visits to tell.
    """

    network: str
    seconds: float
    spread: float
    rounds: tuple[float | None, ...]
    repeatability: float | None


@dataclass(frozen=True)
class Ratio:
    """How many times as fast one network is as another: the median over the rounds in which both were visited and
    undisturbed, with its lower and upper quartile, and how many rounds those are."""

    times: float
    low: float
    high: float
    rounds: int


def measured(
    subjects: Sequence[Subject],
    backend: str | Backend = "onnxruntime",
    threads: int = 1,
    batch: int = 1,
    *,
    budget: float = BUDGET,
    seed: int = 0,
    into: Path | None = None,
    rules: Rules = RULES,
    clock: Clock = perf_counter,
    show: Show = lambda done, of, seconds: None,
) -> tuple[Measured, ...]:
    """Networks timed in turn, in the order given; one that is given twice is measured once.

    backend: one of BACKENDS, or a ready one. budget: seconds that it may take. into: a data CSV to write, with its
    journal beside it, from which the same call goes on. Raises UsageError for what cannot be measured, and where the
    budget did not suffice for one visit to each.
    """
    runtime = backend_named(backend, threads, seed) if isinstance(backend, str) else backend
    with tempfile.TemporaryDirectory(prefix="costmodel-") as folder:
        items = [_item(subject, runtime, batch, Path(folder)) for subject in subjects]
        settings = {
            "backend": runtime.name,
            "mode": "",
            "threads": threads,
            "precision": "fp32",
            "seed": seed,
            "items": {item.network: item.batch for item in items},
            **{f"checksum of {item.network}": _checksum(item.path) for item in items if item.path},
        }
        with Store(into or Path(folder) / "measured.csv", settings) as store:
            store.begin(machine(runtime.name, runtime.versions, runtime.blocks))
            outcome = measure(items, runtime, store, budget=budget, seed=seed, clock=clock, rules=rules, show=show)
            for network, reason in outcome.refused.items():
                raise UsageError(f"{clip(network)}: {runtime.name} does not run it: {clip(reason)}; leave it out")
            if outcome.unreached:
                raise UsageError(
                    f"{clip(outcome.unreached[0])}: {budget:g} s were over before it was measured; give more time"
                )
            found = _results(store)
    return tuple(found[item.network] for item in items)


def _results(store: Store) -> dict[str, Measured]:
    usual, seen, repeatability = usual_reference(store.visits), by_item(store.visits), floor(store.visits)
    result = {}
    for network, visits in seen.items():
        one = known_of(visits, usual)
        rounds = tuple(visit.best if is_calm(visit, usual) else None for visit in visits)
        result[network] = Measured(network, one.latency, one.spread, rounds, repeatability)
    return result


def times_as_fast(one: Measured, other: Measured) -> Ratio:
    """How many times as fast `one` is as `other`, which was measured with it.

    Where they share no undisturbed round, the ratio of their latencies, without a range.
    """
    pairs = [b / a for a, b in zip(one.rounds, other.rounds, strict=False) if a is not None and b is not None]
    if len(pairs) < 2:
        ratio = other.seconds / one.seconds
        return Ratio(ratio, ratio, ratio, len(pairs))
    lower, middle, upper = quantiles(pairs, n=4, method="inclusive")
    return Ratio(middle, lower, upper, len(pairs))


def backend_named(name: str, threads: int = 1, seed: int = 0) -> Backend:
    """A runtime of this machine, ready to measure. Raises UsageError for one that there is not, or not installed."""
    if name not in BACKENDS:
        raise UsageError(f"backend {clip(name)!r}: there is no such; there are {', '.join(BACKENDS)}")
    return BACKENDS[name](threads, seed)


def backend_of(platform: Platform, seed: int = 0) -> Backend:
    """What measures a platform's latencies here. Raises UsageError where nothing here can be what it is."""
    if platform.runtime not in BACKENDS or platform.precision != "fp32" or platform.threads < 1:
        raise UsageError(
            f"{platform.id}: it cannot be measured here, which takes a CPU with {' or '.join(BACKENDS)} in fp32; give "
            "a profile of this machine (costmodel measure, costmodel calibrate)"
        )
    backend = backend_named(platform.runtime, platform.threads, seed)
    profile, here = platform.machine.blocks, backend.blocks
    if profile is not None and here is not None and profile != here:
        raise UsageError(
            f"{platform.id}: its processor works in blocks of {profile} channels and this one in blocks of {here}; "
            "measure and calibrate a profile of this machine"
        )
    return backend


def nearest_standard(design: Design) -> float:
    """The width of Table 5 whose network is nearest in mult-adds, as a ratio."""
    own = design.mult_adds

    def distance(width: float) -> float:
        other = standard(width).mult_adds
        return max(own, other) / min(own, other)

    return min(WIDTHS, key=distance)


@dataclass(frozen=True)
class Row:
    """A network, predicted and measured. name: as tables call it. predicted: None where nothing predicts."""

    name: str
    predicted: Estimate | None
    measured: Measured

    @property
    def inside(self) -> bool:
        """Whether the measured latency is within the predicted interval."""
        return self.predicted is not None and self.predicted.low <= self.measured.seconds <= self.predicted.high

    @property
    def error(self) -> float | None:
        """(predicted - measured) / measured."""
        return None if self.predicted is None else float(self.predicted.seconds) / self.measured.seconds - 1


@dataclass(frozen=True)
class Verification:
    """A design beside the nearest width of Table 5, predicted and measured.

    rows: the design; and the width, unless the design is that. speed_up: over the width, measured. platform: that
    predicts, None where nothing does. processor, backend: that measured, with its version. origin: what it ran.
    """

    design: Design
    width: float
    rows: tuple[Row, ...]
    speed_up: Ratio | None
    platform: Platform | None
    processor: str
    backend: str
    threads: int
    batch: int
    origin: str

    @property
    def predicted_speed_up(self) -> float | None:
        """Over the width."""
        if self.platform is None or len(self.rows) < 2:
            return None
        own, other = (row.predicted for row in self.rows)
        return float(other.seconds / own.seconds) if own is not None and other is not None else None


def verify(
    design: Design,
    platform: Platform | None = None,
    *,
    backend: str | Backend = "onnxruntime",
    threads: int = 1,
    batch: int = 1,
    budget: float = BUDGET,
    seed: int = 0,
    coverage: float = COVERAGE,
    rules: Rules = RULES,
    clock: Clock = perf_counter,
    show: Show = lambda done, of, seconds: None,
) -> Verification:
    """The design and the nearest width of Table 5, with as many classes, measured in turn. Raises as measured does."""
    runtime = backend_named(backend, threads, seed) if isinstance(backend, str) else backend
    width = nearest_standard(design)
    other = replace(standard(width), classes=design.classes)
    named = {"design": design} if design == other else {"design": design, f"{width:g}x": other}
    found = measured(
        list(named.values()), runtime, threads, batch, budget=budget, seed=seed, rules=rules, clock=clock, show=show
    )
    rows = tuple(
        Row(name, None if platform is None else predict(one.graph(batch), platform, coverage=coverage).latency, clocked)
        for (name, one), clocked in zip(named.items(), found, strict=True)
    )
    return Verification(
        design,
        width,
        rows,
        times_as_fast(found[0], found[1]) if len(found) > 1 else None,
        platform,
        str(machine(runtime.name, runtime.versions).get("cpu", "this machine")),
        f"{runtime.name} {runtime.versions.get(runtime.name, '')}".strip(),
        threads,
        batch,
        _origin(runtime),
    )


_QUICK = replace(RULES, visits=5, most=15)


def measurer(
    platform: Platform,
    *,
    batch: int = 1,
    seed: int = 0,
    backend: Backend | None = None,
    rules: Rules = _QUICK,
    clock: Clock = perf_counter,
) -> Callable[[Design], float]:
    """A function that times one design after the other, for a search that measures: seconds of a run.

    A design takes a second or two. The reference workload runs before and after each of its visits: those that were
    disturbed are repeated, and where the machine has become slower or faster since the first design, by the fastest run
    of that workload, the seconds are as they would have been then. It can be sent to another process, which begins
    anew. backend: the platform's own here if None. Raises UsageError for a platform that cannot be measured here; the
    function does for a design that the runtime refuses.
    """
    return _Measurer(platform, batch, seed, rules, clock, backend or backend_of(platform, seed))


class _Measurer:
    def __init__(
        self, platform: Platform, batch: int, seed: int, rules: Rules, clock: Clock, backend: Backend | None = None
    ) -> None:
        self._how = (platform, batch, seed, rules, clock)
        self._batch, self._rules, self._clock = batch, rules, clock
        self._backend = backend or backend_of(platform, seed)
        self._means: list[float] = []  # of the reference workload: what interrupts shows in them
        self._first: float | None = None  # its fastest run, when the first design was measured
        self._reference: Ready | None = None

    def __reduce__(self) -> tuple[type[_Measurer], tuple[Platform, int, int, Rules, Clock]]:
        return type(self), self._how

    def __call__(self, design: Design) -> float:
        with tempfile.TemporaryDirectory(prefix="costmodel-") as folder:
            item = _item(design, self._backend, self._batch, Path(folder))
            try:
                visits = self._visits(item)
            except RefusedError as error:
                name = self._backend.name
                raise UsageError(f"{clip(item.network)}: {name} does not run it: {clip(str(error))}") from None
        usual = median(self._means)
        counting = [one for one in visits if is_calm(one, usual)] or visits
        now = median(one.reference for one in counting)
        self._first = self._first or now
        return low([one.best for one in counting]) * self._first / now

    def _visits(self, item: Item) -> list[_Timed]:
        """Visits to a network until enough of them were undisturbed. Raises RefusedError where it does not run."""
        rules, clock = self._rules, self._clock
        reference = self._reference = self._reference or self._backend.prepare(REFERENCE, "", 1)
        visits: list[_Timed] = []
        while len(visits) < rules.most:
            if len(visits) % ANEW == 0:
                ready = self._backend.prepare(item.network, item.path, item.batch)
            before = mean(reference.run, clock, rules)
            best, fastest_reference = fastest(ready.run, clock, rules)[0], fastest(reference.run, clock, rules)[0]
            after = mean(reference.run, clock, rules)
            self._means += [before, after]
            visits.append(_Timed(best, fastest_reference, before, after))
            usual = median(self._means)
            if sum(is_calm(one, usual) for one in visits) >= rules.visits:
                break
        return visits


@dataclass(frozen=True)
class _Timed:
    """A visit. best, reference: the fastest run of the network and of the reference workload; before, after: mean
    seconds of the latter."""

    best: float
    reference: float
    before: float
    after: float


def _item(subject: Subject, backend: Backend, batch: int, folder: Path) -> Item:
    """A subject as the measuring machinery takes it; a design's model is written into the folder."""
    if isinstance(subject, Design):
        return Item(subject.reference, batch, _model(subject, backend, batch, folder))
    if subject.startswith(zoo.PREFIX):
        return Item(zoo.load(subject).name, batch)
    if not os.path.isfile(subject):
        raise UsageError(f"{clip(subject)}: no such model; give a design, zoo:NAME, or the path of a .onnx file")
    return Item(subject, batch, subject)


def _builds(backend: Backend) -> bool:
    """Whether a backend runs a model that is built in PyTorch, and not one that it makes of a design's operators."""
    return backend.name == "onnxruntime" and find_spec("torch") is not None


def _origin(backend: Backend) -> str:
    if _builds(backend):
        return "the network built in PyTorch, as an ONNX model with its weights"
    missing = "; torch is not installed" if backend.name == "onnxruntime" else ""
    return f"the design's operators as {backend.name} runs them, with random weights{missing}"


def _model(design: Design, backend: Backend, batch: int, folder: Path) -> str:
    """The path of the built network's ONNX model; "" where the backend makes its own of the design's operators."""
    if not _builds(backend):
        return ""
    from search.exporting import built, onnx_bytes

    content = onnx_bytes(built(design), batch)
    path = folder / f"{hashlib.sha256(content).hexdigest()[:16]}.onnx"
    path.write_bytes(content)
    return str(path)


def _checksum(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
