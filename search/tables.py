"""What every piece of a design costs, for every option: the stem, each stage, the head.

Costs and kernels' times add up over a network, and what a piece of ShuffleNet V2 costs follows from its own options and
from the channels that enter it. So a table per piece holds whole populations, and a design is a sum of five rows. The
rows come from networks of the zoo whose dims are columns, through the same operators, fusion rules and prices as every
other network.

A stage's basic units are all alike but for the last, which is followed by another piece: three lengths of a stage tell
the cost of all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel import zoo
from costmodel.columns import Column
from costmodel.cost import Cost
from costmodel.errors import UsageError
from costmodel.graph import Graph, Node
from costmodel.kernels import Kernel, fuse, runtime_of
from costmodel.platforms import Platform
from costmodel.predictor import fixed_seconds, kernel_seconds
from search.capacity import Capacity, depth_and_width, effectiveness
from search.design import FIRST_STAGE
from search.space import NUMBERS, STAGE_GENES, WHOLE_GENES, Space

Array = npt.NDArray[np.float64]

# Columns of a table; after them each platform's fixed seconds and seconds by kind of kernel
CAPACITY, MULT_ADDS, PARAMS, MEMORY_ACCESS = range(4)
_COUNTS = 4

_LARGEST = 400_000_000  # numbers of a table: 3 GB
_LONGEST = 3  # units of a stage that are built; more are extrapolated, exactly
_STEM, _HEAD = "stem", "head"
_STEM_MODULES = ("conv1", "maxpool")
_SHRUNK = {number: 2 ** (number + 1) for number in NUMBERS}  # times smaller than the image are the maps of a stage


@dataclass(frozen=True)
class Seconds:
    """Where a platform's seconds stand in a row. fixed: of a run. kinds: of the kernels of each kind."""

    platform: Platform
    fixed: int
    kinds: dict[str, int]


@dataclass(frozen=True)
class Tables:
    """Rows of all pieces; the last axis of each table is a row's columns.

    stem: (whole, stem, columns), where `whole` numbers the combinations of WHOLE_GENES. stages: (whole, channels
    before, channels, ratio, units, kernel, se, columns) each. head: (whole, channels4, head, columns).
    effectiveness: of each stage, with the axes of `stages` but the last.
    """

    seconds: tuple[Seconds, ...]
    stem: Array
    stages: tuple[Array, ...]
    head: Array
    effectiveness: tuple[Array, ...]


def tabulate(space: Space, platforms: Sequence[Platform], capacity: Capacity, batch: int = 1) -> Tables:
    """The tables of a space on platforms, for `batch` images at once.

    capacity: its column is 0 where it is not additive.
    Raises UsageError where the space has so many options that a table would not fit in memory.
    """
    pricing = _Pricing(platforms, capacity)
    _check_size(space, pricing.columns)
    stem, head = (_ends(space, end, pricing, batch) for end in (_STEM, _HEAD))
    stages, limits = zip(*(_stage(space, number, pricing, batch) for number in NUMBERS), strict=True)
    used = [column for column in range(pricing.columns) if column < _COUNTS or column in pricing.used]
    place = {column: index for index, column in enumerate(used)}
    seconds = tuple(
        Seconds(
            platform,
            place[pricing.fixed(index)],
            {kind: place[column] for kind, column in pricing.kinds(index).items() if column in place},
        )
        for index, platform in enumerate(platforms)
    )
    return Tables(seconds, stem[..., used], tuple(table[..., used] for table in stages), head[..., used], limits)


def _check_size(space: Space, columns: int) -> None:
    genes = {f"stage {n}": (_names(n)[0], *(f"{gene}{n}" for gene in STAGE_GENES)) for n in NUMBERS}
    genes["the head"] = ("channels4", "head")
    for piece, names in genes.items():
        rows = math.prod(len(space.genes[name]) for name in (*WHOLE_GENES, *names))
        if rows * columns > _LARGEST:
            raise UsageError(f"space: the options of {piece} are too many to tabulate; give fewer, or a larger step")


