"""Normalisations with sums, gates and activations fused into them (com.microsoft)."""

from __future__ import annotations

from costmodel.dims import exact_div, product, same
from costmodel.graph import TensorSpec
from costmodel.ops.composition import activation as activated
from costmodel.ops.composition import fused, of
from costmodel.ops.microsoft.layouts import channels_first
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, tensor

DOMAIN = "com.microsoft"
_SKIP = example("B S F", "B S F", "F", "F")


def _skip(x: TensorSpec, skip: TensorSpec, bias: TensorSpec | None) -> list[Result]:
    total = of("Add", x, skip)
    return [total] if bias is None else [total, of("Add", total.outputs[0], bias)]


def _with_sum(parts: list[Result], normalised: Result, x: TensorSpec) -> Result:
    """Outputs: normalised, mean, inverse deviation, the sum before the normalisation."""
    statistics = tensor((*dims(x)[:-1], 1), "float32")
    outputs = (normalised.outputs[0], statistics, statistics, tensor(dims(x), x.dtype))
    return fused(*parts, normalised, outputs=outputs)


@operator("SkipLayerNormalization", domain=DOMAIN, example=_SKIP)
def skip_layer_normalization(
    x: TensorSpec,
    skip: TensorSpec,
    gamma: TensorSpec,
    beta: TensorSpec | None = None,
    bias: TensorSpec | None = None,
    /,
) -> Result:
    """A residual sum and an optional bias, then LayerNormalization."""
    return _with_sum(_skip(x, skip, bias), of("LayerNormalization", x, gamma, beta), x)


@operator("SkipSimplifiedLayerNormalization", domain=DOMAIN, example=_SKIP)
def skip_simplified_layer_normalization(
    x: TensorSpec, skip: TensorSpec, gamma: TensorSpec, bias: TensorSpec | None = None, /
) -> Result:
    """A residual sum and an optional bias, then RMSNormalization."""
    return _with_sum(_skip(x, skip, bias), of("RMSNormalization", x, gamma), x)


@operator("GatedRMSNorm", domain=DOMAIN, example=example("B S F", "F", "B S F"))
def gated_rms_norm(x: TensorSpec, scale: TensorSpec, gate: TensorSpec, /, *, activation: str = "silu") -> Result:
    """RMSNormalization of groups as long as the scale, times an activated gate."""
    exact_div(dims(x, at_least=1)[-1], dims(scale, rank=1)[0], "last dim in groups of the scale")
    return fused(activated(activation, gate), of("Mul", x, gate), of("RMSNormalization", x, scale), outputs=_like(x))


def _like(x: TensorSpec) -> tuple[TensorSpec, ...]:
    return (tensor(dims(x), x.dtype),)


def _group_norm(x: TensorSpec, gamma: TensorSpec, beta: TensorSpec, groups: int, activation: int) -> list[Result]:
    exact_div(dims(gamma, rank=1)[0], groups, f"channels in {groups} groups")
    normalised = of("GroupNormalization", x, gamma, beta)
    return [normalised, activated("silu", x)] if activation else [normalised]


@operator("GroupNorm", domain=DOMAIN, example=example("N H W 8*C", "8*C", "8*C", groups=8, activation=1))
def group_norm(
    x: TensorSpec,
    gamma: TensorSpec,
    beta: TensorSpec,
    /,
    *,
    activation: int,
    channels_last: int = 1,
    groups: int,
) -> Result:
    """GroupNormalization, then SiLU where activation is 1."""
    _channels(x, gamma, channels_last)
    return fused(*_group_norm(x, gamma, beta, groups, activation), outputs=_like(x))


@operator(
    "SkipGroupNorm",
    domain=DOMAIN,
    example=example("N H W 8*C", "8*C", "8*C", "N H W 8*C", "8*C", groups=8, activation=1),
)
def skip_group_norm(
    x: TensorSpec,
    gamma: TensorSpec,
    beta: TensorSpec,
    skip: TensorSpec,
    bias: TensorSpec | None = None,
    /,
    *,
    activation: int,
    channels_last: int = 1,
    groups: int,
) -> Result:
    """A residual sum and an optional bias, then GroupNorm; the sum is the second output."""
    _channels(x, gamma, channels_last)
    sums = product(dims(x)) * (2 if bias is not None else 1)
    return fused(*_group_norm(x, gamma, beta, groups, activation), outputs=_like(x) * 2, element_ops=sums)


def _channels(x: TensorSpec, gamma: TensorSpec, channels_last: int) -> None:
    shape = dims(channels_first(x) if channels_last else x, at_least=2)
    same(shape[1], dims(gamma, rank=1)[0], "channels of the input and of gamma")
