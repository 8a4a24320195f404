"""The best designs that Optuna finds, where no exact engine can go: any capacity, any condition, measured latencies.

Trials are asked for in batches, priced at once, and told. A study in a storage goes on where it ended, and is filled by
as many workers as join it (study.py).
"""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from costmodel.errors import UsageError
from costmodel.platforms import dumps
from costmodel.predictor import Estimate
from search.design import Design
from search.evaluate import Evaluator
from search.limits import Limits
from search.result import Candidate, Result, Step, candidates
from search.space import GENES, show
from search.storages import opened, optuna_module, quiet

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

    from search.trials import Judge, Notice, Progress, Task


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
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    notice: Notice | None = None,
) -> Result:
    """The `top` designs of most capacity among `trials` that keep all limits, the best first; with `pareto` the front.

    storage: URL of where the trials are kept (storages.FORMS), None for memory. name: of the study there; by default it
    follows from what is searched, so that the same call goes on where another ended, and joins one that is running.
    workers: processes to start here; with more than one, `require` and `measure` are functions of a module.
    require, measure, measured_platform: as in trials.Task. A design whose measuring raises fails its trial, which
    counts as one of `trials`. settings: names with what else must be the same for a study to go on, JSON values.
    progress: called with the trials that have ended and the most capacity so far. notice: called with a sentence about
    a design that could not be measured or a worker that died.

    Equal seeds give equal results with one worker. Raises UsageError where no trial keeps the limits, for a storage
    that cannot be used, and for a study of other settings. What was told before an error or Ctrl-C stays there.
    """
    optuna_module()
    from search.sampling import first_trials
    from search.study import PAUSE, Pulse, Share, joined, named, worker_name
    from search.trials import Task, work

    for what, number in (("trials", trials), ("workers", workers)):
        if number < 1:
            raise UsageError(f"{what} is {number}; it takes a number from 1")
    task = Task(evaluator, limits, seed, sampler, pareto, require, measure, measured_platform)
    same = {**settings_of(task), **(settings or {})}
    study_name = name or named(same)

    def study_in(place: Any) -> Study:
        return joined(place, study_name, same, task.directions, lambda: first_trials(evaluator, limits, seed))

    with quiet():
        if workers > 1:
            from search.workers import run_workers, shared

            with shared(storage) as url:
                with opened(url) as place:
                    study_in(place)
                run_workers(task, url, study_name, trials, workers, progress, notice)
                with opened(url) as place:
                    return result_of(task, study_in(place).get_trials(deepcopy=False), top)
        with opened(storage) as place:
            study = study_in(place)
            share = Share(study, trials, worker_name())
            with Pulse(study, share.worker):
                work(task, share, lambda: time.sleep(PAUSE), progress, notice)
            return result_of(task, study.get_trials(deepcopy=False), top)


def settings_of(task: Task) -> dict[str, Any]:
    """What must be the same for a study to go on, by names that a person knows; JSON values."""
    evaluator, limits = task.evaluator, task.limits
    options = {f"the options of {name}": show(evaluator.space.genes[name]) for name in GENES}
    profiles = {
        f"the profile of {platform.id}": hashlib.sha256(dumps(platform).encode()).hexdigest()[:12]
        for platform in evaluator.platforms
    }
    return {
        "the sampler": task.sampler,
        "the seed": task.seed,
        "the capacity": evaluator.capacity.name,
        "the front": task.pareto,
        "what is measured": task.measured if task.measure is not None else None,
        "the confidence": evaluator.coverage,
        "the batch": evaluator.batch,
        **profiles,
        **{f"the budget of {name}, ms": 1e3 * seconds for name, seconds in sorted(limits.budgets.items())},
        "the most parameters": limits.max_params,
        "the most mult-adds": limits.max_mult_adds,
        "the effectiveness": limits.effectiveness,
        "the step": evaluator.space.step,
        "the classes": evaluator.space.classes,
        **options,
    }