class _Pricing:
    """Rows of a piece of a network: counts, capacity, and seconds on each platform."""

    def __init__(self, platforms: Sequence[Platform], capacity: Capacity) -> None:
        self.platforms, self.capacity = platforms, capacity
        self.used: set[int] = {self.fixed(index) for index in range(len(platforms))}
        self._kinds: list[str] = []

    _MOST_KINDS = 16

    @property
    def blocks(self) -> set[int]:
        """Channels in a block of the platforms' layouts, where they have such."""
        return {runtime_of(one.runtime, one.machine.blocks).blocks for one in self.platforms} - {0}

    @property
    def columns(self) -> int:
        return _COUNTS + (1 + self._MOST_KINDS) * len(self.platforms)

    def fixed(self, platform: int) -> int:
        return _COUNTS + (1 + self._MOST_KINDS) * platform

    def kinds(self, platform: int) -> dict[str, int]:
        return {kind: self.fixed(platform) + 1 + index for index, kind in enumerate(self._kinds)}

    def rows(self, graph: Graph, piece: str, count: int) -> Array:
        """(count, columns): of the piece in the networks of a population."""
        nodes = _nodes(graph, piece)
        cost = Cost.total(node.cost for node in nodes)
        result = np.zeros((count, self.columns))
        result[:, MULT_ADDS] = _numbers(cost.mult_adds)
        result[:, PARAMS] = _numbers(cost.params)
        result[:, MEMORY_ACCESS] = _numbers(cost.memory_access)
        if self.capacity.amount is not None:
            result[:, CAPACITY] = _numbers(self.capacity.amount(nodes, graph.tensors))
        fused: dict[tuple[str, int | None], list[Kernel]] = {}
        for index, platform in enumerate(self.platforms):
            rules = (platform.runtime, platform.machine.blocks)
            if rules not in fused:
                fused[rules] = list(_kernels(graph, piece, runtime=runtime_of(*rules)))
            if piece == _STEM:  # every design has one
                result[:, self.fixed(index)] = fixed_seconds(graph, platform)
            for kernel in fused[rules]:
                seconds = kernel_seconds(kernel, platform)
                if isinstance(seconds, float) and seconds == 0.0:
                    continue
                if kernel.kind not in self._kinds:
                    self._kinds.append(kernel.kind)
                column = self.kinds(index)[kernel.kind]
                self.used.add(column)
                result[:, column] += seconds
        return result


