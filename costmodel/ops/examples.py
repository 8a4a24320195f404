"""From an operator's example to inputs: with symbols to print its formula, with numbers to test its laws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.ops.accounting import Applied, apply
from costmodel.ops.folding import as_value
from costmodel.ops.registry import Operator

OUTPUT_LIMIT = 32  # no operator's example has more outputs


def free_dims(op: Operator) -> tuple[str, ...]:
    """Names of the dims that an operator's example leaves free."""
    names: dict[str, None] = {}
    for entry in op.example.inputs:
        if isinstance(entry, str):
            for token in entry.split():
                names.update(dict.fromkeys(compile(token, "<example>", "eval").co_names))
    return tuple(names)


def inputs_of(op: Operator, bind: Mapping[str, Dim] | Callable[[str], Dim]) -> tuple[TensorSpec | None, ...]:
    """The example's inputs with its free dims bound."""
    lookup = bind if callable(bind) else bind.__getitem__
    bound = {name: lookup(name) for name in free_dims(op)}
    return tuple(_input(op, i, entry, bound) for i, entry in enumerate(op.example.inputs))


def _input(op: Operator, index: int, entry: Any, bound: Mapping[str, Any]) -> TensorSpec | None:
    if entry is None:
        return None
    name = op.function.__code__.co_varnames[min(index, op.function.__code__.co_argcount)]
    name = name if op.most is not None else f"{name}{index}"
    if isinstance(entry, str):
        shape = tuple(eval(token, {"__builtins__": {}}, dict(bound)) for token in entry.split())
        return TensorSpec(shape, op.example.dtypes.get(index, "float32"), name)
    value = as_value(entry)
    kind = "float32" if any(isinstance(item, float) for item in entry) else "int64"
    return TensorSpec(value.shape, op.example.dtypes.get(index, kind), name, value)


def apply_example(op: Operator, bind: Mapping[str, Dim] | Callable[[str], Dim]) -> Applied:
    """The operator applied to its own example; every output that it can give is wanted."""
    outputs = [f"output{i}" for i in range(OUTPUT_LIMIT)]
    return apply(op.op_type, op.domain, inputs_of(op, bind), op.example.attributes, outputs)
