"""Samples as numbers: how much of each term every measured network has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from calibration.dataset import Sample
from calibration.fit import Array, Parts
from calibration.networks import graph
from calibration.physics import RATES
from costmodel.columns import Column
from costmodel.errors import UsageError
from costmodel.kernels import Kernel, Kind, fuse, runtime_of
from costmodel.platforms import Machine
from costmodel.predictor.terms import amounts

TERMS = tuple(RATES)

_CACHED = 8192

# Between them these have kernels of every kind: what a kind is made of where no sample has it.
_TYPICAL = (
    "zoo:mobilenet_v3_large",
    "zoo:shufflenet_v2",
    "zoo:shufflenet_v1",
    "zoo:googlenet,original=true",
    "zoo:resnet50",
    "zoo:efficientnet_b0",
)


@dataclass(frozen=True)
class Features:
    """Rows are samples. amounts: (samples, terms), in the order of TERMS. kinds: the same of each kind's kernels.

    mult_adds, memory_access: (samples,) exact counts, of the plain baselines. parts: the samples' kernels that were
    timed by themselves; None where there are none.
    """

    amounts: Array
    kinds: dict[Kind, Array]
    mult_adds: Array
    memory_access: Array
    parts: Parts | None = None


def features(samples: Sequence[Sample], runtime: str, machine: Machine) -> Features:
    """The features of samples for a runtime's kernels on a machine. Raises CostModelError for a network
    that cannot be built, and UsageError for one that has no fixed sizes."""
    work = _stacked([_features(s.network, s.batch, _size(s), runtime, machine) for s in samples])
    return replace(work, parts=_parts(samples, runtime, machine))


def _parts(samples: Sequence[Sample], runtime: str, machine: Machine) -> Parts | None:
    """Kernels that do the same in one network are one, of their mean time: they tell the same."""
    rows: list[tuple[Array, float, int]] = []
    for index, sample in enumerate(samples):
        if not sample.kernels:
            continue
        known = _kernels(sample.network, sample.batch, _size(sample), runtime, machine)
        alike: dict[bytes, tuple[Array, list[float]]] = {}
        for name, time in sample.kernels:
            if name in known and known[name].any():
                alike.setdefault(known[name].tobytes(), (known[name], []))[1].append(time)
        rows.extend((row, float(np.mean(own)), index) for row, own in alike.values())
    if not rows:
        return None
    work, times, places = zip(*rows, strict=True)
    return Parts(np.array(work), np.array(times), np.array(places, np.int64))


def strange_kernels(samples: Sequence[Sample], runtime: str, machine: Machine) -> int:
    """How many of the samples' kernels have names that no kernel has here: nothing is fitted to them."""
    return sum(
        name not in _kernels(sample.network, sample.batch, _size(sample), runtime, machine)
        for sample in samples
        for name, _ in sample.kernels
    )


@lru_cache(maxsize=_CACHED)
def _kernels(network: str, batch: int, size: str, runtime: str, machine: Machine) -> dict[str, Array]:
    """The amounts of each kernel of a network, by its name."""
    kernels = fuse(graph(network, batch, size), runtime_of(runtime, machine.blocks))
    return {kernel.name: _row(kernel, machine, network) for kernel in kernels}


def _row(kernel: Kernel, machine: Machine, network: str) -> Array:
    row = np.zeros(len(TERMS))
    for name, amount in amounts(kernel, machine).items():
        row[_INDEX[name]] += _number(amount, network)
    return row


def typical(runtime: str, machine: Machine) -> Features:
    """The features of well-known networks that between them have every kind of kernel."""
    return _stacked([_features(name, 1, "", runtime, machine) for name in _TYPICAL])


@dataclass(frozen=True)
class _One:
    kinds: dict[Kind, Array]
    run: Array
    mult_adds: float
    memory_access: float


@lru_cache(maxsize=_CACHED)
def _features(network: str, batch: int, size: str, runtime: str, machine: Machine) -> _One:
    kinds: dict[Kind, Array] = {}
    built = graph(network, batch, size)
    for kernel in fuse(built, runtime_of(runtime, machine.blocks)):
        row = kinds.setdefault(kernel.kind, np.zeros(len(TERMS)))
        for name, amount in amounts(kernel, machine).items():
            row[_INDEX[name]] += _number(amount, network)
    run = np.zeros(len(TERMS))
    run[_INDEX["run"]] = 1.0
    cost = built.cost
    return _One(kinds, run, _number(cost.mult_adds, network), _number(cost.memory_access, network))


def _stacked(rows: Sequence[_One]) -> Features:
    present = sorted({kind for row in rows for kind in row.kinds})
    none = np.zeros(len(TERMS))
    kinds = {kind: np.array([row.kinds.get(kind, none) for row in rows]) for kind in present}
    total = np.array([row.run for row in rows]) + _sum(kinds.values(), (len(rows), len(TERMS)))
    mult_adds, memory_access = (
        np.array([getattr(row, name) for row in rows]) for name in ("mult_adds", "memory_access")
    )
    return Features(total, kinds, mult_adds, memory_access)


def _sum(arrays: Iterable[Array], shape: tuple[int, int]) -> Array:
    result = np.zeros(shape)
    for array in arrays:
        result += array
    return result


def _size(sample: Sample) -> str:
    return sample.input if sample.network.endswith(".onnx") else ""


def _number(amount: object, network: str) -> float:
    if isinstance(amount, Column):
        amount = int(amount.values[0])
    if not isinstance(amount, int):
        raise UsageError(f"{network}: only networks of fixed sizes can be measured; give all sizes")
    return float(amount)


_INDEX = {name: index for index, name in enumerate(TERMS)}
