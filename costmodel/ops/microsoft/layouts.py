"""Channels first and channels last: the same tensor with its dims in another order."""

from __future__ import annotations

from dataclasses import replace

from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result
from costmodel.ops.shapes import dims


def channels_first(x: TensorSpec) -> TensorSpec:
    """(N, spatial, C) as (N, C, spatial)."""
    batch, *size, channels = dims(x, at_least=2)
    return TensorSpec((batch, channels, *size), x.dtype, x.name, None, x.stored, x.roots)


def channels_last(result: Result) -> Result:
    """A result whose outputs are (N, C, spatial), with outputs (N, spatial, C)."""
    outputs = []
    for spec in result.outputs:
        batch, channels, *size = dims(spec, at_least=2)
        outputs.append(TensorSpec((batch, *size, channels), spec.dtype))
    return replace(result, outputs=tuple(outputs))
