"""analyze(): the one place that knows the order of the stages, and its frozen result."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

from costmodel.cost import Cost
from costmodel.dims import Dim, show_shape
from costmodel.errors import ModelError, UsageError
from costmodel.graph import Counting, Graph, Node
from costmodel.views import COUNTS, LATENCY, Coverage, Row, Sort, Time, Timing, View, rows, timing

if TYPE_CHECKING:  # loaded when a platform is named: counting needs none of it
    from costmodel.guidelines import Options, Review
    from costmodel.platforms import Platform
    from costmodel.predictor import Prediction
    from costmodel.pricing import Budget, PlatformReference

SCHEMA = "costmodel.analysis/1"

ModelReference = str | os.PathLike[str] | Graph | Callable[..., Any]  # the last: a torch.nn.Module
Limits = tuple[tuple["Platform", float], ...]  # budgets in seconds


@dataclass(frozen=True, repr=False)
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
        return Coverage.of(self.operators)

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

    @cached_property
    def timings(self) -> tuple[Timing, ...]:
        """What each platform takes, by operator; nothing for a population, whose predictions are arrays."""
        if any(getattr(prediction.latency.seconds, "ndim", 0) for prediction in self.predictions):
            return ()
        return tuple(map(timing, self.platforms, self.predictions))

    def rows(self, view: View) -> tuple[Row, ...]:
        """The rows of a view; `costmodel analyze` shows the same. Raises UsageError as top() and by_module() do."""
        return rows(self.model, self.graph, self.timings, view)

    def top(self, count: int, by: Sort = "mult_adds") -> tuple[Row, ...]:
        """The `count` dearest operators, ties in the order of execution.

        by: what is dear: mult_adds, memory_access, params, or latency, on the first platform.
        Raises UsageError for another key, a negative count, costs that are columns or expressions, and for latency
        without a platform.
        """
        if by not in (*COUNTS, LATENCY):
            raise UsageError(f"top: by is {by!r}; it is one of {', '.join((*COUNTS, LATENCY))}")
        if count < 0:
            raise UsageError(f"top: count is {count}; give a number from 0")
        return self.rows(View("op", count, by))

    def by_type(self) -> tuple[Row, ...]:
        """The operators summed by their type, dearest first; in the order of execution where costs are no ints."""
        return self.rows(View("type"))

    def by_module(self, depth: int | None = None) -> tuple[Row, ...]:
        """The operators summed by the module that they belong to, in the order of execution.

        depth: how many parts of the module's path to keep, so that its children are summed with it; all
            when None. Raises UsageError for a depth below 1.
        """
        return self.rows(View("module", depth=depth))

    def to_records(self) -> list[dict[str, Any]]:
        """One flat dictionary an operator, in the order of execution.

        Of each platform it has the kernel that runs the operator and, at that kernel's main operator, milliseconds with
        their interval; None at others: PLATFORM:kernel, PLATFORM:latency_ms, PLATFORM:low_ms, PLATFORM:high_ms.
        """
        result = []
        for row, record in zip(self.rows(View()), self._operators(), strict=True):
            shape = "" if row.output_shape is None else show_shape(row.output_shape)
            times = {
                f"{time.platform}:{name}": value for time in row.times for name, value in time_record(time).items()
            }
            result.append({**record, "output_shape": shape, **times})
        return result

    def to_frame(self) -> Any:
        """The records of to_records() as a pandas DataFrame, a row an operator. Raises UsageError without pandas."""
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            raise UsageError(f"to_frame() needs pandas ({error}); install it: pip install pandas") from error
        return pandas.DataFrame.from_records(self.to_records())

    def plot_time(self, ax: Any = None) -> Any:
        """Where the time goes on each platform, drawn on matplotlib Axes, new ones by default; gives the Axes.

        Raises UsageError without a platform, for a population, and without matplotlib.
        """
        return _rendered("charts", "time", self, ax)

    def plot_roofline(self, platform: str | None = None, ax: Any = None) -> Any:
        """The kernels' mult-adds a second over their mult-adds a byte, below the ceilings of the platform's prices.

        platform: the id, or a unique beginning of it, of one that was predicted; the first by default.
        Raises UsageError for another, and as plot_time() does.
        """
        return _rendered("charts", "roofline", self, platform, ax)

    def plot_counts(self, ax: Any = None) -> Any:
        """Each operator's mult-adds over its memory access. Raises UsageError for costs that are no ints, and without
        matplotlib."""
        return _rendered("charts", "counts", self, ax)

    def _repr_html_(self) -> str:
        """What notebooks show: totals, latencies with their intervals, and coverage."""
        html: str = _rendered("notebook", "html", self)
        return html

    def __repr__(self) -> str:
        text: str = _rendered("notebook", "line", self)
        return text

    def _operators(self) -> Iterable[dict[str, Any]]:
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
            "operators": list(self._operators()),
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


def time_record(time: Time) -> dict[str, Any]:
    """A row's kernel, and the milliseconds that it takes with the ends of their interval; None for what it has not."""
    estimate = time.estimate
    if estimate is None:
        return {"kernel": time.kernel or None, "latency_ms": None, "low_ms": None, "high_ms": None}
    ends = {"latency_ms": estimate.seconds, "low_ms": estimate.low, "high_ms": estimate.high}
    return {"kernel": time.kernel or None, **{name: seconds * 1e3 for name, seconds in ends.items()}}


def _rendered(module: str, function: str, *arguments: Any) -> Any:
    """What a renderer makes of an analysis. Renderers build on analyses, so that one is named, and found when asked."""
    return getattr(import_module(f"costmodel.report.{module}"), function)(*arguments)


def analyze(
    model: ModelReference,
    inputs: Any = None,
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

    model: the path of an ONNX file, `zoo:NAME[,key=value...]`, a Graph, or a torch.nn.Module, which torch's own
        exporter writes as it runs in evaluation; the module itself stays as it is.
    inputs: of a module, what forward() takes: a shape, (1, 3, 224, 224); a tensor; a tuple of those, one for each
        argument; or a dictionary of them by the argument's name.
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
    name, graph = _loaded(model, inputs, given, batch)
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


def _loaded(model: ModelReference, inputs: Any, given: Sequence[str], batch: Dim | None) -> tuple[str, Graph | None]:
    """The model's name, and its graph where no file is to be read for it.

    inputs: of a module. given: arguments for the reading of a file, which nothing else takes.
    """
    if _is_module(model):
        given = [*given, "batch"] if batch is not None else given
        if given:
            raise UsageError(f"{type(model).__name__}: a module's inputs say all sizes; leave out {', '.join(given)}")
        from costmodel.frontends import torch

        return torch.load(model, inputs)
    if inputs is not None and not isinstance(model, str | os.PathLike | Graph):
        raise UsageError(f"inputs are for a torch.nn.Module, not for {_kind(model)}; pass the module itself")
    if inputs is not None:
        raise UsageError(f"{model}: inputs are for a torch.nn.Module only; give the sizes of a file with shapes")
    if isinstance(model, Graph):
        given = [*given, "batch"] if batch is not None else given
        if given:
            raise UsageError(f"{model.name}: a Graph has its sizes already; leave out {', '.join(given)}")
        return model.name, model
    name = os.fspath(model) if isinstance(model, str | os.PathLike) else None
    if not isinstance(name, str):
        raise UsageError(
            "a model is the path of an ONNX file, a name such as 'zoo:resnet18', a torch.nn.Module, or a Graph, not "
            f"{_kind(model)}"
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


def _is_module(model: object) -> TypeGuard[Any]:
    """Whether a model is a torch.nn.Module: whoever has one has imported torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


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
