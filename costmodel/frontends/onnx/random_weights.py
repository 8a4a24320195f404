"""Values for the constants of a graph that has none: random weights under which a network can run.

Activations neither vanish nor overflow, however deep the network: from the input (standard normal) on,
the mean and the variance of every tensor are followed through the graph, and a convolution's weights
are scaled so that its output has variance 1 whatever it reads. This is He's initialisation (He et al.,
Delving Deep into Rectifiers, 2015, Section 2.2) with the variance that a tensor really has in the place of
that behind a ReLU: a sum of residual branches or a gate has another.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.graph import Graph, Node, TensorSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Filling:
    """What a constant is filled with: normally distributed floats, or whole numbers below a bound.

    mean, deviation: of floats. below: the smallest whole number that does not fit; they count up from 0.
    """

    mean: float = 0.0
    deviation: float = 0.0
    below: int = 1


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and variance of a tensor's elements."""

    mean: float = 0.0
    variance: float = 1.0

    @property
    def square(self) -> float:
        """The mean of the squares."""
        return self.mean**2 + self.variance


_UNIT = Moments()
_OTHER = Filling(deviation=0.02)  # embeddings, and what a network adds to activations
_SMALLEST = 1e-12  # mean squares below it are those of a tensor of zeros

# Operator and input -> value of every element: what leaves activations as they are, and usual slopes.
_LEVELS: dict[tuple[str, int], float] = {
    ("BatchNormalization", 1): 1.0,
    ("BatchNormalization", 2): 0.0,
    ("BatchNormalization", 3): 0.0,
    ("BatchNormalization", 4): 1.0,
    ("LayerNormalization", 1): 1.0,
    ("LayerNormalization", 2): 0.0,
    ("InstanceNormalization", 1): 1.0,
    ("InstanceNormalization", 2): 0.0,
    ("GroupNormalization", 1): 1.0,
    ("GroupNormalization", 2): 0.0,
    ("RMSNormalization", 1): 1.0,
    ("PRelu", 1): 0.25,
    ("Conv", 2): 0.0,
    ("ConvTranspose", 2): 0.0,
    ("Gemm", 2): 0.0,
    ("Mul", 0): 1.0,
    ("Mul", 1): 1.0,
    ("Div", 1): 1.0,
    ("Pow", 1): 1.0,
}
_NORMALIZED = frozenset({"LayerNormalization", "InstanceNormalization", "GroupNormalization", "RMSNormalization"})

_STEPS = 64
_QUANTILES: Floats = np.array([NormalDist().inv_cdf((i + 0.5) / _STEPS) for i in range(_STEPS)])


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def _hard_sigmoid(x: Floats, attributes: Mapping[str, Any]) -> Floats:
    return np.asarray(np.clip(attributes.get("alpha", 0.2) * x + attributes.get("beta", 0.5), 0, 1))


_FUNCTIONS: dict[str, Callable[[Floats, Mapping[str, Any]], Floats]] = {
    "Clip": lambda x, a: np.clip(x, 0, 6),
    "Elu": lambda x, a: np.where(x < 0, np.expm1(x), x),
    "Gelu": lambda x, a: x * _sigmoid(1.702 * x),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda x, a: x * np.clip(x / 6 + 0.5, 0, 1),
    "LeakyRelu": lambda x, a: np.where(x < 0, a.get("alpha", 0.01) * x, x),
    "PRelu": lambda x, a: np.where(x < 0, _LEVELS["PRelu", 1] * x, x),
    "Relu": lambda x, a: np.maximum(x, 0),
    "Sigmoid": lambda x, a: _sigmoid(x),
    "Swish": lambda x, a: x * _sigmoid(x),
    "Tanh": lambda x, a: np.tanh(x),
}


def sizes(spec: TensorSpec) -> tuple[int, ...]:
    """The dims of a tensor whose dims are all numbers; () where its shape is unknown."""
    return tuple(dim for dim in spec.shape or () if isinstance(dim, int))


def fillings(graph: Graph) -> dict[str, Filling]:
    """What to fill each constant with that has no value, by its name; those that nothing reads are left out."""
    return dict(_Pass(graph).constants())


