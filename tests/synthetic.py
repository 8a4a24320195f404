"""Made-up platforms for tests: coefficients that are known, and the latencies that follow from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration import physics
from calibration.dataset import Sample
from calibration.features import TERMS, Features, features, typical
from calibration.fit import Array
from calibration.machines import machine_of

RUNTIME = "ncnn"
MACHINE = machine_of(RUNTIME, "fp32", "cpu")
PHYSICS = physics.prior("cpu")
REFERENCE = typical(RUNTIME, MACHINE)

SEEN = tuple(
    f"zoo:{name}"
    for name in (
        "alexnet", "blazeface", "efficientnet_b0", "ghostnet", "googlenet", "googlenet,resolution=128",
        "mobilenet_v1", "mobilenet_v1,width=0.5", "mobilenet_v1,width=0.25,resolution=128",
        "mobilenet_v1,resolution=96", "mobilenet_v2", "mobilenet_v2,width=0.5", "mobilenet_v2,resolution=96",
        "mobilenet_v2,width=0.35,resolution=160",
        "mobilenet_v3_small", "mobilenet_v3_large", "mobilenet_v3_small,resolution=128", "mnasnet", "mnasnet,width=0.5",
        "proxylessnas", "regnet_x_400mf", "regnet_y_400mf", "regnet_y_400mf,resolution=128",
        "resnet18", "resnet34", "resnet50", "resnet18,resolution=96", "resnet50,resolution=128",
        "shufflenet_v1", "shufflenet_v1,groups=8", "shufflenet_v1,width=0.5",
        "shufflenet_v2", "shufflenet_v2,width=0.5", "shufflenet_v2,width=1.5", "shufflenet_v2,resolution=96",
        "squeezenet1_1", "squeezenet1_1,resolution=128", "vgg11", "vgg11,resolution=96", "vgg16",
    )
)  # fmt: skip
UNSEEN = tuple(
    f"zoo:{name}"
    for name in (
        "efficientnet_b0,resolution=160", "ghostnet,width=0.5", "googlenet,resolution=192",
        "mobilenet_v1,width=0.75", "mobilenet_v2,width=0.75,resolution=128", "mobilenet_v3_large,resolution=160",
        "mnasnet,resolution=160", "regnet_x_400mf,resolution=160", "resnet18,resolution=160", "resnet34,resolution=128",
        "shufflenet_v1,groups=4", "shufflenet_v2,width=2.0", "squeezenet1_1,resolution=192", "vgg13",
    )
)  # fmt: skip


def work(names: Sequence[str]) -> Features:
    """What the kernels of networks do, on MACHINE."""
    return features([Sample(name, 1.0) for name in names], RUNTIME, MACHINE)


def truth(seed: int, scatter: float = 0.3, speed: float = 1e-10, mean: Array = PHYSICS.mean) -> Array:
    """A platform's coefficients: `mean` with every rate off by a random factor, of `scatter` in the logarithm.

    speed: seconds for a mult-add of a 1x1 convolution, before that factor.
    """
    off = np.random.default_rng(seed).normal(0.0, scatter, len(TERMS))
    result: Array = speed * np.exp(mean - mean[TERMS.index("pointwise.mult_adds")] + off)
    return result


def noisy(seconds: Array, share: float, seed: int) -> Array:
    """Latencies with random relative errors."""
    result: Array = seconds * np.exp(np.random.default_rng(seed).normal(0.0, share, len(seconds)))
    return result


def error(predicted: Array, seconds: Array) -> Array:
    """Relative errors, without their sign."""
    result: Array = np.abs(predicted / seconds - 1)
    return result
