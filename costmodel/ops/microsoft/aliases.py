"""Operators that are ONNX's own under another domain."""

from __future__ import annotations

from costmodel.ops import (  # noqa: F401  (each registers what is taken over from it)
    elementwise,
    indexing,
    movement,
    normalization,
    pooling,
    quantization,
    resampling,
    shape,
)
from costmodel.ops.registry import find, operator

_SAME = {
    "com.microsoft": (
        "DequantizeLinear",
        "GatherND",
        "Gelu",
        "GridSample",
        "Pad",
        "QuantizeLinear",
        "Range",
        "SimplifiedLayerNormalization",
        "Trilu",
    ),
    # On blocks of channels; dims keep their order.
    "com.microsoft.nchwc": ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "Upsample"),
}


def _take_over(op_type: str, domain: str) -> None:
    original = find(op_type)
    assert original is not None, op_type
    names = original.function.__code__.co_varnames
    operator(
        op_type,
        domain=domain,
        example=original.example,
        settings=[names[i] for i in sorted(original.settings)],
        summary=original.summary,
    )(original.function)


for _domain, _op_types in _SAME.items():
    for _op_type in _op_types:
        _take_over(_op_type, _domain)
