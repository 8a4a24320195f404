"""Reductions along axes, running sums, and positions of extremes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costmodel.dims import Dim
from costmodel.errors import UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, axis_index, axis_indices, declared_output, dims, setting, tensor

# Scalar operations an input element: ReduceL2 squares and adds.
_OPERATIONS = {
    "ReduceSum": 1,
    "ReduceMean": 1,
    "ReduceMax": 1,
    "ReduceMin": 1,
    "ReduceProd": 1,
    "ReduceL1": 2,
    "ReduceL2": 2,
    "ReduceSumSquare": 2,
    "ReduceLogSum": 1,
    "ReduceLogSumExp": 2,
}


def _register(op_type: str, ops: int) -> None:
    @operator(
        op_type,
        example=example("N C H W", (2, 3)),
        settings=("axes_input",),
        summary=f"element_ops = {'' if ops == 1 else f'{ops} x '}input elements",
    )
    def reduce(
        x: TensorSpec,
        axes_input: TensorSpec | None = None,
        /,
        *,
        axes: tuple[int, ...] = (),
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
        declared: Declared = (),
    ) -> Result:
        shape = dims(x)
        try:
            chosen: Sequence[Any] = setting(axes_input) or axes
        except UnknownShapeError as why:
            return Result((declared_output(declared, 0, why),), element_ops=ops * x.elements)
        if not chosen and noop_with_empty_axes:
            # No axis is reduced, but what the reduction does to each element is still done.
            return Result((TensorSpec(shape, x.dtype),), element_ops=(ops - 1) * x.elements)
        reduced = axis_indices(chosen, len(shape)) if chosen else tuple(range(len(shape)))
        kept: list[Dim] = [1 if i in reduced else d for i, d in enumerate(shape) if keepdims or i not in reduced]
        return Result((tensor(kept, x.dtype),), element_ops=ops * x.elements)


for _op_type, _ops in _OPERATIONS.items():
    _register(_op_type, _ops)


@operator("ArgMax", "ArgMin", example=example("N C", axis=1))
def arg_extreme(x: TensorSpec, /, *, axis: int = 0, keepdims: int = 1) -> Result:
    """element_ops = input elements."""
    shape = dims(x)
    at = axis_index(axis, len(shape))
    kept: list[Dim] = [1 if i == at else d for i, d in enumerate(shape) if keepdims or i != at]
    return Result((tensor(kept, "int64"),), element_ops=x.elements)


@operator("CumSum", "CumProd", example=example("N C", (1,)), settings=("axis",))
def cumulate(x: TensorSpec, axis: TensorSpec, /) -> Result:
    """element_ops = elements."""
    return Result((TensorSpec(dims(x), x.dtype),), element_ops=x.elements)
