"""The rows that tables show, and their columns of counts: the dearest operators, or groups of them."""

from __future__ import annotations

from dataclasses import dataclass

from costmodel import views
from costmodel.analysis import Analysis
from costmodel.cost import Cost
from costmodel.dims import show_shape
from costmodel.graph import Node
from costmodel.report.names import operator_label
from costmodel.report.numbers import share, short
from costmodel.views import Coverage, SortKey, Time, View

__all__ = ["Row", "View", "count_cells", "count_heads", "inputs", "key_cells", "key_head", "rows"]

_MOST_INPUTS = 3
_COUNTS: dict[SortKey, str] = {"mult_adds": "mult-adds", "params": "params", "memory_access": "mem. access"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a single operator (node and output shape given), or a group of them.

    label: the name as people look for it; an operator's name with its module where it does not tell.
    members: names of all its operators. times: one a platform.
    """

    name: str
    label: str
    cost: Cost
    node: Node | None = None
    output_shape: str = ""
    operators: int = 1
    coverage: Coverage | None = None
    members: tuple[str, ...] = ()
    times: tuple[Time, ...] = ()

    @property
    def op(self) -> str:
        """The operator's type, empty for a group."""
        return "" if self.node is None else self.node.qualified_type


def rows(analysis: Analysis, view: View) -> list[Row]:
    """The rows of a view, as Analysis.rows() has them, ready to be printed."""
    return list(map(_printed, analysis.rows(view)))


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


def _printed(row: views.Row) -> Row:
    node, sizes = row.node, row.output_shape
    label = row.name or "(top)" if node is None else operator_label(node)
    shape = "" if sizes is None else "x".join(map(str, sizes))
    members = tuple(member.name for member in row.members)
    return Row(row.name, label, row.cost, node, shape, row.operators, row.coverage, members, row.times)