def filled(spec: TensorSpec, filling: Filling, seed: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The elements of a constant: the same for the same seed and name. Of whole numbers, and of other types zeros."""
    shape = sizes(spec)
    if not spec.dtype.startswith(("float", "bfloat")):
        if filling.below > 1:
            return np.resize(np.arange(filling.below), shape).astype(dtype)
        return np.zeros(shape, dtype)
    if not filling.deviation:
        return np.full(shape, filling.mean, dtype)
    generator = np.random.default_rng([seed, zlib.crc32(spec.name.encode())])
    data = generator.standard_normal(shape, np.float32)
    data *= np.float32(filling.deviation)
    data += np.float32(filling.mean)
    return data.astype(dtype, copy=False)


class _Pass:
    """One walk along the nodes, with the moments of every tensor written so far."""

    def __init__(self, graph: Graph) -> None:
        self.tensors = graph.tensors
        self.nodes = graph.nodes
        self.moments: dict[str, Moments] = {}
        self.found: dict[str, Filling] = {}

    def constants(self) -> Iterator[tuple[str, Filling]]:
        for node in self.nodes:
            for place, name in enumerate(node.inputs):
                spec = self.tensors.get(name)
                if spec is not None and spec.is_stored and spec.value is None:
                    yield from self._constant(node, place, spec)
            result = self._written(node)
            self.moments.update({name: result for name in node.outputs if name})

    def _constant(self, node: Node, place: int, spec: TensorSpec) -> Iterator[tuple[str, Filling]]:
        """A constant that the node reads, or those that it is made from. The first reader decides."""
        filling = self._filling(node, place, spec)
        for root in spec.roots or (spec.name,):
            if root not in self.found:
                self.found[root] = filling
                self.moments.setdefault(root, Moments(filling.mean, filling.deviation**2))
                yield root, filling

    def _filling(self, node: Node, place: int, spec: TensorSpec) -> Filling:
        level = _LEVELS.get((node.op_type, place))
        if level is not None:
            return Filling(level)
        if node.op_type in ("Gather", "GatherElements") and place == 1:
            data = sizes(self.tensors[node.inputs[0]]) or (1,)
            return Filling(below=data[node.attributes.get("axis", 0) % len(data)])
        summed = _products(node, place, sizes(spec))
        if not summed:
            return _OTHER
        others = [self._of(name).square for i, name in enumerate(node.inputs[:2]) if i != place]
        square = others[0] if others and others[0] > _SMALLEST else 1.0
        return Filling(deviation=1 / math.sqrt(summed * square))

    def _of(self, name: str) -> Moments:
        known = self.moments.get(name)
        if known is None:
            spec = self.tensors.get(name)
            known = _UNIT
            if spec is not None and spec.value is not None and spec.dtype.startswith("float") and spec.value.size:
                elements = spec.value.astype(np.float64)
                known = Moments(float(elements.mean()), float(elements.var()))
            self.moments[name] = known
        return known

    def _written(self, node: Node) -> Moments:
        """The moments of what a node writes; those of what it reads first, for all that moves elements or averages."""
        op = node.op_type
        reads = [self._of(name) for name in node.inputs if name]
        if not reads or op in _NORMALIZED:
            return _UNIT
        if op in _FUNCTIONS:
            return _through(_FUNCTIONS[op], reads[0], node.attributes)
        if op in ("Add", "Sum", "Sub"):
            means = (-m.mean if op == "Sub" and i else m.mean for i, m in enumerate(reads))
            return Moments(sum(means), sum(m.variance for m in reads))
        if op == "Mul" and len(reads) == 2:
            return _product(*reads)
        if op == "Concat":
            return self._joined(node)
        if op == "MaxPool":
            return _highest(reads[0], math.prod(node.attributes.get("kernel_shape", ())))
        if op == "Softmax":
            shape = sizes(self.tensors[node.outputs[0]]) or (1,)
            share = 1 / max(shape[node.attributes.get("axis", -1)], 1)
            return Moments(share, share**2)
        if op in ("Conv", "ConvTranspose", "Gemm", "MatMul") and len(reads) > 1:
            return self._multiplied(node)
        return reads[0]

    def _multiplied(self, node: Node) -> Moments:
        """A sum of products: with weights that were made for it, of mean 0 and variance 1 or so."""
        summed = _products(node, 1, sizes(self.tensors[node.inputs[1]]))
        product = _product(*(self._of(name) for name in node.inputs[:2]))
        return Moments(summed * product.mean, summed * product.variance)

    def _joined(self, node: Node) -> Moments:
        parts = [(self._of(name), math.prod(sizes(self.tensors[name]))) for name in node.inputs]
        total = sum(elements for _, elements in parts)
        if not total:
            return _UNIT
        mean = sum(m.mean * elements for m, elements in parts) / total
        square = sum(m.square * elements for m, elements in parts) / total
        return Moments(mean, max(square - mean**2, 0.0))


def _products(node: Node, place: int, shape: tuple[int, ...]) -> float:
    """How many products with a weight of this shape are summed for an element of the output; 0 where none are."""
    op, attributes = node.op_type, node.attributes
    if op in ("Conv", "FusedConv") and place == 1:
        return math.prod(shape[1:])
    if op == "ConvTranspose" and place == 1:
        steps: int = math.prod(attributes.get("strides") or (1,)) * attributes.get("group", 1)
        return max(shape[0] * math.prod(shape[2:]) / steps, 1.0)
    if op == "Gemm" and place < 2:
        turned = bool(attributes.get("transB" if place else "transA", 0))
        return float(shape[turned if place else not turned])
    if op == "MatMul" and shape:
        return float(shape[max(len(shape) - 2, 0)] if place else shape[-1])
    if op in ("LSTM", "GRU", "RNN") and place in (1, 2):
        return float(shape[-1])
    return 0.0


def _through(
    function: Callable[[Floats, Mapping[str, Any]], Floats], read: Moments, attributes: Mapping[str, Any]
) -> Moments:
    """An elementwise function of a normal distribution, at its quantiles."""
    written = function(read.mean + math.sqrt(read.variance) * _QUANTILES, attributes)
    return Moments(float(written.mean()), float(written.var()))


def _product(a: Moments, b: Moments) -> Moments:
    """Of two independent factors."""
    mean = a.mean * b.mean
    return Moments(mean, max(a.square * b.square - mean**2, 0.0))


def _highest(read: Moments, count: int) -> Moments:
    """The highest of `count` independent normal variables."""
    share = np.arange(_STEPS + 1) / _STEPS
    weights = np.diff(share**count)
    elements = read.mean + math.sqrt(read.variance) * _QUANTILES
    mean = float(weights @ elements)
    return Moments(mean, float(weights @ (elements - mean) ** 2))
