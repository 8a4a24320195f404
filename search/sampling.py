"""How Optuna sees a space: a whole number for each gene that has a choice, sampled by seed and number of the trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from search.design import WIDTHS, standard
from search.evaluate import Evaluator
from search.limits import Limits
from search.space import GENES, NUMBERS, Population, Space

if TYPE_CHECKING:
    from optuna import Study

POOL = 200_000  # random designs that the first trials are chosen from
CHOSEN = 20  # of them
_BASES = 5  # of the best trials, near which every second trial is
_VARIED = 5  # genes that it changes, at most
_REDRAWS = 4  # of one that was tried before
GENERATION = 50  # designs of a generation of NSGA-II

Params = Mapping[str, Any]


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Of each parameter: the numbers of its options."""
    return {name: IntDistribution(0, options - 1) for name, options in choices(space).items()}


def choices(space: Space) -> dict[str, int]:
    """How many options each parameter of a trial has: one for each gene that has several.

    Where a stage has several ratios, the channels of its branch take the place of its own: those are what it costs and
    is worth, so that another ratio at an equal branch is one step and not two that belong together.
    """
    counts = dict(zip(GENES, space.shape, strict=True))
    for number in _of_two_choices(space):
        del counts[f"channels{number}"]
        counts[f"branch{number}"] = len(_branches(space, number))
    return {name: options for name, options in counts.items() if options > 1}


def population(space: Space, trials: Sequence[Params]) -> Population:
    """The designs that trials' parameters stand for, (trials, genes)."""
    numbers = [[int(params.get(name, 0)) for name in GENES] for params in trials]
    rows = np.array(numbers, np.intp).reshape(-1, len(GENES))
    for number in _of_two_choices(space):
        levels = _branches(space, number)
        wanted = levels[[int(params.get(f"branch{number}", 0)) for params in trials]]
        have = _branch_of_each(space, number)[:, rows[:, GENES.index(f"ratio{number}")]]
        rows[:, GENES.index(f"channels{number}")] = np.abs(have - wanted).argmin(axis=0)
    return rows


def parameters(space: Space, rows: Population) -> list[dict[str, int]]:
    """The parameters of trials that stand for the designs of a population."""
    columns = {name: rows[:, index] for index, name in enumerate(GENES)}
    for number in _of_two_choices(space):
        own = _branch_of_each(space, number)[columns[f"channels{number}"], columns[f"ratio{number}"]]
        columns[f"branch{number}"] = np.searchsorted(_branches(space, number), own)
    free = choices(space)
    return [{name: int(columns[name][index]) for name in free} for index in range(len(rows))]


def _of_two_choices(space: Space) -> list[int]:
    """Stages that have several widths and several ratios."""
    return [n for n in NUMBERS if len(space.genes[f"channels{n}"]) > 1 and len(space.genes[f"ratio{n}"]) > 1]


def _branch_of_each(space: Space, number: int) -> npt.NDArray[np.float64]:
    """(widths, ratios): a stage's channels times its ratio, of which no two widths have the same for one ratio."""
    return np.multiply.outer(
        [float(channels) for channels in space.genes[f"channels{number}"]],
        [float(ratio) for ratio in space.genes[f"ratio{number}"]],
    )


def _branches(space: Space, number: int) -> npt.NDArray[np.float64]:
    return np.unique(_branch_of_each(space, number))


def first_trials(evaluator: Evaluator, limits: Limits, seed: int) -> list[dict[str, int]]:
    """Parameters of the trials that a study begins with: Table 5's designs, as far as they are points of the space, and
    the best of POOL random ones. Where none of those keeps the limits, the ones that exceed them least."""
    space = evaluator.space
    pool = space.random(POOL, seed)
    costs = evaluator.costs(pool)
    excess = sum((np.maximum(each, 0.0) for each in limits.excesses(costs).values()), start=np.zeros(len(pool)))
    worth = costs.mult_adds if evaluator.capacity.amount is None else costs.capacity
    published = [row for row in (space.row(standard(width)) for width in WIDTHS) if row is not None]
    chosen = [*published, *pool[np.lexsort((-worth, excess))[: 10 * CHOSEN]]]
    distinct = dict.fromkeys(tuple(int(number) for number in row) for row in chosen)
    return parameters(space, np.array(list(distinct)[: len(published) + CHOSEN]))


def keeps(trial: FrozenTrial) -> bool:
    """Whether a trial has a result and keeps all limits."""
    return trial.state == TrialState.COMPLETE and all(excess <= 0.0 for excess in trial.constraints.values())


class ByNumber(BaseSampler):
    """TPE or NSGA-II, whose random numbers follow from the seed and the trial's number alone.

    So workers do not try the same, and a study that goes on gets what it would have got. With TPE, and no front to
    find, every second trial is one of the best so far with a few genes changed.
    """

    def __init__(self, kind: str, seed: int, space: Space) -> None:
        self._kind, self._seed = kind, seed
        self._choices, self._distributions = choices(space), distributions(space)
        self._number, self._sampler = -1, self._made(0)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        sampler = self._of(trial)
        if isinstance(sampler, NSGAIISampler):  # those that were queued belong to a generation, too
            sampler.get_trial_generation(study, trial)
        sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        sampler = self._of(trial)
        if self._kind == "tpe" and len(study.directions) == 1 and trial.number % 2:
            params = self._near_a_good_one(sampler, study, trial, search_space)
            if params:
                return params
        return sampler.sample_relative(study, trial, search_space)

    def _near_a_good_one(
        self, sampler: BaseSampler, study: Study, trial: FrozenTrial, space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Some genes anew, by TPE and at random in turn, the others as one of the best trials has them.

        TPE's steps change all genes at once, by a sixth of their range: near the best design few of those keep limits.
        Nothing where there is no trial that does.
        """
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        good = sorted((each for each in complete if keeps(each)), key=lambda each: -each.values[0])[:_BASES]
        good = [each for each in good if space.keys() <= each.params.keys()]
        if not good:
            return {}
        tried = {tuple(each.params.get(name) for name in space) for each in complete}
        generator = np.random.default_rng([self._seed, trial.number])
        params: dict[str, Any] = {}
        for _ in range(_REDRAWS):
            base = good[generator.integers(len(good))].params
            few = generator.permutation(list(space))[: generator.integers(2, _VARIED + 1)]
            if trial.number % 4 == 1:
                part = {name: space[name] for name in space if name in few}
                chosen = sampler.sample_relative(study, trial, part)
            else:
                chosen = {name: int(generator.integers(self._choices[name])) for name in space if name in few}
            params = {**{name: base[name] for name in space}, **chosen}
            if tuple(params.values()) not in tried:
                break
        return params

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._of(trial).after_trial(study, trial, state, values)

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        if trial.number != self._number:
            self._number, self._sampler = trial.number, self._made(trial.number)
        return self._sampler

    def _made(self, number: int) -> BaseSampler:
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        if self._kind == "nsga2":
            return NSGAIISampler(population_size=GENERATION, seed=seed)
        return TPESampler(multivariate=True, constant_liar=True, seed=seed)
