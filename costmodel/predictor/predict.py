"""kernels x platform -> estimates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from costmodel.columns import Column
from costmodel.errors import UsageError
from costmodel.graph import Graph
from costmodel.kernels import Kernel, fuse, runtime_of
from costmodel.platforms.platform import Doubt, Platform
from costmodel.predictor.estimate import Estimate, KernelEstimate, Prediction
from costmodel.predictor.terms import Amounts, amounts, of_run

COVERAGE = 0.9
_UNKNOWN_KIND = 1.0  # doubt of a kind of kernel that a profile says nothing about: a factor of e
_SHORTEST = 1e-30  # seconds; what is divided by a time takes no less


def predict(graph: Graph, platform: Platform, *, coverage: float = COVERAGE) -> Prediction:
    """What the graph takes on the platform: the sum over its kernels of amount x coefficient, and a fixed time,
    stretched as a whole as the platform says.

    coverage: the share of networks whose measured latency the interval is to hold; one of the platform's.
    Dims may be ints or columns; estimates are then arrays. Raises UsageError for another coverage and for
    dims that are symbols.
    """
    quantile = quantile_of(platform, coverage)
    kernels = fuse(graph, runtime_of(platform.runtime, platform.machine.blocks))
    seconds = [kernel_seconds(kernel, platform) for kernel in kernels]
    fixed = fixed_seconds(graph, platform)
    total = sum(seconds, start=fixed)
    by_kind: dict[str, Any] = {}
    for kernel, time in zip(kernels, seconds, strict=True):
        by_kind[kernel.kind] = by_kind.get(kernel.kind, 0.0) + time
    latency = run_estimate(total, by_kind, platform, coverage)
    if platform.stretch.exponent:
        factor = latency.seconds / np.maximum(total, _SHORTEST)
        seconds, fixed = [time * factor for time in seconds], fixed * factor
    spreads = {kind: math.exp(quantile * doubt_of({kind: 1.0}, platform.doubt)) for kind in by_kind}
    return Prediction(
        platform.id,
        latency,
        fixed,
        tuple(
            KernelEstimate(kernel, _estimate(time, spreads[kernel.kind], coverage))
            for kernel, time in zip(kernels, seconds, strict=True)
        ),
    )


def run_estimate(total: Any, by_kind: Mapping[str, Any], platform: Platform, coverage: float = COVERAGE) -> Estimate:
    """The latency of runs whose kernels' times and what is fixed add up to `total` seconds, by_kind of it in the
    kernels of each kind. Numbers, or arrays with one entry a design. Raises UsageError as predict does."""
    shares = {kind: time / np.maximum(total, _SHORTEST) for kind, time in by_kind.items()}
    spread = np.exp(quantile_of(platform, coverage) * doubt_of(shares, platform.doubt))
    return _estimate(platform.stretch.of(total), spread, coverage)


def fixed_seconds(graph: Graph, platform: Platform) -> Any:
    """What a run takes beside its kernels, before the sum is stretched: seconds, or an array of them."""
    return _seconds(of_run(graph), platform.coefficients)


def kernel_seconds(kernel: Kernel, platform: Platform) -> Any:
    """What a kernel takes by itself, before the sum over a run is stretched: seconds, or an array of them."""
    return _seconds(amounts(kernel, platform.machine), platform.coefficients)


def doubt_of(shares: Mapping[str, Any], doubt: Doubt) -> Any:
    """The standard deviation of a prediction's logarithm, from the share of time that each kind takes."""
    parts = (share * doubt.kinds.get(kind, _UNKNOWN_KIND) for kind, share in shares.items())
    return np.sqrt(doubt.network**2 + sum(part * part for part in parts))


def _estimate(seconds: Any, spread: Any, coverage: float) -> Estimate:
    """spread: the factor between the latency and either end of its interval."""
    if isinstance(seconds, np.ndarray) or isinstance(spread, np.ndarray):
        return Estimate(seconds, seconds / spread, seconds * spread, coverage)
    return Estimate(float(seconds), float(seconds / spread), float(seconds * spread), coverage)


def quantile_of(platform: Platform, coverage: float) -> float:
    """How many doubts the held-out residuals stayed within, in a share `coverage` of them.

    Raises UsageError for a coverage that is not in the platform's profile.
    """
    for known, quantile in platform.doubt.quantiles.items():
        if math.isclose(known, coverage, abs_tol=1e-9):
            return quantile
    offered = ", ".join(f"{c:g}" for c in platform.doubt.quantiles)
    raise UsageError(f"{platform.id}: a coverage of {coverage:g} is not in its profile; it has {offered}")


def _seconds(work: Amounts, coefficients: Mapping[str, float]) -> Any:
    result: Any = 0.0
    for name, amount in work.items():
        price = coefficients.get(name, 0.0)
        if price:
            result = result + (amount if type(amount) is int else _number(amount)) * price
    return result


def _number(amount: Any) -> Any:
    if isinstance(amount, Column):
        return amount.values if len(amount) > 1 else amount.values[0]
    if isinstance(amount, int):
        return amount
    raise UsageError(f"only numbers can be priced, and an amount is {amount}; give all sizes")
