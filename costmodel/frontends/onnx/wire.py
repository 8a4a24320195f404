"""Take the weights out of a serialised ONNX model without reading them.

A model's bytes are nearly all weights, and none of them is needed to count. This walks the protobuf
wire format from field to field by their lengths alone, over a memory map, and copies everything but
the payload of large tensors. What is left is a valid, small model that `onnx` parses in a blink. Pages
that hold weights are never touched.
"""

from __future__ import annotations

import mmap
import re

from costmodel.errors import ModelError

# A tensor's payload up to this many bytes stays: shapes, axes, scales and fill values are short.
KEPT_PAYLOAD = 1024
DEEPEST = 100  # protobuf's own limit of nested messages

# Field numbers of onnx.proto3 that matter here. message -> {field: message it holds}
_NESTED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
# message -> fields that hold payload: float_data, int32_data, string_data, int64_data, raw_data,
# double_data, uint64_data of a tensor; training_info of a model; a blob (s) of an attribute.
_PAYLOAD: dict[str, frozenset[int]] = {
    "model": frozenset({20}),
    "tensor": frozenset({4, 5, 6, 7, 9, 10, 11}),
    "attribute": frozenset({4}),
}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Payload written unpacked, one tag an element (int32_data, int64_data, uint64_data | float_data |
# double_data): skipped at the speed of a regex. Possessive, so that nothing is remembered to go back to.
_UNPACKED = re.compile(rb"(?:[\x28\x38\x58][\x80-\xff]{0,9}+[\x00-\x7f]|\x25[\x00-\xff]{4}|\x51[\x00-\xff]{8})++")

Buffer = bytes | mmap.mmap


def strip_weights(data: Buffer) -> bytes:
    """The serialised model without the payload of large tensors.

    Raises ModelError where the bytes are not a protobuf message, or end too early.
    """
    try:
        return _strip(data, 0, len(data), "model", 0)
    except IndexError:
        raise ModelError("truncated, or not an ONNX model (the file ends in the middle of a field)") from None


def _strip(data: Buffer, position: int, end: int, message: str, depth: int) -> bytes:
    if depth > DEEPEST:
        raise ModelError(f"not an ONNX model (messages are nested more than {DEEPEST} deep)")
    nested = _NESTED[message]
    payload = _PAYLOAD.get(message, frozenset())
    pieces: list[bytes] = []
    kept = position  # everything from here on is still to be copied
    while position < end:
        start = position
        tag = data[position]
        position += 1
        if tag >= 0x80:
            tag, position = varint(data, start)
        wire = tag & 7
        if tag < 8:
            # A file of zeros (a download that broke off) would be walked to its end two bytes at a time.
            raise ModelError(f"not an ONNX model (byte {start} begins field number 0, which is none)")
        if wire == _BYTES:
            length = data[position]
            position += 1
            if length >= 0x80:
                length, position = varint(data, position - 1)
            stop = position + length
            if stop > end:
                raise ModelError("truncated, or not an ONNX model (a field is longer than the file)")
            if length > KEPT_PAYLOAD:
                field = tag >> 3
                if field in payload:
                    pieces.append(data[kept:start])
                    kept = stop
                elif field in nested:
                    pieces.append(data[kept:start])
                    inner = _strip(data, position, stop, nested[field], depth + 1)
                    pieces.append(encode(tag) + encode(len(inner)))
                    pieces.append(inner)
                    kept = stop
            position = stop
        elif message == "tensor" and (run := _UNPACKED.match(data, start, end)):
            position = run.end()
            if position - start > KEPT_PAYLOAD:
                pieces.append(data[kept:start])
                kept = position
        else:
            position = skip(data, position, wire)
            if position > end:
                raise ModelError("truncated, or not an ONNX model (a field is longer than its message)")
    pieces.append(data[kept:end])
    return b"".join(pieces)


def skip(data: Buffer, position: int, wire: int) -> int:
    """The position after a field of fixed or variable length that begins there; its bytes stay unread."""
    if wire == _VARINT:
        return varint(data, position)[1]
    if wire == _FIXED32:
        return position + 4
    if wire == _FIXED64:
        return position + 8
    raise ModelError(f"not an ONNX model (byte {position} begins a field of wire type {wire})")


def varint(data: Buffer, position: int) -> tuple[int, int]:
    """The number of variable length that begins there, and the position after it."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ModelError(f"not an ONNX model (byte {position} is in a number that does not end)")


def encode(value: int) -> bytes:
    """A number of variable length as bytes."""
    result = bytearray()
    while value >= 0x80:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)
