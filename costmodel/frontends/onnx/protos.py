"""From protobuf messages to the IR's own values: element types, shapes, small constants, attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from costmodel.dims import LARGEST_RANK, Shape, check_shape
from costmodel.dtypes import from_onnx
from costmodel.errors import ModelError
from costmodel.frontends.onnx.checks import check_external_data
from costmodel.graph import TensorSpec
from costmodel.ops import as_value

_CONTAINERS = ("sequence_type", "optional_type")
_EXTERNAL = 1  # TensorProto.DataLocation
# Constants whose values can steer a shape: (numpy type in raw_data, field otherwise, largest count).
# Floats beyond a few elements are weights.
_VALUE_TYPES: dict[int, tuple[str, str, int]] = {
    1: ("<f4", "float_data", 16),
    2: ("u1", "int32_data", 128),
    3: ("i1", "int32_data", 128),
    6: ("<i4", "int32_data", 256),
    7: ("<i8", "int64_data", 128),
    9: ("?", "int32_data", 128),
    10: ("<f2", "", 16),
    11: ("<f8", "double_data", 16),
}


def tensor_spec(proto: Any, name: str = "") -> TensorSpec:
    """A TensorProto as a TensorSpec, with its value where it is small enough to steer a shape."""
    name = name or proto.name
    dims = tuple(proto.dims)
    check_shape(dims, f"tensor {name!r}")
    if proto.data_location == _EXTERNAL:
        check_external_data(proto)
        return TensorSpec(dims, from_onnx(proto.data_type), name=name)
    return TensorSpec(dims, from_onnx(proto.data_type), name=name, value=_value(proto, dims, name))


def _value(proto: Any, dims: tuple[int, ...], name: str) -> Any:
    kind = _VALUE_TYPES.get(proto.data_type)
    if kind is None:
        return None
    numpy_type, field, largest = kind
    count = 1
    for dim in dims:
        count *= dim
    if count > largest or (count == 0 and len(dims) > 1):
        return None
    raw = proto.raw_data
    if raw:
        if len(raw) != count * np.dtype(numpy_type).itemsize:
            raise ModelError(f"tensor {name!r} has {len(raw)} bytes of data for {count} elements of {numpy_type}")
        items = np.frombuffer(raw, numpy_type).tolist()
    elif field:
        items = list(getattr(proto, field))
        if len(items) != count:
            return None  # taken out with the weights, or never there
    else:
        return None
    return as_value(items).reshape(dims)


def sparse_spec(proto: Any) -> TensorSpec:
    """A SparseTensorProto as the TensorSpec of the dense tensor that it stands for."""
    dims = tuple(proto.dims)
    check_shape(dims, f"sparse tensor {proto.values.name!r}")
    return TensorSpec(dims, from_onnx(proto.values.data_type), name=proto.values.name)


def attributes(protos: Iterable[Any], outer: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """AttributeProtos as Python values: tensors as TensorSpecs, subgraphs as they are.

    outer: the attributes of the function call around it, which a reference attribute names.
    """
    result = {}
    for attribute in protos:
        reference = attribute.ref_attr_name
        if reference:
            if outer is not None and reference in outer:
                result[attribute.name] = outer[reference]
            continue
        read = _READ.get(attribute.type)
        if read is None:
            read = _guess(attribute)
        result[attribute.name] = read(attribute)
    return result


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


_READ: dict[int, Callable[[Any], Any]] = {
    1: lambda a: a.f,
    2: lambda a: a.i,
    3: lambda a: _text(a.s),
    4: lambda a: tensor_spec(a.t),
    5: lambda a: a.g,
    6: lambda a: tuple(a.floats),
    7: lambda a: tuple(a.ints),
    8: lambda a: tuple(map(_text, a.strings)),
    9: lambda a: tuple(map(tensor_spec, a.tensors)),
    10: lambda a: tuple(a.graphs),
    11: lambda a: sparse_spec(a.sparse_tensor),
    12: lambda a: tuple(map(sparse_spec, a.sparse_tensors)),
    13: lambda a: a.tp,
    14: lambda a: tuple(a.type_protos),
}
_FIELDS = ((1, "f"), (2, "i"), (3, "s"), (4, "t"), (5, "g"))


def _guess(attribute: Any) -> Callable[[Any], Any]:
    """Files older than IR version 2 do not state an attribute's type: it is the field that is set."""
    for number, field in _FIELDS:
        if attribute.HasField(field):
            return _READ[number]
    for number, field in ((6, "floats"), (7, "ints"), (8, "strings")):
        if getattr(attribute, field):
            return _READ[number]
    return _READ[7]


def unwrapped(type_proto: Any) -> Any:
    """The type of the tensors in a sequence or an optional value; a tensor's type as it is."""
    while (which := type_proto.WhichOneof("value")) in _CONTAINERS:
        type_proto = getattr(type_proto, which).elem_type
    return type_proto


def declared_spec(type_proto: Any, name: str, dim: Callable[[Any, int], Any]) -> TensorSpec:
    """What a value_info says of a tensor; of a sequence or an optional value, what its elements are.

    dim: gives the size of one dimension message (and its axis), or None where it is not known, which
    leaves the whole shape unknown.
    """
    type_proto = unwrapped(type_proto)
    which = type_proto.WhichOneof("value")
    if which not in ("tensor_type", "sparse_tensor_type"):
        return TensorSpec(None, "undefined", name=name)
    tensor_type = getattr(type_proto, which)
    dtype = from_onnx(tensor_type.elem_type)
    if not tensor_type.HasField("shape"):
        return TensorSpec(None, dtype, name=name)
    if len(tensor_type.shape.dim) > LARGEST_RANK:
        raise ModelError(f"tensor {name!r} has {len(tensor_type.shape.dim)} dims; at most {LARGEST_RANK} make sense")
    return TensorSpec(_shape(tensor_type.shape.dim, dim), dtype, name=name)


def _shape(protos: Iterable[Any], dim: Callable[[Any, int], Any]) -> Shape | None:
    shape = tuple(dim(proto, axis) for axis, proto in enumerate(protos))
    return None if any(d is None for d in shape) else shape
