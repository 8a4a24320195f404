"""Mixtures of experts: every token goes through k of the experts (com.microsoft)."""

from __future__ import annotations

from collections.abc import Mapping

from costmodel.dims import Dim, exact_div, minimum, product, same
from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.composition import activation, fused, needed
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, tensor

DOMAIN = "com.microsoft"
_ROUTING = 6  # operations a token and expert: softmax (5) and the comparison of a top-k
_COMBINE = 2  # operations an output element and expert that runs: a weight and a sum
_DEQUANTISE = 2  # operations a weight: subtract the zero point, multiply by the scale
_WHICH = "which experts run depends on data; as many as can run are counted as read"


def _experts(
    x: TensorSpec,
    router: TensorSpec,
    layers: Mapping[int, Dim],
    stored: Mapping[int, TensorSpec | None],
    biases: tuple[TensorSpec | None, ...],
    k: Dim,
    activation_type: str,
    swiglu_fusion: int,
    dequantise: bool = False,
) -> Result:
    """layers: input position -> logical weights of all experts in a layer: the first, the second, and the
    gate's where it is a layer of its own. stored: the inputs of which each expert that runs reads its share.
    """
    *rows, hidden = dims(x, at_least=2)
    tokens = product(rows)
    routed, experts = dims(router, rank=2)
    same(routed, tokens, "tokens of the router and of the input")
    if isinstance(k, int) and isinstance(experts, int) and not 1 <= k <= experts:
        raise ShapeError(f"k is {k}; there are {experts} experts")
    weights = [exact_div(elements, experts, "weights of a layer in experts") for elements in layers.values()]
    width = exact_div(weights[0], hidden, "weights of an expert's first layer in rows of the hidden size")
    gated = activation_type.lower() == "swiglu"
    inner = exact_div(width, 2, "gated columns in halves") if gated and swiglu_fusion else width
    same(weights[1], inner * hidden, "weights of an expert's second layer")
    runs, active = tokens * k, minimum(experts, tokens * k)
    each: Dim = 0
    for elements in weights:
        each = each + elements
    ops = _ROUTING * router.elements + _COMBINE * runs * hidden
    ops = ops + (runs * inner if gated or len(weights) > 2 else 0)  # the gate's product
    ops = ops + (_DEQUANTISE * active * each if dequantise else 0)
    for bias in biases:
        ops = ops + (0 if bias is None else runs * dims(bias, rank=2)[1])
    shares = {i: active * product(dims(spec)[1:]) for i, spec in stored.items() if spec is not None}
    return fused(
        activation("silu" if gated else activation_type, TensorSpec((runs * inner,))),
        Result((), mult_adds=runs * each),
        outputs=(tensor(dims(x), x.dtype),),
        element_ops=ops,
        reads=shares,
        params=layers,
        approximate=_WHICH,
    )


@operator(
    "MoE",
    domain=DOMAIN,
    example=example("T H", "T 8", "8 I H", "8 I", "8 H I", "8 H", k=2, activation_type="silu"),
)
def moe(
    x: TensorSpec,
    router_probs: TensorSpec,
    fc1: TensorSpec,
    fc1_bias: TensorSpec | None = None,
    fc2: TensorSpec | None = None,
    fc2_bias: TensorSpec | None = None,
    fc3: TensorSpec | None = None,
    fc3_bias: TensorSpec | None = None,
    /,
    *,
    activation_type: str = "relu",
    k: int = 1,
    swiglu_fusion: int = 0,
) -> Result:
    """mult_adds = tokens x k x weights of one expert; at most min(experts, tokens x k) experts are read."""
    stored = {2: fc1, 3: fc1_bias, 4: needed(fc2, "fc2_experts_weights"), 5: fc2_bias, 6: fc3, 7: fc3_bias}
    layers = {i: spec.elements for i in (2, 4, 6) if (spec := stored[i]) is not None}
    biases = (fc1_bias, fc2_bias, fc3_bias)
    return _experts(x, router_probs, layers, stored, biases, k, activation_type, swiglu_fusion)


@operator(
    "QMoE",
    domain=DOMAIN,
    example=example(
        "T 2*H",
        "T 8",
        "8 4*I H",
        "8 4*I",
        None,
        "8 2*H I",
        "8 2*H",
        dtypes={2: "uint8", 5: "uint8"},
        k=2,
        activation_type="swiglu",
        swiglu_fusion=1,
    ),
    settings=(
        "fc1_scales",
        "fc2_scales",
        "fc3_scales",
        "fc1_zero_points",
        "fc2_zero_points",
        "fc3_zero_points",
        "fc1_global_scale",
        "fc2_global_scale",
        "fc1_act_scale",
        "fc2_act_scale",
        "fc1_act_block_scale",
        "fc2_act_block_scale",
    ),
)
def q_moe(
    x: TensorSpec,
    router_probs: TensorSpec,
    fc1: TensorSpec,
    fc1_scales: TensorSpec | None = None,
    fc1_bias: TensorSpec | None = None,
    fc2: TensorSpec | None = None,
    fc2_scales: TensorSpec | None = None,
    fc2_bias: TensorSpec | None = None,
    fc3: TensorSpec | None = None,
    fc3_scales: TensorSpec | None = None,
    fc3_bias: TensorSpec | None = None,
    fc1_zero_points: TensorSpec | None = None,
    fc2_zero_points: TensorSpec | None = None,
    fc3_zero_points: TensorSpec | None = None,
    router_weights: TensorSpec | None = None,
    fc1_global_scale: TensorSpec | None = None,
    fc2_global_scale: TensorSpec | None = None,
    fc1_act_scale: TensorSpec | None = None,
    fc2_act_scale: TensorSpec | None = None,
    fc1_act_block_scale: TensorSpec | None = None,
    fc2_act_block_scale: TensorSpec | None = None,
    /,
    *,
    activation_type: str = "relu",
    expert_weight_bits: int = 4,
    fc1_expert_weight_bits: int | None = None,
    fc2_expert_weight_bits: int | None = None,
    fc3_expert_weight_bits: int | None = None,
    k: int = 1,
    swiglu_fusion: int = 0,
) -> Result:
    """As MoE, with packed weights; dequantising is two operations for each weight that is read."""
    stored = {
        2: fc1,
        3: fc1_scales,
        4: fc1_bias,
        5: needed(fc2, "fc2_experts_weights"),
        6: fc2_scales,
        7: fc2_bias,
        8: fc3,
        9: fc3_scales,
        10: fc3_bias,
        11: fc1_zero_points,
        12: fc2_zero_points,
        13: fc3_zero_points,
    }
    bits = {2: fc1_expert_weight_bits, 5: fc2_expert_weight_bits, 8: fc3_expert_weight_bits}
    layers = {
        i: _unpacked(spec, own or expert_weight_bits) for i, own in bits.items() if (spec := stored[i]) is not None
    }
    biases = (fc1_bias, fc2_bias, fc3_bias)
    return _experts(x, router_probs, layers, stored, biases, k, activation_type, swiglu_fusion, dequantise=True)


def _unpacked(weight: TensorSpec, bits: int) -> Dim:
    """Logical elements of a weight: bytes hold several of fewer bits, other types are what they say."""
    if bits not in (2, 4, 8):
        raise ShapeError(f"weights of {bits} bits; they have 2, 4 or 8")
    return weight.elements * (8 // bits) if weight.dtype in ("uint8", "int8") else weight.elements
