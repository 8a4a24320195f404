"""Small ONNX models for the tests, written in a line each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

FLOAT, INT32, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL
Dims = Sequence[int | str | None] | None

node = helper.make_node


def value(name: str, dims: Dims, dtype: int = FLOAT) -> onnx.ValueInfoProto:
    """A tensor's name, shape and element type; a dim may be a name or None."""
    return helper.make_tensor_value_info(name, dtype, dims)


def weight(name: str, *dims: int, dtype: int = FLOAT) -> onnx.TensorProto:
    """An initializer whose payload is left out: nobody reads it."""
    return TensorProto(name=name, data_type=dtype, dims=dims)


def ints(name: str, *items: int) -> onnx.TensorProto:
    """A vector of int64."""
    return helper.make_tensor(name, INT64, [len(items)], items)


def scalar(name: str, item: float, dtype: int = INT64) -> onnx.TensorProto:
    """A tensor of rank 0."""
    return helper.make_tensor(name, dtype, [], [item])


def body(
    nodes: Iterable[onnx.NodeProto],
    inputs: Iterable[onnx.ValueInfoProto] = (),
    outputs: Iterable[onnx.ValueInfoProto] = (),
    constants: Iterable[onnx.TensorProto] = (),
) -> onnx.GraphProto:
    """A graph."""
    return helper.make_graph(list(nodes), "graph", list(inputs), list(outputs), list(constants))


def function(
    name: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    nodes: Sequence[onnx.NodeProto],
    attributes: Sequence[str] = (),
    defaults: Sequence[onnx.AttributeProto] = (),
) -> onnx.FunctionProto:
    """A function of the domain `local`."""
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
    return helper.make_function("local", name, inputs, outputs, nodes, opsets, attributes, defaults)


def model(
    nodes: Iterable[onnx.NodeProto],
    inputs: Iterable[onnx.ValueInfoProto] = (value("x", (1, 3, 8, 8)),),
    constants: Iterable[onnx.TensorProto] = (),
    functions: Sequence[onnx.FunctionProto] = (),
    outputs: Iterable[onnx.ValueInfoProto] = (),
) -> onnx.ModelProto:
    """A model; its input is x, 1x3x8x8, when nothing else is said."""
    return helper.make_model(body(nodes, inputs, outputs, constants), functions=functions)


def save(content: onnx.ModelProto | bytes, folder: Path, name: str = "model.onnx") -> Path:
    """The model as a file in folder."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    return path


def field(number: int, payload: bytes) -> bytes:
    """A length-delimited field of the protobuf wire format."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def varint(number: int) -> bytes:
    """A number of the protobuf wire format: seven bits a byte, the lowest first."""
    result = bytearray()
    while number >= 0x80:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*result, number])


def attribute(name: str, content: Any) -> onnx.AttributeProto:
    """An attribute."""
    return helper.make_attribute(name, content)
