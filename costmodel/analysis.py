"""analyze(): the one place that knows the order of the stages, and its frozen result."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from costmodel.cost import Cost
from costmodel.dims import Dim
from costmodel.errors import ModelError, UsageError
from costmodel.graph import Counting, Graph, Node
from costmodel.ops import find

if TYPE_CHECKING:  # loaded when a platform is named: counting needs none of it
    from costmodel.guidelines import Options, Review
    from costmodel.platforms import Platform
    from costmodel.predictor import Prediction
    from costmodel.pricing import Budget, PlatformReference

SCHEMA = "costmodel.analysis/1"

ModelReference = str | os.PathLike[str] | Graph
SortKey = Literal["mult_adds", "memory_access", "params"]
Limits = tuple[tuple["Platform", float], ...]  # budgets in seconds


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


@dataclass(frozen=True, slots=True)
class Group:
    """Operators that share a type or a module, what they cost together, and how far that can be trusted.

    operators: how many. members: which, in the order of execution.
    """

    name: str
    operators: int
    cost: Cost
    coverage: Coverage
    members: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Analysis:
    """What a network costs: one object, several views.

    model: its name as it was given. graph: its operators with their costs. platforms, predictions: what
    was asked for, and what the network takes on each, in the same order. budgets: latencies to keep to.
    """

    model: str
    graph: Graph
    platforms: tuple[Platform, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    budgets: tuple[Budget, ...] = ()

    @property
    def operators(self) -> tuple[Node, ...]:
        """Every operator in the order of execution."""
        return self.graph.nodes

    @property
    def totals(self) -> Cost:
        """The sum over all operators."""
        return self.graph.cost

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be assumed, one sentence each."""
        return self.graph.notes

    @cached_property
    def coverage(self) -> Coverage:
        """How far the totals can be trusted."""
        return _coverage(self.operators)

    @property
    def exceeded(self) -> tuple[Budget, ...]:
        """The budgets that the network may not keep to: the upper end of the latency's interval lies above."""
        return tuple(budget for budget in self.budgets if budget.exceeded)

    def check(
        self, options: Options | None = None, *, select: Iterable[str] = (), ignore: Iterable[str] = ()
    ) -> Review:
        """Where the network breaks the guidelines G1 to G4, and what that costs on the analysis's platforms.

        options: thresholds. select, ignore: names of guidelines to keep to, all without any, and to leave out.
        Raises UsageError without a platform, for names of no guideline, and for graphs of columns or symbols.
        """
        from costmodel.guidelines import Clock, chosen, review
        from costmodel.guidelines import Options as Defaults

        clocks = [Clock(platform, what) for platform, what in zip(self.platforms, self.predictions, strict=True)]
        return review(self.graph, clocks, options or Defaults(), chosen(select, ignore))

    def top(self, count: int, key: SortKey = "mult_adds") -> tuple[Node, ...]:
        """The `count` dearest operators, ties in the order of execution.

        Raises UsageError for another key, a negative count, and costs that are columns or expressions.
        """
        if key not in get_args(SortKey):
            raise UsageError(f"top: key is {key!r}; it is one of {', '.join(get_args(SortKey))}")
        if count < 0:
            raise UsageError(f"top: count is {count}; give a number from 0")
        rank = _rank([node.cost for node in self.operators], key)
        if rank is None:
            raise UsageError(f"{self.model}: only ints can be ranked, and {key} has columns or symbols; give all sizes")
        return tuple(sorted(self.operators, key=lambda node: rank(node.cost))[:count])

    def by_type(self) -> tuple[Group, ...]:
        """The operators summed by their type, dearest first; in the order of execution where costs are no ints."""
        groups = self._grouped(lambda node: node.qualified_type)
        rank = _rank([group.cost for group in groups], "mult_adds")
        return tuple(groups if rank is None else sorted(groups, key=lambda group: rank(group.cost)))

    def by_module(self, depth: int | None = None) -> tuple[Group, ...]:
        """The operators summed by the module that they belong to, in the order of execution.

        depth: how many parts of the module's path to keep, so that its children are summed with it; all
            when None. Raises UsageError for a depth below 1.
        """
        if depth is not None and depth < 1:
            raise UsageError(f"by_module: depth is {depth}; give a number from 1")
        return tuple(self._grouped(lambda node: ".".join(node.module.split(".")[:depth])))

    def _grouped(self, name: Callable[[Node], str]) -> list[Group]:
        members: dict[str, list[Node]] = {}
        for node in self.operators:
            members.setdefault(name(node), []).append(node)
        return [
            Group(key, len(nodes), Cost.total(node.cost for node in nodes), _coverage(nodes), tuple(nodes))
            for key, nodes in members.items()
        ]

    def to_records(self) -> Iterator[dict[str, Any]]:
        """One flat dictionary an operator, in the order of execution."""
        for node in self.operators:
            output = next((self.graph.tensors[name] for name in node.outputs if name in self.graph.tensors), None)
            yield {
                "name": node.name,
                "op": node.qualified_type,
                **cost_record(node.cost),
                "output_shape": None if output is None or output.shape is None else list(output.shape),
                "repeat": node.repeat,
                "counting": node.counting.value,
                "note": node.note,
                "module": node.module,
                "source": node.source,
            }

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, in the form of the published JSON (schema costmodel.analysis/1)."""
        coverage = self.coverage
        return {
            "schema": SCHEMA,
            "model": self.model,
            "totals": {**cost_record(self.totals), "operators": len(self.operators)},
            "operators": list(self.to_records()),
            "coverage": {
                "counted": coverage.counted,
                "approximated": coverage.approximated,
                "unknown": coverage.unknown,
                "unknown_ops": list(coverage.unknown_ops),
            },
            "assumptions": list(self.notes),
            "platforms": self._latencies(),
            "budgets": self._budgets(),
            "findings": self._findings(),
        }

    def _latencies(self) -> list[dict[str, Any]]:
        if not self.predictions:
            return []
        from costmodel.pricing import record

        pairs = zip(self.predictions, self.platforms, strict=True)
        return [record(prediction, platform, self.graph) for prediction, platform in pairs]

    def _findings(self) -> list[dict[str, Any]]:
        if not self.predictions or not isinstance(self.totals.memory_access, int):
            return []
        from costmodel.guidelines import record

        return [record(finding) for finding in self.check().findings]

    def _budgets(self) -> list[dict[str, Any]]:
        if not self.budgets:
            return []
        from costmodel.pricing import budget_record

        return [budget_record(budget) for budget in self.budgets]


def cost_record(cost: Cost) -> dict[str, Dim]:
    """A cost's counts by name."""
    return {
        "mult_adds": cost.mult_adds,
        "params": cost.params,
        "memory_access": cost.memory_access,
        "bytes": cost.bytes,
        "element_ops": cost.element_ops,
        "input_elements": cost.input_elements,
        "output_elements": cost.output_elements,
        "weight_elements": cost.weight_elements,
    }