def result_of(task: Task, trials: Sequence[FrozenTrial], top: int) -> Result:
    """What a study has found so far. Raises UsageError where no trial keeps the limits."""
    from search.sampling import keeps

    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    good = [trial for trial in complete if keeps(trial)]
    if not good:
        raise UsageError(_nothing(task, trials, complete))
    ordered = sorted(good, key=lambda trial: -trial.values[0])
    front = _front(good) if task.pareto else []
    return Result(
        "optuna",
        _candidates(task, ordered, top),
        _candidates(task, front, len(front)),
        False,
        len(complete),
        _history(complete),
    )


def _history(complete: Sequence[FrozenTrial]) -> tuple[Step, ...]:
    from search.sampling import keeps

    steps: list[Step] = []
    for count, trial in enumerate(complete, start=1):
        if keeps(trial) and (not steps or trial.values[0] > steps[-1].capacity):
            steps.append(Step(count, trial.values[0]))
    return tuple(steps)


def _front(good: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials that none is as good as in every objective and better in one, the fastest first."""
    values = np.array([trial.values for trial in good]) * np.where(np.arange(len(good[0].values)) == 0, -1.0, 1.0)
    kept = [
        trial
        for trial, own in zip(good, values, strict=True)
        if not np.any(np.all(values <= own, axis=1) & np.any(values < own, axis=1))
    ]
    return sorted(kept, key=lambda trial: (trial.values[1], -trial.values[0]))


def _candidates(task: Task, trials: Sequence[FrozenTrial], most: int) -> tuple[Candidate, ...]:
    """The designs of trials, without those that are equal to an earlier one."""
    from search.sampling import population
    from search.trials import MEASURED_MS

    rows = population(task.evaluator.space, [trial.params for trial in trials])
    chosen: dict[Design, int] = {}
    for index in range(len(trials)):
        if len(chosen) == most:
            break
        chosen.setdefault(task.evaluator.space.designs(rows[[index]])[0], index)
    if not chosen:
        return ()
    told = {design: trials[index].values[0] for design, index in chosen.items()}
    found = candidates(_knowing(task.evaluator, told), rows[list(chosen.values())])
    measured = [trials[index].user_attrs.get(MEASURED_MS) for index in chosen.values()]
    return tuple(
        candidate if ms is None else _with_measured(candidate, task.measured or "", ms / 1e3)
        for candidate, ms in zip(found, measured, strict=True)
    )


def _knowing(evaluator: Evaluator, told: Mapping[Design, float]) -> Evaluator:
    """The evaluator, with a capacity that is not additive taken from what trials told: it may be a training run."""
    if evaluator.capacity.amount is not None:
        return evaluator

    def score(designs: Sequence[Design]) -> npt.NDArray[np.float64]:
        return np.array([told[design] for design in designs])

    result = copy.copy(evaluator)
    result.capacity = replace(evaluator.capacity, score=score)
    return result


def _with_measured(candidate: Candidate, platform: str, seconds: float) -> Candidate:
    estimate = Estimate(seconds, seconds, seconds, candidate.latency[platform].coverage)
    return replace(candidate, latency={**candidate.latency, platform: estimate})


def _nothing(task: Task, trials: Sequence[FrozenTrial], complete: Sequence[FrozenTrial]) -> str:
    from search.study import ERROR

    if not complete:
        errors = [trial.user_attrs[ERROR] for trial in trials if ERROR in trial.user_attrs]
        return f"none of {len(errors)} trials has a result; the last: {errors[-1] if errors else 'none was run'}"
    nearest = min(complete, key=lambda trial: sum(max(excess, 0.0) for excess in trial.constraints.values()))
    name, excess = max(nearest.constraints.items(), key=lambda item: item[1])
    return (
        f"none of {len(complete)} trials keeps all limits; the nearest exceeds that of {name} by {excess:.1%}; "
        "raise it, or give more trials"
    )
