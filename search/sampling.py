"""How Optuna sees a space: a whole number for each gene that has a choice, sampled by seed and number of the trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler

from search.design import WIDTHS, standard
from search.evaluate import Evaluator
from search.limits import Limits
from search.space import GENES, Population, Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, TrialState

POOL = 200_000  # random designs that the first trials are chosen from
CHOSEN = 20  # of them
GENERATION = 50  # designs of a generation of NSGA-II

Params = Mapping[str, Any]


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The numbers of a gene's options, for each gene that has several."""
    return {
        name: IntDistribution(0, options - 1) for name, options in zip(GENES, space.shape, strict=True) if options > 1
    }


def population(trials: Sequence[Params]) -> Population:
    """The designs that trials' parameters stand for, (trials, genes)."""
    rows = [[int(params.get(name, 0)) for name in GENES] for params in trials]
    return np.array(rows, np.intp).reshape(-1, len(GENES))


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
    free = distributions(space)
    return [
        {name: number for name, number in zip(GENES, row, strict=True) if name in free}
        for row in list(distinct)[: len(published) + CHOSEN]
    ]


class ByNumber(BaseSampler):
    """TPE or NSGA-II, whose random numbers follow from the seed and the trial's number alone.

    So workers do not try the same, and a study that goes on gets what it would have got.
    """

    def __init__(self, kind: str, seed: int, space: Space) -> None:
        self._kind, self._seed, self._distributions = kind, seed, distributions(space)
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
        return self._of(trial).sample_relative(study, trial, search_space)

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