def _coverage(nodes: Iterable[Node]) -> Coverage:
    kinds: Counter[Counting] = Counter()
    unknown: dict[str, None] = {}
    for node in nodes:
        kinds[node.counting] += 1
        if node.counting is Counting.UNKNOWN and find(node.op_type, node.domain) is None:
            unknown[node.qualified_type] = None
    return Coverage(kinds[Counting.COUNTED], kinds[Counting.APPROXIMATED], kinds[Counting.UNKNOWN], tuple(unknown))


def _rank(costs: Sequence[Cost], key: SortKey) -> Callable[[Cost], tuple[int, ...]] | None:
    """What to sort by so that the dearest come first, ties by what else is an int; None where key is not."""
    names = [
        name
        for name in (key, "memory_access", "element_ops")
        if all(isinstance(getattr(cost, name), int) for cost in costs)
    ]
    if key not in names:
        return None
    return lambda cost: tuple(-getattr(cost, name) for name in names)


def analyze(
    model: ModelReference,
    *,
    dims: Mapping[str, Dim] | None = None,
    shapes: Mapping[str, Sequence[Dim | str]] | None = None,
    batch: Dim | None = None,
    values: Mapping[str, Sequence[int | float]] | None = None,
    strict_dims: bool = False,
    unknown: Literal["bytes", "error"] = "bytes",
    symbolic: bool = False,
    platform: PlatformReference | Iterable[PlatformReference] | None = None,
    budgets: Mapping[str, float] | None = None,
    coverage: float = 0.9,
) -> Analysis:
    """Count what a network costs, and predict what it takes on platforms.

    model: the path of an ONNX file, `zoo:NAME[,key=value...]`, or a Graph.
    dims: sizes of an ONNX model's free dims by name. shapes: whole shapes of inputs by name; a string in
        one is a symbol's name. batch: the leading dim of every input, of a zoo network too (there also an
        integer column or a sympy symbol). values: elements of inputs that shapes are computed from (the
        size to resize to, say).
    strict_dims: refuse a model with free dims instead of assuming sizes for them.
    unknown: count operators that are not known by their bytes, or raise.
    symbolic: leave free dims as sympy symbols; the counts are then expressions, and nothing can be predicted.
    platform: ids, unique beginnings of ids, paths of profiles, or Platforms: one or several.
    budgets: seconds that a run may take, by platform; those platforms are predicted as well.
    coverage: the share of networks whose measured latency the predicted intervals are to hold.
    Raises ModelError for a model that cannot be used, UsageError for arguments that do not fit it.
    """
    if unknown not in ("bytes", "error"):
        raise UsageError(f"unknown={unknown!r}: it is 'bytes' or 'error'")
    read = {"dims": dims, "shapes": shapes, "values": values, "strict_dims": strict_dims, "symbolic": symbolic}
    given = [word for word, argument in read.items() if argument]
    targets, limits = _targets(platform, budgets)
    name, graph = _loaded(model, given, batch)
    if graph is None:
        from costmodel.frontends import onnx

        graph = onnx.load(name, onnx.Wishes(dims or {}, shapes or {}, batch, strict_dims, symbolic, values or {}))
    analysis = Analysis(name, graph)
    if unknown == "error" and analysis.coverage.unknown:
        raise ModelError(_refusal(analysis))
    return _priced(analysis, targets, limits, coverage)


