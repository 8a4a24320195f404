"""Views of an analysis: operators, or groups of them, each with its counts, its shares and what it takes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from costmodel.cost import Cost
from costmodel.dims import Shape
from costmodel.errors import UsageError
from costmodel.graph import Counting, Graph, Node
from costmodel.ops import find

if TYPE_CHECKING:  # views of counts alone need none of it
    from costmodel.platforms import Platform
    from costmodel.predictor import Estimate, KernelEstimate, Prediction

By = Literal["op", "type", "module"]
SortKey = Literal["mult_adds", "memory_access", "params"]
Sort = SortKey | Literal["latency"]

COUNTS: tuple[SortKey, ...] = ("mult_adds", "memory_access", "params")
LATENCY = "latency"
DEFAULT_TOP = 10  # operators that a table for people has unless more are asked for


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many operators are counted exactly, approximately, or not at all beyond their bytes.

    unknown_ops: the types that no formula is registered for, each once; an operator of another type is
        unknown where the shapes of its inputs are.
    """

    counted: int
    approximated: int
    unknown: int
    unknown_ops: tuple[str, ...]

    @staticmethod
    def of(nodes: Iterable[Node]) -> Coverage:
        """The coverage of some operators."""
        kinds: Counter[Counting] = Counter()
        unknown: dict[str, None] = {}
        for node in nodes:
            kinds[node.counting] += 1
            if node.counting is Counting.UNKNOWN and find(node.op_type, node.domain) is None:
                unknown[node.qualified_type] = None
        return Coverage(kinds[Counting.COUNTED], kinds[Counting.APPROXIMATED], kinds[Counting.UNKNOWN], tuple(unknown))


@dataclass(frozen=True, slots=True)
class View:
    """What of an analysis to show.

    by: single operators, or operators summed by type or by module. top: at most so many rows, the
    dearest; None for all. sort: what is dear (latency: on the first platform); None for the order of
    execution where all rows are shown (types: always dearest first). depth: parts of a module's path to
    keep; None for all.
    """

    by: By = "op"
    top: int | None = None
    sort: Sort | None = None
    depth: int | None = None

    @property
    def key(self) -> SortKey:
        """Of the counts, what is dear."""
        return "mult_adds" if self.sort is None or self.sort == "latency" else self.sort

    def short(self) -> View:
        """The same, with as many operators as people read."""
        return replace(self, top=DEFAULT_TOP) if self.by == "op" and self.top is None else self

    @property
    def shares(self) -> tuple[SortKey, ...]:
        """The counts whose share of the total is shown."""
        return (self.key,) if self.by == "op" else ("mult_adds", "memory_access")


@dataclass(frozen=True, slots=True)
class Time:
    """What a row takes on a platform.

    platform: its id. estimate: of the kernels whose main operators are in the row, with the copies between layouts
    that are made for them; None for an operator that another kernel takes along. share: of the run's latency, None
    where that is 0. kernel: of a single operator, the name of the kernel that runs it.
    """

    platform: str
    estimate: Estimate | None
    share: float | None
    kernel: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One operator, or several that share a type or a module: what they cost, and how far that can be trusted.

    name: the operator's, the type's, or the module's path ("" for operators of no module). cost: of all together.
    shares: of the network's total by count, from 0 to 1; what is no int or has a total of 0 is not in it. times: one a
    platform, in the analysis's order; none for populations. members: in the order of execution. node: the operator,
    None for a group. output_shape: of the operator's first output; None where it is unknown, and for a group.
    """

    name: str
    cost: Cost
    coverage: Coverage
    shares: Mapping[str, float] = field(default_factory=dict)
    times: tuple[Time, ...] = ()
    members: tuple[Node, ...] = field(default=(), repr=False)
    node: Node | None = field(default=None, repr=False)
    output_shape: Shape | None = None

    @property
    def operators(self) -> int:
        """How many operators it has."""
        return len(self.members)

    @property
    def op(self) -> str:
        """The operator's type, empty for a group."""
        return "" if self.node is None else self.node.qualified_type


@dataclass(frozen=True)
class Timing:
    """A platform's prediction, ready to be looked up by operator.

    kernels: for each operator, the kernel that it is part of. copies: seconds of the kernels without operators (copies
    into another layout) that stand before a kernel, by its name; of the last ones, after it.
    """

    platform: Platform
    prediction: Prediction
    kernels: dict[str, KernelEstimate]
    copies: dict[str, float]

    def of(self, operator: str) -> float | None:
        """Seconds of the kernel whose main operator this is, with the copies that are made for it.

        None for an operator that another kernel takes along.
        """
        item = self.kernels.get(operator)
        if item is None or item.kernel.name != operator:
            return None
        return float(item.estimate.seconds) + self.copies.get(operator, 0.0)

    def sum(self, operators: Iterable[str]) -> float:
        """Seconds of the kernels whose main operators are among these."""
        return sum((self.of(operator) or 0.0 for operator in operators), start=0.0)

    def estimate(self, operators: Iterable[str]) -> Estimate:
        """The same with its interval, as wide as that of a run whose time is spent on these kernels."""
        from costmodel.kernels import Kind

        by_kind: dict[str, float] = {}
        for name in operators:
            item = self.kernels.get(name)
            if item is not None and item.kernel.name == name:
                parts = (item.kernel.kind, float(item.estimate.seconds)), (Kind.MOVEMENT, self.copies.get(name, 0.0))
                for kind, seconds in parts:
                    by_kind[kind] = by_kind.get(kind, 0.0) + seconds
        return _part(by_kind, self.platform, self.prediction.latency.coverage)

    def time(self, nodes: Sequence[Node], single: bool) -> Time:
        """What these operators take; of a single one also its kernel."""
        names = [node.name for node in nodes]
        kernel = ""
        if single:
            item = self.kernels.get(names[0])
            kernel = "" if item is None else item.kernel.name
            if kernel != names[0]:
                return Time(self.platform.id, None, None, kernel)
        estimate = self.estimate(names)
        whole = float(self.prediction.latency.seconds)
        return Time(self.platform.id, estimate, estimate.seconds / whole if whole else None, kernel)


