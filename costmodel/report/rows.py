"""The rows that tables show: the dearest operators, or groups of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from costmodel.analysis import Analysis, SortKey
from costmodel.cost import Cost
from costmodel.graph import Counting, Node

By = Literal["op", "type", "module"]


@dataclass(frozen=True, slots=True)
class View:
    """What of an analysis to show.

    by: single operators, or operators summed by type or by module. top: at most so many rows, the
    dearest; None for all. sort: what is dear.
    """

    by: By = "op"
    top: int | None = None
    sort: SortKey = "mult_adds"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: an operator (type and output shape given) or a group (count given).

    label: the name as people look for it; an operator's name with its module where it does not tell.
    """

    name: str
    label: str
    cost: Cost
    op: str = ""
    output_shape: str = ""
    operators: int = 1
    counting: Counting = Counting.COUNTED


def rows(analysis: Analysis, view: View) -> list[Row]:
    """The rows of a view: dearest first where only some are shown, else in the order of execution."""
    if view.by == "op":
        nodes: Iterable[Node] = analysis.operators if view.top is None else analysis.top(view.top, view.sort)
        return [_operator_row(analysis, node) for node in nodes]
    groups = analysis.by_type() if view.by == "type" else analysis.by_module()
    result = [Row(group.name, group.name or "(top)", group.cost, operators=group.operators) for group in groups]
    if view.top is not None or view.by == "type":
        result.sort(key=lambda row: getattr(row.cost, view.sort), reverse=True)
    return result[: view.top]


def _operator_row(analysis: Analysis, node: Node) -> Row:
    specs = (analysis.graph.tensors.get(name) for name in node.outputs)
    spec = next((spec for spec in specs if spec is not None), None)
    shape = "" if spec is None or spec.shape is None else "x".join(map(str, spec.shape))
    named = not node.module or "/" in node.name or node.name.startswith(node.module)
    label = node.name if named else f"{node.module}/{node.name}"
    return Row(node.name, label, node.cost, node.qualified_type, shape, counting=node.counting)