def _ends(space: Space, gene: str, pricing: _Pricing, batch: int) -> Array:
    """The table of the stem, or of the head with the channels that it reads."""
    genes, names = (
        (("stem",), ("stem_channels",)) if gene == _STEM else (("channels4", "head"), ("channels4", "head_channels"))
    )
    axes = [space.numbers(name) for name in ("resolution", *genes)]
    grid = [axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")]
    dims = {name: Column(axis) for name, axis in zip(("resolution", *names), grid, strict=True)}
    result = np.empty((*(len(space.genes[name]) for name in WHOLE_GENES), *map(len, axes[1:]), pricing.columns))
    for at, shared in _structures(space):
        rows = pricing.rows(_built(space, batch, shared | dims), gene, len(grid[0]))
        result[:, *at] = rows.reshape(*map(len, axes), -1)
    return _whole_first(result)


def _stage(space: Space, number: int, pricing: _Pricing, batch: int) -> tuple[Array, Array]:
    """The table of a stage, and its effectiveness."""
    before, own = _names(number)
    units, kernels = (space.numbers(f"{gene}{number}") for gene in ("units", "kernel"))
    gates, branches = space.genes[f"se{number}"], space.branches(number)
    axes = (space.numbers("resolution"), space.numbers(before), *(np.arange(size) for size in branches.shape))
    resolution, previous, width, ratio = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    widths = space.numbers(f"channels{number}")[width]
    dims = {"resolution": resolution, own[0]: previous, own[1]: widths, own[2]: branches[width, ratio]}
    shape = (*map(len, axes), len(units), len(kernels), len(gates), pricing.columns + 2)
    shape = (shape[0], len(space.genes["residual"]), len(space.genes["act"]), *shape[1:])
    table = np.empty(shape)
    for (at, shared), (k, kernel), (s, gate) in product(_structures(space), enumerate(kernels), enumerate(gates)):
        fixed = shared | {f"kernel{number}": int(kernel), f"se{number}": gate}
        lengths = _lengths(space, number, pricing, batch, dims, fixed)
        for u, count in enumerate(units):
            rows = lengths[0] if count == 1 else lengths[1] + (int(count) - 2) * (lengths[2] - lengths[1])
            table[:, *at, ..., u, k, s, :] = rows.reshape(*map(len, axes), -1)
    table = _whole_first(table)
    return table[..., :-2], effectiveness(table[..., -2], table[..., -1])


def _lengths(
    space: Space, number: int, pricing: _Pricing, batch: int, dims: dict[str, Any], fixed: dict[str, Any]
) -> Array:
    """(units, rows, columns): of a stage of 1, 2, ... units, with its depth and logarithm of widths last."""
    branch = dims[f"branch{number}"]
    result = np.empty((_LONGEST, len(branch), pricing.columns + 2))
    for group in _alike(number, dims, fixed["residual"], pricing.blocks):
        columns = {name: Column(axis[group]) for name, axis in dims.items()}
        for length in range(1, _LONGEST + 1):
            graph = _built(space, batch, fixed | columns | {f"units{number}": length})
            depth, width = depth_and_width(_nodes(graph, f"stage{number}"), graph.tensors)
            result[length - 1, group, :-2] = pricing.rows(graph, f"stage{number}", len(group))
            result[length - 1, group, -2], result[length - 1, group, -1] = depth, width
    return result


def _names(number: int) -> tuple[str, tuple[str, str, str]]:
    """The gene that says how many channels enter a stage, and the network's options for those, its own and its
    branch's."""
    before = "stem" if number == FIRST_STAGE else f"channels{number - 1}"
    option = "stem_channels" if number == FIRST_STAGE else before
    return before, (option, f"channels{number}", f"branch{number}")


def _structures(space: Space) -> list[tuple[tuple[int, int], dict[str, Any]]]:
    """The options of the whole design that change what operators there are, with their numbers."""
    given = product(enumerate(space.genes["residual"]), enumerate(space.genes["act"]))
    return [((r, a), {"residual": residual, "act": act}) for (r, residual), (a, act) in given]


def _whole_first(table: Array) -> Array:
    """With the first axes, one for each of WHOLE_GENES, in one."""
    return table.reshape(-1, *table.shape[len(WHOLE_GENES) :])


def _alike(number: int, dims: dict[str, Any], residual: bool, blocks: set[int]) -> Iterator[npt.NDArray[np.intp]]:
    """Numbers of the rows that runtimes treat alike, whose rules, where they cannot decide design by design, do so for
    the whole population: whether a convolution is depthwise (not with one channel), whether a gate has the shape of
    its map (of one pixel), and before a shortcut whether a convolution works in blocks (its channels are few, or in
    fours)."""
    before, branch = dims[_names(number)[1][0]], dims[f"branch{number}"]
    flags = [before == 1, branch == 1, dims["resolution"] <= _SHRUNK[number]]
    if residual:
        flags += [branch % 4 == 0, *(branch < block for block in blocks)]
    _, kind = np.unique(np.column_stack(flags), axis=0, return_inverse=True)
    for value in range(int(kind.max()) + 1):
        yield np.flatnonzero(kind.ravel() == value)


def _built(space: Space, batch: int, options: dict[str, Any]) -> Graph:
    """A network with one unit a stage but where the options say otherwise."""
    short = {f"units{number}": 1 for number in NUMBERS}
    return zoo.build("shufflenet_v2_design", batch=batch, classes=space.classes, **(short | options))


def _nodes(graph: Graph, piece: str) -> list[Node]:
    return [node for node in graph.nodes if _piece(node.name) == piece]


def _kernels(graph: Graph, piece: str, runtime: Any) -> Iterator[Kernel]:
    """The kernels of a piece; a copy that a runtime adds between two layouts belongs to what follows it."""
    waiting: list[Kernel] = []
    for kernel in fuse(graph, runtime):
        if not kernel.operators:
            waiting.append(kernel)
            continue
        if _piece(kernel.operators[0].name) == piece:
            yield from (*waiting, kernel)
        waiting = []
    if piece == _HEAD:
        yield from waiting


def _piece(name: str) -> str:
    """The piece that an operator of shufflenet_v2_design belongs to."""
    module = name.partition(".")[0]
    if module.startswith("stage"):
        return module
    return _STEM if module in _STEM_MODULES else _HEAD


def _numbers(amount: Any) -> Any:
    return amount.values if isinstance(amount, Column) else amount