def _part(by_kind: Mapping[str, float], platform: Platform, coverage: float) -> Estimate:
    """A part of a run, by_kind of its seconds in kernels of each kind."""
    from costmodel.predictor import Estimate, quantile_of
    from costmodel.predictor.predict import doubt_of

    seconds = sum(by_kind.values(), start=0.0)
    shares = {kind: time / seconds for kind, time in by_kind.items() if time}
    spread = math.exp(quantile_of(platform, coverage) * float(doubt_of(shares, platform.doubt)))
    return Estimate(seconds, seconds / spread, seconds * spread, coverage)


def timing(platform: Platform, prediction: Prediction) -> Timing:
    """The prediction of one network, ready to be looked up."""
    kernels = {node.name: item for item in prediction.kernels for node in item.kernel.operators}
    return Timing(platform, prediction, kernels, _copies(prediction))


def _copies(prediction: Prediction) -> dict[str, float]:
    """Seconds of kernels without operators, at the kernel that they stand before."""
    result: dict[str, float] = {}
    waiting, last = 0.0, ""
    for item in prediction.kernels:
        if not item.kernel.operators:
            waiting += float(item.estimate.seconds)
            continue
        last = item.kernel.name
        if waiting and item.kernel.kind != "view":
            result[last] = waiting
            waiting = 0.0
    if waiting and last:
        result[last] = result.get(last, 0.0) + waiting
    return result


def rows(model: str, graph: Graph, timings: Sequence[Timing], view: View) -> tuple[Row, ...]:
    """The rows of a view: dearest first where they are sorted or cut, else in the order of execution.

    model: what errors call the network.
    Raises UsageError for a depth below 1, for a sorted or cut view of costs that are columns or expressions, and for
    one by latency without a timing.
    """
    if view.depth is not None and view.depth < 1:
        raise UsageError(f"depth is {view.depth}; give a number from 1")
    groups = _groups(graph, view)
    if view.sort is not None or view.top is not None:
        groups = _ranked(model, groups, timings, view)[: view.top]
    elif view.by == "type" and (rank := _rank(groups, "mult_adds")) is not None:
        groups.sort(key=rank)
    return tuple(_row(graph, group, timings, view.by == "op") for group in groups)


_Group = tuple[str, tuple[Node, ...], Cost]


def _groups(graph: Graph, view: View) -> list[_Group]:
    if view.by == "op":
        return [(node.name, (node,), node.cost) for node in graph.nodes]
    members: dict[str, list[Node]] = {}
    for node in graph.nodes:
        name = node.qualified_type if view.by == "type" else ".".join(node.module.split(".")[: view.depth])
        members.setdefault(name, []).append(node)
    return [(name, tuple(nodes), Cost.total(node.cost for node in nodes)) for name, nodes in members.items()]


def _ranked(model: str, groups: list[_Group], timings: Sequence[Timing], view: View) -> list[_Group]:
    """The groups, dearest first, ties in the order of execution (types: by their counts)."""
    rank = _rank(groups, view.key)
    if view.sort == "latency":
        if not timings:
            raise UsageError(f"{model}: rows cannot be sorted by latency, since no platform is predicted; name one")
        if view.by == "type" and rank is not None:
            groups = sorted(groups, key=rank)
        return sorted(groups, key=lambda group: -timings[0].sum(node.name for node in group[1]))
    if rank is None:
        raise UsageError(f"{model}: only ints can be ranked, and {view.key} has columns or symbols; give all sizes")
    return sorted(groups, key=rank)


def _rank(groups: Sequence[_Group], key: SortKey) -> Callable[[_Group], tuple[int, ...]] | None:
    """What to sort by so that the dearest come first, ties by what else is an int; None where key is not."""
    names = [
        name
        for name in (key, "memory_access", "element_ops")
        if all(isinstance(getattr(cost, name), int) for _, _, cost in groups)
    ]
    if key not in names:
        return None
    return lambda group: tuple(-getattr(group[2], name) for name in names)


def _row(graph: Graph, group: _Group, timings: Sequence[Timing], single: bool) -> Row:
    name, nodes, cost = group
    shares: dict[str, float] = {}
    for count in COUNTS:
        part, whole = getattr(cost, count), getattr(graph.cost, count)
        if isinstance(part, int) and isinstance(whole, int) and whole:
            shares[count] = part / whole
    times = tuple(entry.time(nodes, single) for entry in timings)
    coverage = Coverage.of(nodes)
    if not single:
        return Row(name, cost, coverage, shares, times, nodes)
    outputs = (graph.tensors[output] for output in nodes[0].outputs if output in graph.tensors)
    spec = next(outputs, None)
    return Row(name, cost, coverage, shares, times, nodes, nodes[0], None if spec is None else spec.shape)
