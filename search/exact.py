"""The best design of a space, proven: branch and bound along the pieces of a network.

Partial designs, from the stem on, are extended in the order of what they can still reach: their capacity and the most
that the rest can add for what is left of each limit (chain.py, by lower bounds of what things cost: relaxation.py). A
whole design is priced as everywhere else. The search ends when nothing can reach more than what was found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.errors import UsageError
from search.chain import Boundary, Chain, Numbers, chain, follow, staircases, without_repeated
from search.design import Design
from search.evaluate import Evaluator
from search.limits import Limits
from search.relaxation import Relaxation, relaxed, with_mixture
from search.result import Result, Step, best_rows, candidates
from search.space import GENES, Population
from search.tables import Array

ENUMERABLE = 2_000_000  # designs of a space, up to which all that keep the limits are tried with any capacity

_AT_ONCE = 2**19  # partial designs that are made in a step
_BINS = 2048  # steps of a bound's staircase, and where only its end matters
_ROUGH_BINS = 256
_TANGENTS = 3  # rounds of taking the bounds where the last round's design is
_SHARES = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)  # of two limits in their mixture, that are tried
_SLACK = 1e-9  # of a staircase's span: rounding of its keys must not hide a step that is light enough
_ROUNDING = 1e-12  # of a capacity: sums in another order
_MOST_ASKED = 20_000  # designs that a further condition is asked of

Accept = Callable[[Design], bool]


def exact(evaluator: Evaluator, limits: Limits, *, top: int = 10, accept: Accept | None = None) -> Result:
    """The `top` designs of most capacity that keep all limits, the best first, proven; none where no design keeps them.

    accept: a further condition, asked of designs in the order of their capacity; may be slow.
    Raises UsageError where the capacity is not additive and the space has more than ENUMERABLE designs, and where
    the condition refuses too many.
    """
    found = _Found(top, accept)
    if evaluator.capacity.amount is None:
        _enumerate(evaluator, limits, found)
    else:
        _Branches(evaluator, limits, found).search()
    best = candidates(evaluator, found.population, found.capacity) if len(found.population) else ()
    return Result("exact", best, (), True, found.examined, tuple(found.history))


def fastest(evaluator: Evaluator, platform: str, limits: Limits) -> Population | None:
    """The one design, (1, genes), that is predicted to take least time on a platform.

    limits: only their effectiveness counts. None where no design keeps that.
    """
    return _lightest(*_by(evaluator, _columns(evaluator, platform), limits))


def smallest(evaluator: Evaluator, column: int, limits: Limits) -> Population | None:
    """The one design, (1, genes), of which there is least in a column of the tables, such as PARAMS or MULT_ADDS.

    limits and None as of `fastest`.
    """
    return _lightest(*_by(evaluator, [column], limits))


def _lightest(pieces: Chain, stairs: Sequence[Boundary]) -> Population | None:
    ends = [(boundary[0].weight[0], whole) for whole, boundary in enumerate(stairs[0]) if len(boundary[0].weight)]
    if not ends:
        return None
    whole = min(ends)[1]
    return pieces.population(np.array([whole]), follow(pieces, stairs, whole, 0)[None])


def pareto(evaluator: Evaluator, platform: str, limits: Limits) -> Population:
    """All designs of which none is both faster on a platform and of more capacity than another, the fastest first.

    By the predicted latency itself, not by its interval's end. limits: only their effectiveness counts.
    """
    pieces, stairs = _by(evaluator, _columns(evaluator, platform), limits)
    ends = [(whole, step) for whole, boundary in enumerate(stairs[0]) for step in range(len(boundary[0].weight))]
    if not ends:
        return np.zeros((0, len(GENES)), np.intp)
    weight, capacity = (
        np.array([getattr(stairs[0][whole][0], name)[step] for whole, step in ends]) for name in ("weight", "capacity")
    )
    order = np.lexsort((-capacity, weight))
    before = np.concatenate([[-np.inf], np.maximum.accumulate(capacity[order])[:-1]])
    front = [ends[number] for number in order[capacity[order] > before]]
    paths = np.array([follow(pieces, stairs, whole, step) for whole, step in front])
    return pieces.population(np.array([whole for whole, _ in front]), paths)


def _columns(evaluator: Evaluator, platform: str) -> list[int]:
    """Those of the tables that add up to the time of kernels and of what is fixed."""
    one = next(one for one in evaluator.tables.seconds if one.platform.id == platform)
    return [one.fixed, *one.kinds.values()]


def _by(evaluator: Evaluator, columns: Sequence[int], limits: Limits) -> tuple[Chain, list[Boundary]]:
    """The space as a chain that weighs the sum of some columns, with its staircases."""
    weight = np.zeros((1, evaluator.tables.stem.shape[-1]))
    weight[0, columns] = 1.0
    pieces = chain(evaluator, limits, weight)
    return pieces, staircases(pieces, 1)


class _Found:
    """The best designs so far that keep everything."""

    def __init__(self, top: int, accept: Accept | None) -> None:
        self.top, self.accept = top, accept
        self.population: Population = np.zeros((0, len(GENES)), np.intp)
        self.examined = 0
        self.history: list[Step] = []
        self.capacity: Array = np.zeros(0)
        self._asked = 0

    @property
    def least(self) -> float:
        """What another design must have more capacity than."""
        return float(self.capacity[-1]) if len(self.capacity) == self.top else -np.inf

    def add(self, evaluator: Evaluator, limits: Limits, population: Population) -> None:
        """Price whole designs, none of which came before, and keep those that are among the best."""
        self.examined += len(population)
        costs = evaluator.costs(population)
        kept = np.all([excess <= 0.0 for excess in limits.excesses(costs).values()] or [costs.params > 0], axis=0)
        if evaluator.capacity.amount is None:
            population = population[kept]
            if not len(population):
                return
            costs, kept = evaluator.evaluate(population), np.ones(len(population), bool)
        kept &= costs.capacity > self.least
        chosen = list(self._accepted(evaluator, population, best_rows(costs, kept, len(population))))
        if not chosen:
            return
        capacity = np.concatenate([self.capacity, costs.capacity[chosen]])
        order = np.argsort(-capacity, kind="stable")[: self.top]
        self.population = np.concatenate([self.population, population[chosen]])[order]
        self.capacity = capacity[order]
        if not self.history or self.history[-1].capacity < self.capacity[0]:
            self.history.append(Step(self.examined, float(self.capacity[0])))

    def _accepted(self, evaluator: Evaluator, population: Population, order: Sequence[int]) -> Iterator[int]:
        if self.accept is None:
            yield from order[: self.top]
            return
        count = 0
        for number in order:
            if self._asked == _MOST_ASKED:
                raise UsageError(
                    f"the best {_MOST_ASKED} designs break a required guideline; drop --require, or give other options"
                )
            self._asked += 1
            if self.accept(evaluator.space.designs(population[[number]])[0]):
                yield number
                count += 1
                if count == self.top:
                    return


def _enumerate(evaluator: Evaluator, limits: Limits, found: _Found) -> None:
    """Price every design of a space, each once."""
    size, shape = evaluator.space.size, evaluator.space.shape
    if size > ENUMERABLE:
        raise UsageError(
            f"{evaluator.capacity.name}: what it says of a network is no sum over its operators, and the space has "
            f"{size:,} designs, too many to ask it of all; give fewer options (at most {ENUMERABLE:,} designs), or "
            "--engine optuna"
        )
    for start in range(0, size, _AT_ONCE):
        numbers = np.unravel_index(np.arange(start, min(start + _AT_ONCE, size)), shape)
        found.add(evaluator, limits, without_repeated(evaluator.space, np.column_stack(numbers)))


@dataclass(frozen=True, slots=True)
class _Partial:
    """Partial designs. whole, before: (n,) numbers of the genes that all stages share, and of the channels that the
    next piece reads. sums: (n, 1 + limits) capacity and weights. steps: (n, pieces so far). reach: (n,) the most
    capacity that a design which begins so can have."""

    whole: Numbers
    before: Numbers
    sums: Array
    steps: Numbers
    reach: Array

    def __getitem__(self, chosen: Numbers) -> _Partial:
        return _Partial(*(getattr(self, name)[chosen] for name in ("whole", "before", "sums", "steps", "reach")))


class _Branches:
    def __init__(self, evaluator: Evaluator, limits: Limits, found: _Found) -> None:
        self.evaluator, self.limits, self.found = evaluator, limits, found
        self.linear = _bounds(evaluator, limits)
        self.pieces = chain(evaluator, limits, self.linear.weights)
        self.bounds = [
            _Bound(self.pieces, number, budget) for number, budget in enumerate(self.linear.budgets, start=1)
        ]
        wholes = self.pieces.values[0].shape[0]
        whole = np.arange(wholes)
        root = np.zeros((wholes, 1 + len(self.linear.weights)))
        start = _Partial(whole, np.zeros(wholes, np.intp), root, np.zeros((wholes, 0), np.intp), np.zeros(wholes))
        self.open: list[list[_Partial]] = [[] for _ in self.pieces.values]
        self.open[0].append(self._reaching(start, 0))

    def search(self) -> None:
        """Extend what reaches furthest, the longest first, until nothing reaches beyond what was found."""
        while True:
            best, level = max((self._furthest(level), level) for level in range(len(self.open)))
            if best <= self._enough:
                return
            self._extend(level)

    @property
    def _enough(self) -> float:
        least = self.found.least
        return least + _ROUNDING * abs(least) if np.isfinite(least) else least

    def _furthest(self, level: int) -> float:
        return max((float(part.reach.max()) for part in self.open[level] if len(part.reach)), default=-np.inf)

    def _extend(self, level: int) -> None:
        parts = self.open[level]
        every = _Partial(*(np.concatenate([getattr(p, name) for p in parts]) for name in _Partial.__slots__))
        every = every[np.flatnonzero(every.reach > self._enough)]
        values = self.pieces.values[level]
        most = max(1, _AT_ONCE // (values.shape[2] * values.shape[3]))
        order = np.argsort(-every.reach, kind="stable")
        self.open[level] = [every[order[most:]]]
        chosen = every[order[:most]]
        children = self._children(chosen, level)
        if level + 1 < len(self.open):
            self.open[level + 1].append(children)
        elif len(children.reach):
            self.found.add(self.evaluator, self.limits, self.pieces.population(children.whole, children.steps))

    def _children(self, parents: _Partial, level: int) -> _Partial:
        values = self.pieces.values[level]
        after, options = values.shape[2], values.shape[3]
        blocks = values[parents.whole, parents.before].reshape(len(parents.whole), after * options, -1)
        sums = (blocks + parents.sums[:, None, :]).reshape(-1, blocks.shape[-1])
        step = np.tile(np.arange(after * options), len(parents.whole))
        origin = np.repeat(np.arange(len(parents.whole)), after * options)
        possible = np.flatnonzero(sums[:, 0] > -np.inf)
        origin, step = origin[possible], step[possible]
        steps = np.column_stack([parents.steps[origin], step])
        children = _Partial(parents.whole[origin], step // options, sums[possible], steps, np.zeros(len(step)))
        children = self._reaching(children, level + 1)
        return children[np.flatnonzero(children.reach > self._enough)]

    def _reaching(self, partial: _Partial, level: int) -> _Partial:
        reach = np.full(len(partial.whole), np.inf)
        for number, bound in enumerate(self.bounds, start=1):
            reach = np.minimum(reach, bound.rest(level, partial.whole, partial.before, partial.sums[:, number]))
        return _Partial(partial.whole, partial.before, partial.sums, partial.steps, partial.sums[:, 0] + reach)


class _Bound:
    """The most capacity that the rest of designs can add under one limit, for many at once."""

    def __init__(self, pieces: Chain, number: int, budget: float) -> None:
        self.budget = budget
        self.levels = [_flat(boundary) for boundary in staircases(pieces, number, bins=_BINS)]

    def rest(self, level: int, whole: Numbers, before: Numbers, weight: Array) -> Array:
        """(n,): from the piece `level` on, for designs that weigh so much so far; -inf where the limit is broken."""
        keys, capacity, starts, groups, lowest, span = self.levels[level]
        group = whole * groups + before
        left = np.clip((self.budget - weight - lowest) / span + _SLACK, -0.5, 1.0)
        place = np.searchsorted(keys, 2.0 * group + left, "right") - 1
        return np.where(place >= starts[group], capacity[np.maximum(place, 0)], -np.inf)


def _flat(boundary: Boundary) -> tuple[Array, Array, Numbers, int, float, float]:
    """The staircases of a boundary one after the other: ascending keys (twice the number of the staircase, and the
    weight scaled to 0 .. 1), capacities, where each starts; how many a whole has; lowest weight and span."""
    every = [stairs for groups in boundary for stairs in groups]
    weights = np.concatenate([stairs.weight for stairs in every])
    lowest = float(weights.min(initial=0.0))
    span = (float(weights.max(initial=0.0)) - lowest) * (1.0 + 1e-9) or 1.0
    keys = [2.0 * number + (stairs.weight - lowest) / span for number, stairs in enumerate(every)]
    starts = np.concatenate([[0], np.cumsum([len(stairs.weight) for stairs in every])])
    capacity = np.concatenate([stairs.capacity for stairs in every])
    return np.concatenate(keys), np.append(capacity, -np.inf), starts[:-1], len(boundary[0]), lowest, span


def _bounds(evaluator: Evaluator, limits: Limits) -> Relaxation:
    """The limits as linear ones, tight near the best design, with a mixture of them last."""
    middle = np.array([[options // 2 for options in evaluator.space.shape]], np.intp)
    at = evaluator.rows(middle)[0][0]
    for _ in range(_TANGENTS):
        linear = relaxed(evaluator, limits, at)
        if not len(linear.weights):  # nothing to keep: nothing weighs
            return Relaxation(np.zeros((1, len(at))), np.ones(1))
        linear = _mixed(evaluator, limits, linear)
        pieces = chain(evaluator, limits, linear.weights)
        number = len(linear.weights)
        stairs = staircases(pieces, number, limit=float(linear.budgets[-1]))
        ends = [
            (boundary[0].capacity[-1], whole) for whole, boundary in enumerate(stairs[0]) if len(boundary[0].weight)
        ]
        if not ends:
            break
        whole = max(ends)[1]
        path = follow(pieces, stairs, whole, len(stairs[0][whole][0].weight) - 1)
        at = evaluator.rows(pieces.population(np.array([whole]), path[None]))[0][0]
    return linear


def _mixed(evaluator: Evaluator, limits: Limits, linear: Relaxation) -> Relaxation:
    """With the mixture of all limits that leaves least to reach: taken in one after the other."""
    count = len(linear.weights)
    shares = [1.0] + [0.0] * (count - 1)
    for number in range(1, count):
        tried = [
            [(1.0 - share) * old if i != number else share for i, old in enumerate(shares)]
            for share in (0.0, *_SHARES, 1.0)
        ]
        shares = min(tried, key=lambda each: _reachable(evaluator, limits, with_mixture(linear, each)))
    return with_mixture(linear, shares) if count > 1 else linear


def _reachable(evaluator: Evaluator, limits: Limits, linear: Relaxation) -> float:
    """The most capacity under the last limit."""
    pieces = chain(evaluator, limits, linear.weights[-1:])
    stairs = staircases(pieces, 1, limit=float(linear.budgets[-1]), bins=_ROUGH_BINS)[0]
    return max((float(boundary[0].capacity[-1]) for boundary in stairs if len(boundary[0].weight)), default=-np.inf)
