"""The rows that tables show, and their columns of counts: the dearest operators, or groups of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from costmodel.analysis import Analysis, Coverage, Group, SortKey
from costmodel.cost import Cost
from costmodel.dims import show_shape
from costmodel.graph import Node
from costmodel.report.latency import ranking
from costmodel.report.names import operator_label
from costmodel.report.numbers import share, short

By = Literal["op", "type", "module"]
Sort = SortKey | Literal["latency"]

DEFAULT_TOP = 10  # operators that a table for people has unless more are asked for
_MOST_INPUTS = 3
_COUNTS: dict[SortKey, str] = {"mult_adds": "mult-adds", "params": "params", "memory_access": "mem. access"}


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
class Row:
    """One row: a single operator (node and output shape given), or a group of them.

    label: the name as people look for it; an operator's name with its module where it does not tell.
    members: names of all its operators.
    """

    name: str
    label: str
    cost: Cost
    node: Node | None = None
    output_shape: str = ""
    operators: int = 1
    coverage: Coverage | None = None
    members: tuple[str, ...] = ()

    @property
    def op(self) -> str:
        """The operator's type, empty for a group."""
        return "" if self.node is None else self.node.qualified_type


def rows(analysis: Analysis, view: View) -> list[Row]:
    """The rows of a view: dearest first where they are sorted or cut, else in the order of execution.

    Raises UsageError for rows by latency without a platform.
    """
    if view.sort == "latency":
        first = ranking(analysis)
        every = rows(analysis, replace(view, sort=None, top=None))
        return sorted(every, key=lambda row: first.sum(row.members), reverse=True)[: view.top]
    ranked = view.top is not None or view.sort is not None
    if view.by == "op":
        count = len(analysis.operators) if view.top is None else view.top
        nodes: Iterable[Node] = analysis.top(count, view.key) if ranked else analysis.operators
        return [_operator_row(analysis, node) for node in nodes]
    groups = analysis.by_type() if view.by == "type" else analysis.by_module(view.depth)
    result = list(map(_group_row, groups))
    if ranked or view.by == "type":
        result.sort(key=lambda row: getattr(row.cost, view.key), reverse=True)
    return result[: view.top]


def key_head(view: View) -> str:
    """The head of what is dear."""
    return _COUNTS[view.key]


def key_cells(row: Row, view: View, totals: Cost) -> tuple[str, str]:
    """A row's count of what is dear, and its share of the total."""
    part = getattr(row.cost, view.key)
    return short(part), share(part, getattr(totals, view.key))


def count_heads(view: View) -> list[str]:
    """The heads of the columns that count_cells() fills."""
    heads = []
    for count, name in _COUNTS.items():
        heads.append(name)
        if count in view.shares:
            heads.append("share" if view.by == "op" else f"share of {name}")
    return heads


def count_cells(row: Row, view: View, totals: Cost) -> list[str]:
    """A row's counts, each that has one with its share of the total behind it."""
    cells = []
    for count in _COUNTS:
        part = getattr(row.cost, count)
        cells.append(short(part))
        if count in view.shares:
            cells.append(share(part, getattr(totals, count)))
    return cells


def inputs(analysis: Analysis) -> str:
    """The network's inputs with their shapes: `image 1x3x224x224, mask 1x77`; of many the first ones."""
    graph = analysis.graph
    shown = [f"{name} {show_shape(graph.tensors[name].shape)}" for name in graph.inputs[:_MOST_INPUTS]]
    return ", ".join([*shown, "..."] if len(graph.inputs) > _MOST_INPUTS else shown)


def _group_row(group: Group) -> Row:
    label = group.name or "(top)"
    members = tuple(node.name for node in group.members)
    return Row(group.name, label, group.cost, operators=group.operators, coverage=group.coverage, members=members)


def _operator_row(analysis: Analysis, node: Node) -> Row:
    specs = (analysis.graph.tensors.get(name) for name in node.outputs)
    spec = next((spec for spec in specs if spec is not None), None)
    shape = "" if spec is None or spec.shape is None else "x".join(map(str, spec.shape))
    return Row(node.name, operator_label(node), node.cost, node, shape, members=(node.name,))
