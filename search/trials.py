"""What a worker does: ask a study for trials, price their designs, measure them where that is wanted, and tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial

from costmodel.errors import UsageError
from search.design import Design
from search.evaluate import Evaluation, Evaluator
from search.limits import Limits
from search.sampling import ByNumber, choices, keeps, population
from search.study import Share

BATCH = 20  # trials that are asked for at once, where a design is priced in no time
SAMPLERS = ("tpe", "nsga2")
REQUIRED = "required"  # name of the limit that is the caller's own condition
LATENCY_MS = "latency_ms"  # attributes of a trial
MEASURED_MS = "measured_ms"

Judge = Callable[[Design], float]
Progress = Callable[[int, float | None], None]
Notice = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """What is searched, and how.

    seed: of the sampler, one of SAMPLERS. pareto: latencies are objectives, too. require: by how much a design exceeds
    a further limit, at most 0 where it keeps it. measure: seconds that a design takes on the platform whose id is
    `measured`. Both are asked, as is a capacity that is not additive, only for designs that keep what is known before.
    Raises UsageError for what cannot be.
    """

    evaluator: Evaluator
    limits: Limits
    seed: int
    sampler: str = "tpe"
    pareto: bool = False
    require: Judge | None = None
    measure: Judge | None = None
    measured: str | None = None

    def __post_init__(self) -> None:
        ids = [platform.id for platform in self.evaluator.platforms]
        if self.sampler not in SAMPLERS:
            raise UsageError(f"there is no sampler {self.sampler!r}; there are {', '.join(SAMPLERS)}")
        if self.seed < 0:
            raise UsageError(f"seed is {self.seed}; it takes a number from 0")
        if self.measure is not None and self.measured not in ids:
            raise UsageError(f"the measured platform is {self.measured}; give one of the search: {', '.join(ids)}")
        if self.pareto and not ids:
            raise UsageError("a Pareto front needs a platform; give one")

    @property
    def batch(self) -> int:
        """Trials to ask for at once: one where each takes long, and can teach the next."""
        capacity = self.evaluator.capacity
        slow = capacity.amount is None and not getattr(capacity.score, "vectorised", False)
        return 1 if slow or self.measure is not None else BATCH

    @property
    def directions(self) -> list[StudyDirection]:
        """Of the objectives: capacity, and seconds on each platform."""
        latencies = len(self.evaluator.platforms) if self.pareto else 0
        return [StudyDirection.MAXIMIZE] + [StudyDirection.MINIMIZE] * latencies


def work(
    task: Task, share: Share, pause: Callable[[], None], progress: Progress | None = None, notice: Notice | None = None
) -> None:
    """Run trials until the study has all of its. pause: called while the last ones are with other workers."""
    genes = choices(task.evaluator.space)
    share.study.sampler = ByNumber(task.sampler, task.seed, task.evaluator.space)
    share.take_over()
    while share.finished < share.trials:
        batch = share.ask(task.batch, genes)
        try:
            if batch:
                _run(task, share, batch, notice)
        except BaseException:
            share.give_up(batch)
            raise
        if progress is not None:
            progress(share.finished, best_so_far(share.study.get_trials(deepcopy=False)))
        if not batch:
            share.take_over()
            pause()


def best_so_far(trials: Sequence[FrozenTrial]) -> float | None:
    """The most capacity of trials that keep all limits."""
    return max((trial.values[0] for trial in trials if keeps(trial)), default=None)


@dataclass
class _Judged:
    """What became of one design.

    excesses: over each limit that was looked at. measured: seconds. error: why there is no result.
    """

    excesses: dict[str, float]
    measured: float | None = None
    error: str | None = None

    @property
    def kept(self) -> bool:
        return self.error is None and all(excess <= 0.0 for excess in self.excesses.values())


def _run(task: Task, share: Share, batch: Sequence[Trial], notice: Notice | None) -> None:
    rows = population(task.evaluator.space, [trial.params for trial in batch])
    costs = task.evaluator.costs(rows)
    outcomes = _outcomes(task, rows, costs)
    capacity = _capacity(task.evaluator, rows, costs, [outcome.kept for outcome in outcomes])
    for index, (trial, outcome) in enumerate(zip(batch, outcomes, strict=True)):
        if outcome.error is not None:
            share.fail(trial, outcome.error)
            if notice is not None:
                notice(f"trial {trial.number}: {outcome.error}")
            continue
        seconds = {name: float(estimate.seconds[index]) for name, estimate in costs.latency.items()}
        shown: dict[str, Any] = {LATENCY_MS: {name: float(f"{1e3 * value:.6g}") for name, value in seconds.items()}}
        if outcome.measured is not None and task.measured is not None:
            seconds[task.measured] = outcome.measured
            shown[MEASURED_MS] = 1e3 * outcome.measured
        values = [float(capacity[index]), *(seconds.values() if task.pareto else ())]
        share.tell(trial, values, outcome.excesses, shown)


def _outcomes(task: Task, rows: npt.NDArray[np.intp], costs: Evaluation) -> list[_Judged]:
    known = task.limits
    if task.measure is not None:
        budgets = {name: budget for name, budget in known.budgets.items() if name != task.measured}
        known = replace(known, budgets=budgets)
    excesses = known.excesses(costs)
    outcomes = [_Judged({name: float(each[index]) for name, each in excesses.items()}) for index in range(len(rows))]
    for index, outcome in enumerate(outcomes):
        if outcome.kept and (task.require is not None or task.measure is not None):
            _ask(task, task.evaluator.space.designs(rows[[index]])[0], outcome)
    return outcomes


def _ask(task: Task, design: Design, outcome: _Judged) -> None:
    """Add what takes a closer look at a design."""
    if task.require is not None:
        outcome.excesses[REQUIRED] = float(task.require(design))
    if task.measure is None or task.measured is None or not outcome.kept:
        return
    try:
        seconds = float(task.measure(design))
        if not (np.isfinite(seconds) and seconds > 0.0):
            raise ValueError(f"{seconds} seconds")
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        outcome.error = f"{design.reference} could not be measured: {why}"[:500]
        return
    outcome.measured = seconds
    budget = task.limits.budgets.get(task.measured)
    if budget is not None:
        outcome.excesses[task.measured] = seconds / budget - 1.0


def _capacity(
    evaluator: Evaluator, rows: npt.NDArray[np.intp], costs: Evaluation, kept: Sequence[bool]
) -> npt.NDArray[np.float64]:
    """(designs,); of one that is not additive, and may be a training run, 0 for designs that break a limit."""
    if evaluator.capacity.amount is not None:
        return costs.capacity
    result, chosen = np.zeros(len(rows)), np.flatnonzero(kept)
    if len(chosen):
        result[chosen] = evaluator.capacity.score(evaluator.space.designs(rows[chosen]))
    return result
