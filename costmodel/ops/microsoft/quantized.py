"""Element-wise operators and copies of quantised tensors (com.microsoft).

An element-wise operator dequantises its inputs, computes, and quantises its output; where only one
scale is exchanged for another, that is two operations an element.
"""

from __future__ import annotations

from costmodel.dims import Dim
from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.composition import fused, needed, of
from costmodel.ops.microsoft.pooling import RESCALE
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, tensor

DOMAIN = "com.microsoft"
_BYTES = {0: "uint8", 2: "uint8", 3: "uint8", 5: "uint8", 7: "uint8"}


def _quantised(scale: TensorSpec, zero_point: TensorSpec | None, dtype: str, *parts: Result) -> Result:
    last = of("QuantizeLinear", parts[-1].outputs[0], scale, zero_point)
    return fused(*parts, last, outputs=(tensor(dims(last.outputs[0]), dtype),))


def _binary(qlinear: str, op_type: str) -> None:
    @operator(
        qlinear,
        domain=DOMAIN,
        example=example("N C H W", "", "", "N C 1 1", "", "", "", "", dtypes=_BYTES),
        settings=("a_scale", "a_zero_point", "b_scale", "b_zero_point", "c_scale", "c_zero_point"),
        summary=f"{op_type} between dequantised tensors, quantised again.",
    )
    def binary(
        a: TensorSpec,
        a_scale: TensorSpec,
        a_zero_point: TensorSpec | None = None,
        b: TensorSpec | None = None,
        b_scale: TensorSpec | None = None,
        b_zero_point: TensorSpec | None = None,
        c_scale: TensorSpec | None = None,
        c_zero_point: TensorSpec | None = None,
        /,
    ) -> Result:
        left = of("DequantizeLinear", a, a_scale, a_zero_point)
        right = of("DequantizeLinear", needed(b, "B"), needed(b_scale, "B_scale"), b_zero_point)
        work = of(op_type, left.outputs[0], right.outputs[0])
        return _quantised(needed(c_scale, "C_scale"), c_zero_point, a.dtype, left, right, work)


_binary("QLinearAdd", "Add")
_binary("QLinearMul", "Mul")


def _unary(qlinear: str, op_type: str) -> None:
    @operator(
        qlinear,
        domain=DOMAIN,
        example=example("N C H W", "", "", "", "", dtypes={0: "uint8", 2: "uint8", 4: "uint8"}),
        settings=("x_scale", "x_zero_point", "y_scale", "y_zero_point"),
        summary=f"{op_type} of a dequantised tensor, quantised again",
    )
    def unary(
        x: TensorSpec,
        x_scale: TensorSpec,
        x_zero_point: TensorSpec | None = None,
        y_scale: TensorSpec | None = None,
        y_zero_point: TensorSpec | None = None,
        /,
    ) -> Result:
        plain = of("DequantizeLinear", x, x_scale, x_zero_point)
        work = of(op_type, plain.outputs[0])
        return _quantised(needed(y_scale, "y_scale"), y_zero_point, x.dtype, plain, work)


_unary("QLinearLeakyRelu", "LeakyRelu")
_unary("QLinearSigmoid", "Sigmoid")
_unary("QLinearSoftmax", "Softmax")


@operator(
    "QLinearWhere",
    domain=DOMAIN,
    example=example(
        "N C",
        "N C",
        "",
        "",
        "N C",
        "",
        "",
        "",
        "",
        dtypes={0: "bool", 1: "uint8", 3: "uint8", 4: "uint8", 6: "uint8"},
    ),
    settings=("x_scale", "x_zero_point", "y_scale", "y_zero_point", "z_scale", "z_zero_point"),
)
def qlinear_where(
    condition: TensorSpec,
    x: TensorSpec,
    x_scale: TensorSpec,
    x_zero_point: TensorSpec,
    y: TensorSpec,
    y_scale: TensorSpec,
    y_zero_point: TensorSpec,
    z_scale: TensorSpec,
    z_zero_point: TensorSpec,
    /,
) -> Result:
    """Where; rescaling each output element is two operations."""
    work = of("Where", condition, x, y)
    return fused(work, element_ops=RESCALE * work.outputs[0].elements)


@operator(
    "QLinearConcat",
    domain=DOMAIN,
    example=example(
        "",
        "",
        "N C H W",
        "",
        "",
        "N D H W",
        "",
        "",
        axis=1,
        dtypes={1: "uint8", 2: "uint8", 4: "uint8", 5: "uint8"},
    ),
    settings=("y_scale", "y_zero_point"),
)
def qlinear_concat(y_scale: TensorSpec, y_zero_point: TensorSpec, /, *inputs: TensorSpec, axis: int) -> Result:
    """Concat of (tensor, scale, zero point) triples; rescaling each element is two operations."""
    if not inputs or len(inputs) % 3:
        raise ShapeError(f"{len(inputs)} inputs after Y_zero_point; each tensor comes with a scale and a zero point")
    out = of("Concat", *inputs[::3], axis=axis).outputs[0]
    steering: dict[int, Dim] = {i + 2: 0 for i in range(len(inputs)) if i % 3}
    return Result((tensor(dims(out), y_zero_point.dtype),), element_ops=RESCALE * out.elements, params=steering)
