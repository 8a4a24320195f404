"""Search, measure the best, calibrate with what was measured, and search again, until prediction and clock agree.

A search picks the designs whose latency the predictor underestimates most; their measurements are what it lacks.
Prediction and clock agree on a design that was measured within its interval and within AGREEMENT of its prediction;
rounds end when they agree on each of the best.

A machine is not always as fast as when its data was measured. So networks of the data run in turn with the designs, and
what these take is divided by how many times as long as then those take now.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from costmodel.cli import main
from costmodel.errors import UsageError
from costmodel.platforms import Platform, load_profile
from costmodel.predictor import Estimate
from search.design import Design
from search.refined_data import RefinedData
from search.result import Result
from search.verify import BUDGET, Backend, Subject, backend_of, measured

AGREEMENT = 0.05  # of the measured latency
BEST = 5
CONTROLS = 5  # networks of the data
LARGEST_DRIFT = 1.25  # beyond, or as far below 1, it is not the machine that it was

Search = Callable[[Platform], Result]
Clocked = Callable[[Sequence[Subject]], Sequence[float]]


@dataclass(frozen=True)
class Trial:
    """A design that was found, with its latency as predicted when it was found, and the seconds it was measured at, as
    the machine was when the data was measured."""

    design: Design
    predicted: Estimate
    seconds: float

    @property
    def error(self) -> float:
        """(predicted - measured) / measured."""
        return float(self.predicted.seconds) / self.seconds - 1

    @property
    def inside(self) -> bool:
        """Whether it was measured within its interval."""
        return bool(self.predicted.low <= self.seconds <= self.predicted.high)

    @property
    def agrees(self) -> bool:
        """Whether prediction and clock agree: within the interval, and within AGREEMENT."""
        return self.inside and abs(self.error) <= AGREEMENT


@dataclass(frozen=True)
class Round:
    """What the clock says of a search's best designs.

    number: from 1. drift: how many times as long as when the data was measured everything took; None where nothing was
    measured, or the data has nothing to measure again.
    """

    number: int
    drift: float | None
    trials: tuple[Trial, ...]

    @property
    def agrees(self) -> bool:
        """Whether prediction and clock agree on all of them."""
        return all(trial.agrees for trial in self.trials)

    @property
    def error(self) -> float:
        """The mean of the errors, without their signs."""
        return sum(abs(trial.error) for trial in self.trials) / len(self.trials)


@dataclass(frozen=True)
class Refinement:
    """How it went. platform, result: of the last search. data, profile: the files that this platform comes from; None
    where the first predictions agreed already."""

    rounds: tuple[Round, ...]
    platform: Platform
    result: Result
    data: Path | None
    profile: Path | None


def refine(
    search: Search,
    platform: Platform,
    data: Path,
    rounds: int,
    best: int = BEST,
    *,
    into: Path | None = None,
    batch: int = 1,
    budget: float = BUDGET,
    seed: int = 0,
    prior: str = "auto",
    clocked: Clocked | None = None,
    show: Callable[[Round], None] = lambda done: None,
) -> Refinement:
    """Rounds of searching and measuring the `best` designs, until they agree or after `rounds` of them.

    search: what is best if the platform is so. data: the CSV that the platform was calibrated from; it stays as it is.
    into: a copy of it with a row for each measured design, DATA.refined.csv if None; the profile calibrated from that,
    with this prior, lies beside it and ends in .json. Both are whole at every moment, and the same call goes on from
    them: a design that has a row is not measured again. budget: seconds of measuring in a round. clocked: what measures
    designs and zoo networks in turn, in seconds; the platform's own runtime here if None. show: is told of each round.
    Raises UsageError for a platform that cannot be measured here, for files that cannot be used, where nothing keeps
    the limits, and where the machine is far from as fast as it was.
    """
    if rounds < 1 or best < 1:
        raise UsageError(f"refining takes at least one round and one design, not {rounds} and {best}")
    source = f"costmodel search --refine, {platform.runtime}"
    if clocked is None:
        backend = backend_of(platform, seed)
        clocked = _clock(backend, platform.threads, batch, budget, seed)
        source = f"{source} {backend.versions.get(backend.name, '')}".strip()
    copy = RefinedData(data, into or data.with_name(f"{data.stem}.refined.csv"), platform, batch, source)
    done: list[Round] = []
    calibrated = False
    while True:
        result = search(platform)
        if not result.best:
            raise UsageError(f"{platform.id}: no design keeps the limits, so there is none to measure; widen them")
        if len(done) == rounds:
            break
        found = result.best[:best]
        fresh = [one.design for one in found if one.design.reference not in copy.known]
        drift = _measure(fresh, float(found[0].latency[platform.id].seconds), copy, clocked) if fresh else None
        trials = (Trial(one.design, one.latency[platform.id], copy.known[one.design.reference]) for one in found)
        done.append(Round(len(done) + 1, drift, tuple(trials)))
        show(done[-1])
        if done[-1].agrees:
            break
        platform, calibrated = _calibrated(copy, platform, prior), True
    files = (copy.target, copy.profile) if calibrated else (None, None)
    return Refinement(tuple(done), platform, result, *files)


def _clock(backend: Backend, threads: int, batch: int, budget: float, seed: int) -> Clocked:
    def clocked(subjects: Sequence[Subject]) -> Sequence[float]:
        found = measured(subjects, backend, threads, batch, budget=budget, seed=seed)
        return [one.seconds for one in found]

    return clocked


def _measure(designs: Sequence[Design], seconds: float, copy: RefinedData, clocked: Clocked) -> float | None:
    """Measure designs that take about `seconds`, in turn with networks of the data, and add their rows; the drift."""
    then = copy.controls(seconds, CONTROLS)
    times = clocked([*designs, *then])
    ratios = [now / before for now, before in zip(times[len(designs) :], then.values(), strict=True)]
    drift = median(ratios) if ratios else 1.0
    if not 1 / LARGEST_DRIFT <= drift <= LARGEST_DRIFT:
        raise UsageError(
            f"{copy.data}: {len(ratios)} of its networks take {drift:.2f} times as long now; refine on the machine "
            "that it is of, as idle as then, or measure it anew"
        )
    copy.add([design.reference for design in designs], [time / drift for time in times[: len(designs)]])
    return drift if ratios else None


def _calibrated(copy: RefinedData, platform: Platform, prior: str) -> Platform:
    """The platform calibrated anew, by the command line: what it prints and notes of its own is not for here.

    Raises UsageError with what it says is wrong.
    """
    words = ["calibrate", str(copy.target), "--id", platform.id, "--runtime", platform.runtime, "--prior", prior]
    words += ["--precision", platform.precision, "--threads", str(platform.threads), "-o", str(copy.profile)]
    words += ["--device", platform.device, "--runtime-version", platform.runtime_version, "--clock", platform.clock]
    words += ["--date", copy.date]
    words += ["--platform", copy.platform] if copy.platform else []
    words += [] if platform.machine.blocks is None else ["--blocks", str(platform.machine.blocks)]
    stdout, stderr = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        status = main(words)
    if status == 130:
        raise KeyboardInterrupt
    if status:
        said = stderr.getvalue().strip().rpartition("\n")[2]
        raise UsageError(said.removeprefix("costmodel: ") or f"{copy.target}: it cannot be calibrated from")
    return load_profile(copy.profile)
