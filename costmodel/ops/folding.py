"""Arithmetic on shapes, done ahead of the run.

Exporters write shapes as chains of Shape, Gather, Div, Slice, Concat, Reshape. Values are numpy arrays
of Python objects: ints stay exact, and a symbolic dim goes through the same code. One line an
operator; what is not listed here is simply not folded.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from costmodel.dims import product
from costmodel.dtypes import NAMES
from costmodel.graph import TensorSpec
from costmodel.ops import arithmetic

LARGEST_VALUE = 1024  # elements; longer constants are weights or tables, never a shape
LARGEST_FLOATS = 16  # elements; floats steer a shape as scales or bounds, of which there are few
_FLOATS = frozenset({"float32", "float64", "float16", "bfloat16"})

Values = Sequence[Any]
Fold = Callable[..., Any]


def as_value(items: Any) -> Any:
    """Nested sequences of numbers or dims as an array of Python objects."""
    if isinstance(items, np.ndarray):
        return items.astype(object)
    if isinstance(items, list | tuple):
        result = np.empty(len(items), object)
        for i, item in enumerate(items):
            result[i] = item
        return result
    result = np.empty((), object)
    result[()] = items
    return result


def fold(
    op_type: str,
    inputs: Sequence[TensorSpec | None],
    attributes: Mapping[str, Any],
    outputs: Sequence[TensorSpec],
) -> tuple[Any, ...]:
    """The values of an operator's outputs where its inputs' values are known, else ().

    Operators of ONNX's own domain only.
    """
    if op_type == "Shape":
        return _shape_value(inputs[0], attributes)
    if op_type == "Size":
        spec = inputs[0]
        return () if spec is None or spec.shape is None else (as_value(product(spec.shape)),)
    rule = _FOLDS.get(op_type)
    if rule is None or any(spec is not None and spec.value is None for spec in inputs):
        return ()
    for out in outputs:
        largest = LARGEST_FLOATS if out.dtype in _FLOATS else LARGEST_VALUE
        if out.shape is None or not isinstance(out.elements, int) or out.elements > largest:
            return ()
    values = [None if spec is None else spec.value for spec in inputs]
    integral = not inputs or inputs[0] is None or inputs[0].dtype not in _FLOATS
    try:
        result = rule(*values, attributes=attributes, outputs=outputs, integral=integral)
        result = result if isinstance(result, tuple) else (result,)
        result = tuple(_stored(value, out.dtype) for value, out in zip(result, outputs, strict=False))
    except (ArithmeticError, TypeError, ValueError, IndexError):
        return ()  # what cannot be folded is an ordinary operator
    return () if any(value.shape != out.shape for value, out in zip(result, outputs, strict=False)) else result


def _stored(value: Any, dtype: str) -> Any:
    return np.asarray(np.frompyfunc(lambda item: arithmetic.stored(item, dtype), 1, 1)(value), object)


def _shape_value(spec: TensorSpec | None, attributes: Mapping[str, Any]) -> tuple[Any, ...]:
    if spec is None or spec.shape is None:
        return ()
    return (as_value(spec.shape[attributes.get("start", 0) : attributes.get("end")]),)


def _map(function: Callable[..., Any]) -> Fold:
    ufunc = np.frompyfunc(function, function.__code__.co_argcount, 1)

    def rule(*values: Any, **_: Any) -> Any:
        return np.asarray(ufunc(*values), object)

    return rule


def _divide(a: Any, b: Any, *, integral: bool, **_: Any) -> Any:
    return _map(arithmetic.quotient if integral else arithmetic.ratio)(a, b)


def _modulo(a: Any, b: Any, *, attributes: Mapping[str, Any], **_: Any) -> Any:
    """The rest of a division: with the sign of b, with fmod with the sign of a."""
    return _map(arithmetic.rest_signed_like_a if attributes.get("fmod") else arithmetic.rest)(a, b)


def _cast(a: Any, *, attributes: Mapping[str, Any], **_: Any) -> Any:
    to = NAMES.get(attributes["to"], "")
    if to in _FLOATS:
        return a
    if to == "bool":
        return _map(lambda x: bool(x))(a)
    if to not in arithmetic.INTEGER_RANGES:
        raise ValueError("not a number")
    return _map(arithmetic.whole)(a)


def _compare(function: Callable[[Any, Any], Any]) -> Fold:
    def decided(a: Any, b: Any) -> bool:
        truth = function(a, b)
        if truth not in (True, False):
            raise ValueError("the comparison depends on a free dim")
        return bool(truth)

    return _map(decided)


def _gather(data: Any, indices: Any, *, attributes: Mapping[str, Any], **_: Any) -> Any:
    taken = np.take(data, indices.astype(np.int64), axis=attributes.get("axis", 0))
    return np.asarray(taken, object) if isinstance(taken, np.ndarray) else as_value(taken)


def _slice(
    data: Any,
    starts: Any = None,
    ends: Any = None,
    axes: Any = None,
    steps: Any = None,
    *,
    attributes: Mapping[str, Any],
    **_: Any,
) -> Any:
    if starts is None:
        starts, ends = attributes["starts"], attributes["ends"]
        axes = attributes.get("axes")
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    index = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        length = data.shape[axis]
        if step < 0 and length:
            start, end = max(start, -length), None if end < -length else end
        index[axis] = slice(start, end, step)
    return data[tuple(index)]


def _concat(*parts: Any, attributes: Mapping[str, Any], **_: Any) -> Any:
    return np.concatenate(parts, axis=attributes.get("axis", 1))


def _split(
    data: Any, _sizes: Any = None, *, attributes: Mapping[str, Any], outputs: Sequence[TensorSpec], **_: Any
) -> Any:
    axis = attributes.get("axis", 0)
    sizes = [out.shape[axis] for out in outputs if out.shape is not None]
    return tuple(np.split(data, np.cumsum(np.array(sizes, np.int64))[:-1], axis=axis))


def _as_output(data: Any, *_rest: Any, outputs: Sequence[TensorSpec], **_: Any) -> Any:
    return data.reshape(outputs[0].shape)


def _expand(data: Any, *_rest: Any, outputs: Sequence[TensorSpec], **_: Any) -> Any:
    return np.broadcast_to(data, _fixed_shape(outputs[0]))


def _fixed_shape(spec: TensorSpec) -> tuple[int, ...]:
    """The shape of an output that fold() has found to be small and free of symbols."""
    return tuple(dim for dim in spec.shape or () if isinstance(dim, int))


def _transpose(data: Any, *, attributes: Mapping[str, Any], **_: Any) -> Any:
    return np.transpose(data, attributes.get("perm"))


def _constant_of_shape(_sizes: Any, *, attributes: Mapping[str, Any], outputs: Sequence[TensorSpec], **_: Any) -> Any:
    fill = attributes.get("value")
    if fill is not None and fill.value is None:
        raise ValueError("the fill value is unknown")
    result: Any = np.empty(_fixed_shape(outputs[0]), dtype=object)
    result.fill(0 if fill is None else fill.value.reshape(-1)[0])
    return result


def _constant(*, outputs: Sequence[TensorSpec], **_: Any) -> Any:
    if outputs[0].value is None:
        raise ValueError("too large to be a shape")
    return outputs[0].value


def _range(start: Any, _limit: Any, delta: Any, *, outputs: Sequence[TensorSpec], **_: Any) -> Any:
    return as_value([start[()] + i * delta[()] for i in range(*_fixed_shape(outputs[0]))])


def _where(condition: Any, a: Any, b: Any, **_: Any) -> Any:
    return np.where(condition.astype(bool), a, b)


def _reduce(function: Callable[[Any, Any], Any], start: Any) -> Fold:
    def rule(data: Any, *_axes: Any, outputs: Sequence[TensorSpec], **_: Any) -> Any:
        if outputs[0].elements != 1:
            raise ValueError("only whole vectors are folded")
        total = start
        for item in data.reshape(-1):
            total = item if total is None else function(total, item)
        return as_value(total).reshape(outputs[0].shape)

    return rule


def _variadic(function: Callable[[Any, Any], Any]) -> Fold:
    pairwise = np.frompyfunc(function, 2, 1)

    def rule(*values: Any, **_: Any) -> Any:
        total = values[0]
        for value in values[1:]:
            total = pairwise(total, value)
        return np.asarray(total, object)

    return rule


def _tile(data: Any, repeats: Any, **_: Any) -> Any:
    return np.tile(data, [int(r) for r in repeats])


def _scatter_nd(data: Any, indices: Any, updates: Any, *, attributes: Mapping[str, Any], **_: Any) -> Any:
    if attributes.get("reduction", "none") != "none":
        raise ValueError("only plain updates are folded")
    result = data.copy()
    for place in np.ndindex(indices.shape[:-1]):
        result[tuple(indices[place].astype(int))] = updates[place]
    return result


_FOLDS: dict[str, Fold] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Identity": _as_output,
    "Cast": _cast,
    "Reshape": _as_output,
    "Flatten": _as_output,
    "Squeeze": _as_output,
    "Unsqueeze": _as_output,
    "Expand": _expand,
    "Tile": _tile,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "ScatterND": _scatter_nd,
    "Range": _range,
    "Where": _where,
    "Add": _map(arithmetic.add),
    "Sub": _map(lambda a, b: a - b),
    "Mul": _map(arithmetic.multiply),
    "Div": _divide,
    "Mod": _modulo,
    "Pow": _map(arithmetic.power),
    "Neg": _map(lambda a: -a),
    "Abs": _map(lambda a: abs(a)),
    "Relu": _map(lambda a: arithmetic.larger(a, 0)),
    "Sqrt": _map(arithmetic.root),
    "Floor": _map(arithmetic.floor),
    "Ceil": _map(arithmetic.ceil),
    "Not": _map(lambda a: not a),
    "And": _map(lambda a, b: a and b),
    "Or": _map(lambda a, b: a or b),
    "Equal": _compare(arithmetic.equal),
    "Less": _compare(operator.lt),
    "LessOrEqual": _compare(operator.le),
    "Greater": _compare(operator.gt),
    "GreaterOrEqual": _compare(operator.ge),
    "Min": _variadic(arithmetic.smaller),
    "Max": _variadic(arithmetic.larger),
    "Sum": _variadic(arithmetic.add),
    "ReduceProd": _reduce(arithmetic.multiply, 1),
    "ReduceSum": _reduce(arithmetic.add, 0),
    "ReduceMax": _reduce(arithmetic.larger, None),
    "ReduceMin": _reduce(arithmetic.smaller, None),
}
