"""The best designs that Optuna finds: for spaces, capacities and measurements that no exact engine can go through.

Trials are asked for in batches, priced at once and told. What a trial's design is follows from the seed, the trial's number
and what is known when it is asked for: equal seeds give equal results with one worker, also where a run was cut in two
after a whole batch.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from costmodel.errors import UsageError
from costmodel.platforms import Platform, dumps
from costmodel.predictor import Estimate
from search.design import WIDTHS, Design, standard
from search.evaluate import Evaluation, Evaluator
from search.limits import Limits
from search.result import Candidate, Result, Step, candidates
from search.space import GENES, Population, Space, show
from search.storages import opened, optuna_module, quiet
from search.study import ERROR, PAUSE, Pulse, Settings, Share, has_ended, joined, named, worker_name

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

SAMPLERS = ("tpe", "nsga2")
BATCH = 20  # trials that are asked for at once, where a design is priced in no time
POOL = 200_000  # random designs whose best ones are the first trials: they take as long to price as a few trials to ask for
SEEDS = 20  # first trials, beside the designs of Table 5
REQUIRED = "required"  # name of the limit that a caller's own condition is
MEASURED_MS = "measured_ms"
LATENCY_MS = "latency_ms"
GENERATION = 50  # designs of a generation of NSGA-II

Rows = npt.NDArray[np.intp]
Judge = Callable[[Design], float]
Progress = Callable[[int, float | None], None]


@dataclass(frozen=True)
class Task:
    """What is searched, and how.

    require: by how much a design exceeds a further limit, at most 0 where it keeps it. measure: seconds that a design
    takes on the platform whose id is `measured`. Both are asked only of designs that keep what is known without them.
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
        if self.measure is not None and self.measured not in ids:
            raise UsageError(f"the measured platform is {self.measured!r}; give one of the search: {', '.join(ids)}")
        if self.pareto and not ids:
            raise UsageError("a Pareto front needs a platform; give one with -p or --budget")

    @property
    def batch(self) -> int:
        """Trials to ask for at once: one, where each takes long and has something to teach the next."""
        capacity = self.evaluator.capacity
        slow = self.measure or (capacity.amount is None and not getattr(capacity.score, "vectorised", False))
        return 1 if slow else BATCH

    @property
    def directions(self) -> list[str]:
        return ["maximize"] + ["minimize"] * (len(self.evaluator.platforms) if self.pareto else 0)


def optuna_search(
    evaluator: Evaluator,
    limits: Limits,
    *,
    trials: int,
    seed: int,
    sampler: str = "tpe",
    pareto: bool = False,
    storage: str | None = None,
    name: str | None = None,
    workers: int = 1,
    top: int = 10,
    require: Judge | None = None,
    measure: Judge | None = None,
    measured_platform: str | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
) -> Result:
    """The `top` designs of most capacity among `trials` that keep all limits, the best first, and with `pareto` the front.

    storage: URL of where the trials are kept (storages.FORMS), None for memory. name: of the study there; by default it
    follows from what is searched, so that the same call goes on where another ended, and joins one that is running.
    workers: processes to start here; with more than one, `require` and `measure` are functions of a module.
    require, measure: as in Task. A design whose measuring raises fails its trial. settings: what else must be the same
    for a study to go on, such as what `require` asks. progress: called with the trials that have ended and the most
    capacity so far. notice: called with a sentence about a worker that died, or a design that could not be measured.

    Raises UsageError where no trial keeps the limits, for a storage that cannot be used, and for a study of other
    settings. What was told before an error or Ctrl-C is kept in the storage.
    """
    for what, number in (("trials", trials), ("workers", workers)):
        if number < 1:
            raise UsageError(f"{what} is {number}; it takes a number from 1")
    task = Task(evaluator, limits, seed, sampler, pareto, require, measure, measured_platform)
    every = task_settings(task, settings or {})
    with quiet():
        if workers > 1:
            from search.workers import run_workers

            with run_workers(task, every, trials, storage, name or named(every), workers, progress, notice) as study:
                return result_of(task, study, trials, top)
        with opened(storage) as opened_storage:
            study = joined(opened_storage, name or named(every), every, task.directions, lambda: first_trials(task))
            share = Share(study, trials, worker_name())
            with Pulse(study, share.worker):
                work(task, share, progress, notice)
            return result_of(task, study, trials, top)


