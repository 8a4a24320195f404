"""What to measure on a machine that nothing is known of: stacks of kernels, building blocks and a few networks.

All are references to the zoo, so that whoever has the rows of a data CSV can build what they measured. Options of
stacks are drawn evenly over their ranges by a scrambled Halton sequence; channels are those at the edges of vectors
and blocks of 4, 8 and 16 and beside them, as networks have both.

The whole networks leave these families out, so that a profile can be put to the test on them: SqueezeNet,
GoogLeNet, ResNet, DenseNet, MobileNet V2 and V3, MnasNet, EfficientNet, ShuffleNet V2 and RegNet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import qmc

from costmodel import zoo
from costmodel.cost import Cost
from costmodel.errors import CostModelError

CHANNELS = (
    8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 58, 60, 62, 64, 66, 72, 80, 88, 96, 100, 112, 116, 120, 128, 144,
    160, 176, 184, 192, 200, 232, 240, 256, 304, 320, 384, 464, 480, 512,
)  # fmt: skip
SIDES = (7, 10, 14, 20, 28, 40, 56, 80, 112)
HALVES = (56, 58, 60, 62, 64, 66, 72, 80)  # channels of a ShuffleNet V2 branch, a step apart at the edges

LARGEST_MULT_ADDS = 300_000_000  # of a stack: some ten milliseconds of one core
LARGEST_ACCESS = 12_000_000  # elements
LEAST_ACCESS = 40_000  # elements; below it a run is nothing but its launches

NETWORKS = (
    "mobilenet_v1", "mobilenet_v1,width=0.5,resolution=160", "shufflenet_v1", "shufflenet_v1,groups=8,resolution=160",
    "ghostnet", "proxylessnas", "igcv3,resolution=160", "peleenet", "hardnet39_ds", "hardnet68_ds,resolution=160",
    "pplcnet", "mixnet_s", "rexnet", "condensenet", "dla46_c", "xception,resolution=128", "nasnet_a_mobile",
    "inception_v3,resolution=160", "repvgg_a0", "pphgnetv2_b0", "blazeface", "yolov4_tiny,resolution=224",
    "cspdarknet53,resolution=128",
)  # fmt: skip

Values = Sequence[int | str | float]


@dataclass(frozen=True, slots=True)
class _Family:
    """Items of one network: how many, and what each option is drawn from. fixed: options that all of them have."""

    network: str
    count: int
    options: Mapping[str, Values]
    fixed: str = ""


_ACTS = ("relu", "relu", "none", "relu6", "hard_swish", "swish")
_LAYERS = (2, 3, 4)
_FAMILIES = (
    _Family(
        "stack_conv",
        18,
        {"c": CHANNELS, "cout": CHANNELS, "resolution": SIDES, "act": _ACTS, "layers": _LAYERS},
        "kernel=1",
    ),
    _Family(
        "stack_conv",
        18,
        {"c": CHANNELS, "cout": CHANNELS, "resolution": SIDES, "kernel": (3, 3, 3, 5, 7), "stride": (1, 1, 2),
         "layers": (1, 2, 3)},
    ),
    _Family(
        "stack_conv",
        12,
        {"c": CHANNELS[4:], "cout": CHANNELS[4:], "resolution": SIDES, "kernel": (1, 3), "groups": (2, 3, 4, 8, 16, 32),
         "layers": _LAYERS},
    ),
    _Family(
        "stack_depthwise",
        18,
        {"c": CHANNELS, "resolution": SIDES, "kernel": (3, 3, 3, 5, 5, 7), "stride": (1, 1, 2), "act": _ACTS,
         "layers": _LAYERS},
    ),
    _Family("stack_shufflenet_v2", 6, {"c": CHANNELS[4:], "resolution": SIDES, "se": ("false", "true")}),
    _Family(
        "inverted_residual",
        16,
        {"cin": CHANNELS[:30], "cout": CHANNELS[:30], "resolution": SIDES, "expand": (1, 3, 4, 6), "stride": (1, 1, 2),
         "kernel": (3, 5), "act": ("relu6", "hard_swish", "swish"), "se": ("false", "true")},
    ),
    _Family(
        "stack_concat",
        6,
        {"c": CHANNELS, "growth": (8, 12, 16, 24, 32, 48), "kernel": (1, 3), "resolution": SIDES, "layers": (2, 4, 6)},
    ),
    _Family("paper_g3", 3, {"c": CHANNELS, "fragments": (2, 4), "resolution": SIDES}, "arrangement=parallel,blocks=3"),
    _Family("paper_g4", 4, {"c": (32, 64, 128, 256), "resolution": SIDES}, "blocks=3"),
    _Family("stack_linear", 6, {"c": (64, 128, 256, 512, 1024, 2048), "cout": (10, 100, 256, 1000), "layers": (1, 2)}),
    _Family(
        "stack_pool",
        10,
        {"c": CHANNELS, "resolution": SIDES, "kind": ("max", "avg", "global"), "kernel": (2, 3, 3), "stride": (1, 2),
         "layers": _LAYERS},
    ),
    _Family(
        "stack_elementwise",
        16,
        {"c": CHANNELS, "resolution": SIDES, "layers": _LAYERS,
         "kind": ("add", "mul", "gate", "relu", "relu6", "sigmoid", "hard_sigmoid", "hard_swish", "swish")},
    ),
    _Family("stack_shuffle", 5, {"c": CHANNELS, "resolution": SIDES, "groups": (2, 3, 4, 8), "layers": (1, 2)}),
)  # fmt: skip


def sweep(seed: int = 0) -> tuple[str, ...]:
    """References to everything that is to be measured, each once; the same for the same seed."""
    items = [item for index, family in enumerate(_FAMILIES) for item in _drawn(family, seed + 1000 * index)]
    ladder = [f"stack_shufflenet_v2,c={2 * half}" for half in HALVES]
    ladder += [f"stack_conv,c={half},cout={half},kernel=1" for half in HALVES]
    stated = [zoo.load(reference).name for reference in (*ladder, *NETWORKS)]
    return tuple(dict.fromkeys((*items, *stated)))


def _drawn(family: _Family, seed: int) -> list[str]:
    """References to the family's items: points that make a network, and one of a size worth a visit."""
    found: dict[str, None] = {}
    for options in _points(family, seed):
        settings = ",".join(f"{key}={value}" for key, value in options.items())
        try:
            graph = zoo.load(",".join(filter(None, (family.network, family.fixed, settings))))
        except CostModelError:  # groups that do not divide the channels
            continue
        if _is_worth_it(graph.cost):
            found[graph.name] = None
        if len(found) == family.count:
            break
    return list(found)


def _is_worth_it(cost: Cost) -> bool:
    """Whether a stack takes neither too long nor no time at all."""
    mult_adds, access = cost.mult_adds, cost.memory_access
    if not isinstance(mult_adds, int) or not isinstance(access, int):
        return False
    return mult_adds <= LARGEST_MULT_ADDS and LEAST_ACCESS <= access <= LARGEST_ACCESS


def _points(family: _Family, seed: int) -> Iterator[dict[str, int | str | float]]:
    """Options, evenly over their values."""
    sequence = qmc.Halton(len(family.options), seed=seed)
    for _ in range(64 * family.count):
        (point,) = sequence.random(1)
        yield {
            key: values[math.floor(share * len(values))]
            for (key, values), share in zip(family.options.items(), point, strict=True)
        }
