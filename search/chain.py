"""A network as a chain of five pieces, and the best that the rest of a chain can be.

Neighbouring pieces meet in one number, the channels between them; what they are worth and what they weigh adds up.
So the most that the rest of a network is worth, for what it weighs, is a staircase for each number of channels: a
dynamic programme from the head back to the stem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from search.evaluate import Evaluator
from search.limits import Limits
from search.space import GENES, NUMBERS, WHOLE_GENES, Population, Space
from search.tables import CAPACITY, Array

Numbers = npt.NDArray[np.intp]

_STAGE_OPTIONS = ("ratio", "units", "kernel", "se")


@dataclass(frozen=True)
class Chain:
    """Five pieces: stem, stages, head. values: of each, (whole, channels before, channels after, options, sums); the
    first sum is the capacity, -inf where the piece breaks a limit by itself or is the same as another one, the others
    are weights."""

    space: Space
    values: tuple[Array, ...]

    def population(self, whole: Numbers, steps: Numbers) -> Population:
        """Designs from their paths. whole: (designs,). steps: (designs, pieces), each a piece's channels after it and
        its option in one number."""
        result = np.zeros((len(whole), len(GENES)), np.intp)
        place = {name: index for index, name in enumerate(GENES)}
        shared = np.unravel_index(whole, [len(self.space.genes[name]) for name in WHOLE_GENES])
        for name, numbers in zip(WHOLE_GENES, shared, strict=True):
            result[:, place[name]] = numbers
        result[:, place["stem"]] = steps[:, 0]
        result[:, place["head"]] = steps[:, -1]
        for index, stage in enumerate(NUMBERS, start=1):
            names = [f"{gene}{stage}" for gene in ("channels", *_STAGE_OPTIONS)]
            own = np.unravel_index(steps[:, index], [len(self.space.genes[name]) for name in names])
            for name, column in zip(names, own, strict=True):
                result[:, place[name]] = column
        return result


def chain(evaluator: Evaluator, limits: Limits, weights: Array) -> Chain:
    """The space as a chain, with weights (weights, columns of the tables) as its sums after the capacity."""
    tables = evaluator.tables
    sums = np.vstack([np.eye(weights.shape[1])[CAPACITY], weights])
    pieces = [tables.stem[:, None, :, None, :]]
    pieces += [table.reshape(*table.shape[:3], -1, table.shape[-1]) for table in tables.stages]
    pieces.append(tables.head[:, :, None, :, :])
    values = [np.ascontiguousarray(piece @ sums.T) for piece in pieces]
    if limits.effectiveness is not None:
        for value, bound in zip(values[1:-1], tables.effectiveness, strict=True):
            value[bound.reshape(value.shape[:-1]) > limits.effectiveness, 0] = -np.inf
    for stage, table, value in zip(NUMBERS, tables.stages, values[1:-1], strict=True):
        value.reshape(*table.shape[:-1], -1)[:, :, _repeated(evaluator.space, stage), ..., 0] = -np.inf
    return Chain(evaluator.space, tuple(values))


def _repeated(space: Space, stage: int) -> npt.NDArray[np.bool_]:
    """(channels, ratios): whether an earlier ratio gives a branch the same channels."""
    return np.array([[width in row[:index] for index, width in enumerate(row)] for row in space.branches(stage)])


def without_repeated(space: Space, population: Population) -> Population:
    """A population without designs whose ratios an earlier one would do for."""
    kept = np.ones(len(population), bool)
    for stage in NUMBERS:
        channels, ratio = (population[:, GENES.index(f"{gene}{stage}")] for gene in ("channels", "ratio"))
        kept &= ~_repeated(space, stage)[channels, ratio]
    return population[kept]


@dataclass(frozen=True)
class Staircase:
    """The most capacity of the rest of a chain by its weight, both ascending, and how it goes on: the channels and the
    option of its first piece in one number, and the step in the staircase after that."""

    weight: Array
    capacity: Array
    step: Numbers
    then: Numbers


Boundary = list[list[Staircase]]  # [whole][channels before the rest]


def staircases(pieces: Chain, weight: int, limit: float = np.inf, bins: int | None = None) -> list[Boundary]:
    """Of the rest of a chain from each piece on, by one of its weights.

    weight: number of the sum. limit: what the rest of a chain weighs at most. bins: steps that a staircase has at most,
    those between rounded down in weight: so it is an upper bound, and its paths are not to be followed. None: exact.
    """
    nothing = Staircase(np.zeros(1), np.zeros(1), np.zeros(1, np.intp), np.zeros(1, np.intp))
    wholes = pieces.values[0].shape[0]
    result: list[Boundary] = [[[nothing] for _ in range(wholes)]]
    for values in reversed(pieces.values):
        rest, boundary = result[-1], []
        for whole in range(wholes):
            options = [_own(values[whole, before], weight) for before in range(values.shape[1])]
            boundary.append([_joined(own, rest[whole], values.shape[3], limit, bins) for own in options])
        result.append(boundary)
    return result[::-1]


def _own(values: Array, weight: int) -> list[tuple[Array, Array, Numbers]]:
    """For each number of channels after a piece the weights, capacities and numbers of its useful options."""
    return [_front(after[:, weight], after[:, 0], np.arange(len(after))) for after in values]


def _front(weight: Array, capacity: Array, number: Numbers) -> tuple[Array, Array, Numbers]:
    """What nothing lighter is worth as much as, both ascending."""
    order = np.lexsort((-capacity, weight))
    capacity = capacity[order]
    before = np.concatenate([[-np.inf], np.maximum.accumulate(capacity)[:-1]])
    kept = order[capacity > before]
    return weight[kept], capacity[capacity > before], number[kept]


def _joined(
    own: Sequence[tuple[Array, Array, Numbers]], rest: Sequence[Staircase], options: int, limit: float, bins: int | None
) -> Staircase:
    """The staircase of a piece and what follows it."""
    parts: list[tuple[Any, ...]] = []
    for after, ((weight, capacity, option), stairs) in enumerate(zip(own, rest, strict=True)):
        weights = np.add.outer(weight, stairs.weight).ravel()
        capacities = np.add.outer(capacity, stairs.capacity).ravel()
        weights, capacities, numbers = _front(weights, capacities, np.arange(len(weights)))
        light = weights <= limit
        numbers = numbers[light]
        steps = after * options + option[numbers // max(len(stairs.weight), 1)] if len(numbers) else numbers
        parts.append((weights[light], capacities[light], steps, numbers % max(len(stairs.weight), 1)))
    weight, capacity, step, then = (np.concatenate(column) for column in zip(*parts, strict=True))
    if bins is not None and len(weight) > bins:
        low, high = weight.min(), weight.max()
        weight = low + np.floor((weight - low) / (high - low) * bins) * ((high - low) / bins) if high > low else weight
    weight, capacity, kept = _front(weight, capacity, np.arange(len(weight)))
    return Staircase(weight, capacity, step[kept], then[kept])


def follow(pieces: Chain, stairs: Sequence[Boundary], whole: int, step: int) -> Numbers:
    """The path, (pieces,), that a step of the first staircase of a `whole` stands for."""
    path, before = [], 0
    for boundary, values in zip(stairs, pieces.values, strict=False):
        staircase = boundary[whole][before]
        path.append(int(staircase.step[step]))
        before, step = path[-1] // values.shape[3], int(staircase.then[step])
    return np.array(path, np.intp)
