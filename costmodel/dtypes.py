"""Element types: ONNX's numbers and names, and how many bits one element takes."""

from __future__ import annotations

from costmodel.dims import Dim, ceil_div

# TensorProto.DataType in onnx.proto: number -> (name, bits). Strings have no fixed size; 0 bits.
_ONNX_TYPES = {
    1: ("float32", 32),
    2: ("uint8", 8),
    3: ("int8", 8),
    4: ("uint16", 16),
    5: ("int16", 16),
    6: ("int32", 32),
    7: ("int64", 64),
    8: ("string", 0),
    9: ("bool", 8),
    10: ("float16", 16),
    11: ("float64", 64),
    12: ("uint32", 32),
    13: ("uint64", 64),
    14: ("complex64", 64),
    15: ("complex128", 128),
    16: ("bfloat16", 16),
    17: ("float8e4m3fn", 8),
    18: ("float8e4m3fnuz", 8),
    19: ("float8e5m2", 8),
    20: ("float8e5m2fnuz", 8),
    21: ("uint4", 4),
    22: ("int4", 4),
    23: ("float4e2m1", 4),
    24: ("float8e8m0", 8),
    25: ("uint2", 2),
    26: ("int2", 2),
}
NAMES = {number: name for number, (name, _) in _ONNX_TYPES.items()}
BITS = dict(_ONNX_TYPES.values())


def from_onnx(number: int) -> str:
    """The name of an ONNX element type; a number that no version of ONNX defines gives `undefined`."""
    return NAMES.get(number, "undefined")


def size_in_bytes(elements: Dim, dtype: str) -> Dim:
    """Bytes that `elements` packed elements of a type take; types without a fixed size take none."""
    bits = BITS.get(dtype, 0)
    if bits % 8 == 0:
        return elements * (bits // 8)
    return ceil_div(elements * bits, 8)