def work(
    task: Task,
    share: Share,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
    pause: Callable[[], None] | None = None,
) -> None:
    """Run trials until the study has all of its. pause: waits a little for those of other workers."""
    import time

    wait = pause or (lambda: time.sleep(PAUSE))
    distributions = genes_of(task.evaluator.space)
    share.study.sampler = by_number(task, distributions)
    share.take_over()
    while True:
        batch = share.ask(task.batch, distributions)
        try:
            if batch:
                _run(task, share, batch, notice)
        except BaseException:
            share.give_up(batch)
            raise
        if progress is not None:
            progress(share.finished, best_so_far(share.study))
        if not batch:
            if share.finished >= share.trials:
                return
            share.take_over()
            wait()


def _run(task: Task, share: Share, batch: Sequence[Trial], notice: Callable[[str], None] | None) -> None:
    """Price, where need be measure, and tell a batch."""
    evaluator, limits = task.evaluator, task.limits
    population = _population(evaluator.space, [trial.params for trial in batch])
    costs = evaluator.costs(population)
    known = limits
    if task.measure is not None:
        known = replace(limits, budgets={k: v for k, v in limits.budgets.items() if k != task.measured})
    excesses = {name: np.array(excess) for name, excess in known.excesses(costs).items()}
    kept = np.all([excess <= 0.0 for excess in excesses.values()] or [np.ones(len(batch), bool)], axis=0)
    designs: dict[int, Design] = {}
    if task.require or task.measure or evaluator.capacity.amount is None:
        chosen = np.flatnonzero(kept)
        designs = dict(zip(chosen.tolist(), evaluator.space.designs(population[chosen]), strict=True))
    outcomes = {index: _judged(task, design) for index, design in designs.items()}
    capacity = costs.capacity.copy()
    if evaluator.capacity.amount is None:
        asked = [i for i, outcome in outcomes.items() if outcome.error is None and outcome.keeps(task)]
        if asked:
            capacity[asked] = evaluator.capacity.score([designs[i] for i in asked])
    for index, trial in enumerate(batch):
        outcome = outcomes.get(index, _Outcome())
        if outcome.error is not None:
            share.fail(trial, outcome.error)
            if notice is not None:
                notice(f"trial {trial.number}: {designs[index].reference} {outcome.error}")
            continue
        own = {name: float(excess[index]) for name, excess in excesses.items()} | outcome.excesses(task)
        seconds = {name: float(estimate.seconds[index]) for name, estimate in costs.latency.items()}
        shown: dict[str, Any] = {LATENCY_MS: {name: round(value * 1e3, 6) for name, value in seconds.items()}}
        if outcome.seconds is not None and task.measured is not None:
            seconds[task.measured] = outcome.seconds
            shown[MEASURED_MS] = outcome.seconds * 1e3
        values = [float(capacity[index]), *(seconds.values() if task.pareto else ())]
        share.tell(trial, values, own, shown)


@dataclass(frozen=True)
class _Outcome:
    """What was asked of one design. required: by how much it exceeds that limit. seconds: measured. error: why not."""

    required: float | None = None
    seconds: float | None = None
    error: str | None = None

    def excesses(self, task: Task) -> dict[str, float]:
        result = {} if self.required is None else {REQUIRED: self.required}
        budget = task.limits.budgets.get(task.measured or "")
        if self.seconds is not None and budget is not None and task.measured is not None:
            result[task.measured] = self.seconds / budget - 1.0
        return result

    def keeps(self, task: Task) -> bool:
        return all(excess <= 0.0 for excess in self.excesses(task).values())


def _judged(task: Task, design: Design) -> _Outcome:
    required = None if task.require is None else float(task.require(design))
    if task.measure is None or (required is not None and required > 0.0):
        return _Outcome(required)
    try:
        seconds = float(task.measure(design))
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return _Outcome(required, error=f"could not be measured ({why})")
    if not (np.isfinite(seconds) and seconds > 0.0):
        return _Outcome(required, error=f"could not be measured (it took {seconds} s)")
    return _Outcome(required, seconds)
