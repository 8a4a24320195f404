"""What stands in for accuracy in a search: capacities, by name.

None of them is an accuracy: docs/capacity.md says what each was found to be worth.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.columns import Column
from costmodel.dims import Dim, floor_div
from costmodel.errors import UsageError
from costmodel.graph import Node, TensorSpec
from search import user_capacity
from search.design import Design
from search.entropy import EFFECTIVENESS, depth_and_width, effectiveness, entropy, image_shape
from search.top1_law import BAND, distance_from_family, law_note, law_top1

__all__ = [
    "DEFAULT",
    "EFFECTIVENESS",
    "NAMES",
    "Capacity",
    "capacity_of",
    "depth_and_width",
    "distance_from_family",
    "effectiveness",
    "law_note",
]

Amount = Callable[[Sequence[Node], Mapping[str, TensorSpec]], Any]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Capacity:
    """A stand-in for accuracy: the more, the better a network is taken to be.

    name: as users write it. summary: one line, what it is and what it is worth. unit: of what is shown, the header of a
    table's column.
    amount: what some operators of a network add to its total: a number, or an array (designs,) where dims are columns.
    It takes the operators and all tensors of their network. None where there is no such sum.
    shown: strictly increasing; a total, or an array of them, as it is shown.
    score: (designs,) the totals of any designs, one by one.
    """

    name: str
    summary: str
    unit: str
    amount: Amount | None
    shown: Callable[[Any], Any]
    score: Callable[[Sequence[Design]], Scores]


def capacity_of(name: str) -> Capacity:
    """The capacity called so: one of NAMES, or a user's own `module:function`.

    Raises UsageError for a name that there is not, and as user_capacity.load does.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    if ":" in name:
        function = user_capacity.load(name)
        return Capacity(name, function.summary, name.partition(":")[2], None, _as_it_is, function)
    near = difflib.get_close_matches(name.lower()[:100], NAMES, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(
        f"there is no capacity {name[:80]!r}; {hint}there are: {', '.join(NAMES)}, and your own as module:function"
    )


def _additive(name: str, summary: str, unit: str, amount: Amount, shown: Callable[[Any], Any]) -> Capacity:
    """A capacity that is the sum of its amounts over a network's operators."""

    def score(designs: Sequence[Design]) -> Scores:
        graphs = (design.graph() for design in designs)
        return np.array([amount(graph.nodes, graph.tensors) for graph in graphs], np.float64)

    return Capacity(name, summary, unit, amount, shown, score)


def _params(nodes: Sequence[Node], tensors: Mapping[str, TensorSpec]) -> Any:
    """Learned elements, an exact int or an int64 array."""
    return _exact(sum((node.cost.params for node in nodes), start=0))


def _mult_adds(nodes: Sequence[Node], tensors: Mapping[str, TensorSpec]) -> Any:
    """Mult-adds of one image, an exact int or an int64 array. Raises ModelError where the image is not known."""
    total: Dim = sum((node.cost.mult_adds for node in nodes), start=0)
    return _exact(floor_div(total, image_shape(tensors)[0]))  # without remainder: every image takes as many


def _exact(count: Dim) -> Any:
    return count.values if isinstance(count, Column) else count


def _as_it_is(total: Any) -> Any:
    return total


def _in_millions(total: Any) -> Any:
    return total / 1e6


_BUILT_IN = {
    capacity.name: capacity
    for capacity in (
        _additive(
            "entropy",
            "entropy of the convolutions' shapes, after DeepMAD: orders the widths of one family, hardly families",
            "entropy index",
            entropy,
            _as_it_is,
        ),
        _additive(
            "params",
            "learned parameters: orders published mobile networks well, but a wide head makes many",
            "params (M)",
            _params,
            _in_millions,
        ),
        _additive(
            "mult_adds",
            "mult-adds of an image (the paper's FLOPs): orders one family; equal ones leave 4 to 15 points open",
            "mult-adds (M)",
            _mult_adds,
            _in_millions,
        ),
        _additive(
            "top1_law",
            f"top-1 by mult-adds as of ShuffleNet V2: within about {BAND:g} points for its own proportions only",
            "top-1 law, %",
            _mult_adds,
            law_top1,
        ),
    )
}
NAMES = tuple(_BUILT_IN)
DEFAULT = "entropy"
