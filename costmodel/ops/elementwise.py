"""Element-wise operators: activations, arithmetic, comparisons, casts.

One scalar operation an output element for each elementary function in the formula: an exponential, a
comparison or an addition all count 1, so ReLU is 1 and the sigmoid, 1 / (1 + exp(-x)), is 4.
"""

from __future__ import annotations

from typing import Any

from costmodel.dtypes import from_onnx
from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import axis_index, dims, elementwise

_ONE = example("N C H W")
_TWO = example("N C H W", "C 1 1")
_BITS = example("N C", "N C", dtypes={0: "uint8", 1: "uint8"})
_LOGIC = example("N C", "N C", dtypes={0: "bool", 1: "bool"})


def _unary(ops: int, *op_types: str, summary: str, dtype: str | None = None, inputs: Any = _ONE) -> None:
    @operator(*op_types, example=inputs, summary=summary)
    def unary(x: TensorSpec, /) -> Result:
        return elementwise(x, ops=ops, dtype=dtype)


_unary(
    1, "Relu", "LeakyRelu", "Abs", "Neg", "Sign", "Reciprocal", "Sqrt", "Exp", "Log", "Erf", "Ceil", "Floor", "Round",
    "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh", "ThresholdedRelu",
    summary="element_ops = elements",
)  # fmt: skip
_unary(2, "Softsign", "Shrink", "Softplus", summary="element_ops = 2 x elements")
_unary(3, "HardSigmoid", "Elu", "Selu", "Celu", summary="element_ops = 3 x elements")
_unary(4, "Sigmoid", "HardSwish", "Mish", summary="element_ops = 4 x elements")
_unary(5, "Gelu", "Swish", summary="element_ops = 5 x elements")
_unary(1, "IsNaN", "IsInf", summary="element_ops = elements", dtype="bool")
_unary(1, "Not", summary="element_ops = elements", dtype="bool", inputs=example("N C", dtypes={0: "bool"}))
_unary(1, "BitwiseNot", summary="element_ops = elements", inputs=example("N C", dtypes={0: "uint8"}))


def _binary(*op_types: str, dtype: str | None = None, inputs: Any = _TWO) -> None:
    @operator(*op_types, example=inputs, summary="element_ops = broadcast elements")
    def binary(a: TensorSpec, b: TensorSpec, /, *, axis: int | None = None, broadcast: int = 0) -> Result:
        if broadcast and axis is not None and a.shape is not None and b.shape is not None:
            b = TensorSpec(_aligned(b, axis, len(a.shape)), b.dtype, b.name, b.value, b.stored, b.roots)
        return elementwise(a, b, dtype=dtype)


def _aligned(b: TensorSpec, axis: int, rank: int) -> tuple[Any, ...]:
    """Opset 6 and older: b's dims stand at `axis` of a's."""
    shape = dims(b)
    start = axis_index(axis, rank)
    if start + len(shape) > rank:
        raise ShapeError(f"axis {axis} leaves no room for the {len(shape)} dims of {b.name!r}")
    return (*shape, *(1,) * (rank - start - len(shape)))


_binary("Add", "Sub", "Mul", "Div", "Pow", "Mod")
_binary("BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", inputs=_BITS)
_binary("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", dtype="bool")
_binary("And", "Or", "Xor", dtype="bool", inputs=_LOGIC)


@operator("PRelu", example=_TWO)
def prelu(x: TensorSpec, slope: TensorSpec, /) -> Result:
    """element_ops = elements; the slopes are parameters."""
    return Result((TensorSpec(dims(x), x.dtype),), element_ops=x.elements)


@operator("Sum", "Max", "Min", example=example("N C", "N C", "C"))
def variadic(*tensors: TensorSpec) -> Result:
    """element_ops = (inputs - 1) x broadcast elements."""
    return elementwise(*tensors, ops=len(tensors) - 1)


@operator("Mean", example=example("N C", "N C", "C"))
def mean(*tensors: TensorSpec) -> Result:
    """element_ops = inputs x broadcast elements: the sum and one division."""
    return elementwise(*tensors, ops=len(tensors))


@operator("Clip", example=_ONE, settings=("low", "high"))
def clip(
    x: TensorSpec,
    low: TensorSpec | None = None,
    high: TensorSpec | None = None,
    /,
    *,
    max: float | None = None,
    min: float | None = None,
) -> Result:
    """element_ops = elements for each of the two limits that is given."""
    limits = (low is not None or min is not None) + (high is not None or max is not None)
    return elementwise(x, ops=limits)


@operator("Where", example=example("N C", "N C", "C", dtypes={0: "bool"}))
def where(condition: TensorSpec, a: TensorSpec, b: TensorSpec, /) -> Result:
    """element_ops = broadcast elements."""
    return elementwise(condition, a, b, dtype=a.dtype)


@operator("Cast", example=example("N C", to=10))
def cast(x: TensorSpec, /, *, to: int) -> Result:
    """element_ops = elements."""
    return elementwise(x, dtype=from_onnx(to))


@operator("CastLike", example=example("N C", "1", dtypes={1: "float16"}))
def cast_like(x: TensorSpec, target: TensorSpec, /) -> Result:
    """element_ops = elements; the target gives its type only."""
    result = elementwise(x, dtype=target.dtype)
    return Result(result.outputs, element_ops=result.element_ops, reads={1: 0}, params={1: 0})


@operator("BitCast", example=example("N C", to=6))
def bit_cast(x: TensorSpec, /, *, to: int) -> Result:
    """The same bits under another type of the same size; nothing moves."""
    return Result((TensorSpec(dims(x), from_onnx(to)),), free=True)


@operator("Dropout", example=_ONE, settings=("ratio", "training_mode"))
def dropout(x: TensorSpec, ratio: TensorSpec | None = None, training_mode: TensorSpec | None = None, /) -> Result:
    """Nothing moves in inference; element_ops = 2 x elements where training_mode is a true constant."""
    outputs = (TensorSpec(dims(x), x.dtype), TensorSpec(dims(x), "bool"))
    training = training_mode is not None and (training_mode.value is None or bool(training_mode.value.reshape(-1)[0]))
    return Result(outputs, element_ops=2 * x.elements) if training else Result(outputs, free=True)


@operator("SwiGLU", example=example("N C", "N C"))
def swiglu(gate: TensorSpec, linear: TensorSpec, /) -> Result:
    """element_ops = 6 x elements: the gate's swish is 5, times the linear input."""
    return elementwise(gate, linear, ops=6)