def _targets(
    platform: PlatformReference | Iterable[PlatformReference] | None, budgets: Mapping[str, float] | None
) -> tuple[tuple[Platform, ...], Limits]:
    """The platforms to predict, and which of them have a budget; found before the model is read."""
    if platform is None and not budgets:
        return (), ()
    from costmodel.pricing import budgets_of, resolve

    named = resolve(platform)
    limits = budgets_of(budgets or {}, named)
    return resolve([*named, *(target for target, _ in limits)]), limits


def _priced(analysis: Analysis, targets: tuple[Platform, ...], limits: Limits, coverage: float) -> Analysis:
    """The analysis with what its network takes on the targets."""
    if not targets:
        return analysis
    from costmodel.pricing import Budget, price

    predictions = price(analysis.graph, analysis.model, targets, coverage)
    latency = {prediction.platform: prediction.latency for prediction in predictions}
    budgets = tuple(Budget(target.id, seconds, latency[target.id]) for target, seconds in limits)
    return replace(analysis, platforms=targets, predictions=predictions, budgets=budgets)


def _loaded(model: ModelReference, given: Sequence[str], batch: Dim | None) -> tuple[str, Graph | None]:
    """The model's name, and its graph where no file is to be read for it.

    given: arguments for the reading of a file, which nothing else takes.
    """
    if isinstance(model, Graph):
        given = [*given, "batch"] if batch is not None else given
        if given:
            raise UsageError(f"{model.name}: a Graph has its sizes already; leave out {', '.join(given)}")
        return model.name, model
    name = os.fspath(model) if isinstance(model, str | os.PathLike) else None
    if not isinstance(name, str):
        raise UsageError(
            f"a model is the path of an ONNX file, a name such as 'zoo:resnet18', or a Graph, not {_kind(model)}"
        )
    if ":" not in name:  # spares the reader of files the import of all networks
        return name, None
    from costmodel import zoo

    if not name.startswith(zoo.PREFIX):
        return name, None
    if given:
        raise UsageError(
            f"{name}: {', '.join(given)}: for ONNX models only; a zoo network takes batch, and its options as in "
            f"{zoo.PREFIX}NAME,resolution=192"
        )
    return name, zoo.load(name, **({} if batch is None else {"batch": batch}))


def _kind(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _refusal(analysis: Analysis) -> str:
    """Why --unknown=error refuses the model, in one sentence."""
    coverage = analysis.coverage
    first = next(node for node in analysis.operators if node.counting is Counting.UNKNOWN)
    count = "1 operator" if coverage.unknown == 1 else f"{coverage.unknown} operators"
    types = f"; no formula for {', '.join(coverage.unknown_ops)}" if coverage.unknown_ops else ""
    shape = "" if coverage.unknown_ops else "give the shapes of the inputs (--shape, --dim), or "
    return (
        f"{analysis.model}: {count} cannot be counted, first {first.name!r} ({first.qualified_type}): {first.note}"
        f"{types}; {shape}leave out --unknown=error to count bytes only"
    )
