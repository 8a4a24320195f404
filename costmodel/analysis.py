"""analyze(): the one place that knows the order of the stages, and its frozen result."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from costmodel.cost import Cost
from costmodel.dims import Dim, is_symbolic
from costmodel.errors import ModelError, UsageError
from costmodel.graph import Counting, Graph, Node

SCHEMA = "costmodel.analysis/1"
ZOO = "zoo:"

ModelReference = str | os.PathLike[str] | Graph
SortKey = Literal["mult_adds", "memory_access", "params"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many operators are counted exactly, approximately, or not at all beyond their bytes.

    unknown_ops: the types of the last kind, each once.
    """

    counted: int
    approximated: int
    unknown: int
    unknown_ops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Operators that share a type or a module, and what they cost together."""

    name: str
    operators: int
    cost: Cost


@dataclass(frozen=True)
class Analysis:
    """What a network costs: one object, several views.

    model: its name as it was given. graph: its operators with their costs.
    """

    model: str
    graph: Graph

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
        kinds = Counter(node.counting for node in self.operators)
        unknown = {node.qualified_type: None for node in self.operators if node.counting is Counting.UNKNOWN}
        return Coverage(kinds[Counting.COUNTED], kinds[Counting.APPROXIMATED], kinds[Counting.UNKNOWN], tuple(unknown))

    def top(self, count: int, key: SortKey = "mult_adds") -> tuple[Node, ...]:
        """The `count` dearest operators, ties in the order of execution. Not for symbolic costs."""
        return tuple(sorted(self.operators, key=lambda node: _descending(node.cost, key))[:count])

    def by_type(self) -> tuple[Group, ...]:
        """The operators summed by their type, dearest first."""
        return self._grouped(lambda node: node.qualified_type)

    def by_module(self, depth: int | None = None) -> tuple[Group, ...]:
        """The operators summed by the module that they belong to, in the order of execution.

        depth: how many parts of the module's path to keep; all when None.
        """
        return self._grouped(lambda node: ".".join(node.module.split(".")[:depth]), ordered=False)

    def _grouped(self, name: Callable[[Node], str], ordered: bool = True) -> tuple[Group, ...]:
        members: dict[str, list[Node]] = {}
        for node in self.operators:
            members.setdefault(name(node), []).append(node)
        groups = [Group(key, len(nodes), Cost.total(n.cost for n in nodes)) for key, nodes in members.items()]
        if ordered and not any(is_symbolic(group.cost.mult_adds) for group in groups):
            groups.sort(key=lambda group: _descending(group.cost, "mult_adds"))
        return tuple(groups)

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
            "platforms": [],
            "findings": [],
        }


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


def _descending(cost: Cost, key: SortKey) -> tuple[Any, ...]:
    return -getattr(cost, key), -cost.memory_access, -cost.element_ops


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
) -> Analysis:
    """Count what a network costs.

    model: the path of an ONNX file, `zoo:NAME[,key=value...]`, or a Graph.
    dims: sizes of an ONNX model's free dims by name. shapes: whole shapes of inputs by name; a string in
        one is a symbol's name. batch: the leading dim of every input. values: elements of inputs that
        shapes are computed from (the size to resize to, say).
    strict_dims: refuse a model with free dims instead of assuming sizes for them.
    unknown: count operators that are not known by their bytes, or raise.
    symbolic: leave free dims as sympy symbols; the counts are then expressions.
    Raises ModelError for a model that cannot be used, UsageError for arguments that do not fit it.
    """
    if unknown not in ("bytes", "error"):
        raise UsageError(f"unknown={unknown!r}: it is 'bytes' or 'error'")
    name = model.name if isinstance(model, Graph) else os.fspath(model)
    if isinstance(model, Graph) or name.startswith(ZOO):
        if dims or shapes or values:
            raise UsageError(
                f"{name}: dims, shapes and values are for ONNX models; a zoo network takes resolution, batch"
            )
        graph = model if isinstance(model, Graph) else _from_zoo(name, batch)
    else:
        from costmodel.frontends import onnx

        graph = onnx.load(name, onnx.Wishes(dims or {}, shapes or {}, batch, strict_dims, symbolic, values or {}))
    analysis = Analysis(name, graph)
    if unknown == "error" and analysis.coverage.unknown:
        first = next(node for node in graph.nodes if node.counting is Counting.UNKNOWN)
        types = ", ".join(analysis.coverage.unknown_ops)
        raise ModelError(
            f"{name}: {analysis.coverage.unknown} operators cannot be counted ({types}), the first is {first.name!r}: "
            f"{first.note}; without --unknown=error they count their bytes"
        )
    return analysis


def _from_zoo(name: str, batch: Dim | None) -> Graph:
    from costmodel import zoo

    return zoo.load(name if batch is None else f"{name},batch={batch}")
