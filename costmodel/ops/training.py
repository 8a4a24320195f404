"""Training: losses, and steps of optimisers.

An optimiser's operations are those of its pseudo-code in the ONNX standard, element by element.
"""

from __future__ import annotations

from typing import Any

from costmodel.dims import Dim, Shape, same
from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, tensor

_DOMAIN = "ai.onnx.preview.training"
_LOSS = example("N C H W", "N H W", "C", dtypes={1: "int64"})


def _loss(scores: TensorSpec, labels: TensorSpec, weights: TensorSpec | None, reduction: str) -> tuple[TensorSpec, Dim]:
    """The loss, and its operations: for each label a negation, a weight, a share in the sum."""
    batch, classes, *places = dims(scores, at_least=2)
    wanted = (batch, *places)
    pairs = zip(wanted, dims(labels, rank=len(wanted)), strict=True)
    shape: Shape = tuple(same(a, b, "dims of scores and of labels") for a, b in pairs)
    if weights is not None:
        same(classes, dims(weights, rank=1)[0], "classes of scores and of weights")
    if reduction not in ("none", "sum", "mean"):
        raise ShapeError(f"reduction is {reduction!r}; it is none, sum or mean")
    reduced = reduction != "none"
    ops = 1 + (weights is not None) + reduced
    return tensor(() if reduced else shape, scores.dtype), labels.elements * ops


@operator("NegativeLogLikelihoodLoss", example=_LOSS)
def negative_log_likelihood_loss(
    scores: TensorSpec, labels: TensorSpec, weights: TensorSpec | None = None, /, *, reduction: str = "mean"
) -> Result:
    """element_ops = labels x (negation, weight if given, sum if reduced); one score is read a label."""
    out, ops = _loss(scores, labels, weights, reduction)
    return Result((out,), element_ops=ops, reads={0: labels.elements})


@operator("SoftmaxCrossEntropyLoss", example=_LOSS)
def softmax_cross_entropy_loss(
    scores: TensorSpec, labels: TensorSpec, weights: TensorSpec | None = None, /, *, reduction: str = "mean"
) -> Result:
    """element_ops = 5 x scores (LogSoftmax) + labels x (negation, weight if given, sum if reduced)."""
    out, ops = _loss(scores, labels, weights, reduction)
    return Result((out, TensorSpec(dims(scores), scores.dtype)), element_ops=5 * scores.elements + ops)


def _step(tensors: tuple[TensorSpec, ...], states: int, ops: int) -> Result:
    """One step: inputs are all variables, then all gradients, then each kind of state; the gradients stay."""
    groups = states + 2
    count = len(tensors) // groups
    if not tensors or len(tensors) != groups * count:
        raise ShapeError(f"{len(tensors)} tensors are given; a variable comes with a gradient and {states} of state")
    variables = tensors[:count]
    for i, spec in enumerate(tensors[count:]):
        wanted = dims(variables[i % count])
        for a, b in zip(wanted, dims(spec, rank=len(wanted)), strict=True):
            same(a, b, "dims of a variable and of its gradient and state")
    outputs = tuple(TensorSpec(spec.shape, spec.dtype) for spec in (*variables, *tensors[2 * count :]))
    total: Any = 0
    for spec in variables:
        total = total + spec.elements * ops
    return Result(outputs, element_ops=total)


_ONE_STATE = example("", "", "M K", "M K", "M K", dtypes={1: "int64"})


@operator("Adagrad", domain=_DOMAIN, example=_ONE_STATE, settings=("rate", "count"))
def adagrad(rate: TensorSpec, count: TensorSpec, /, *tensors: TensorSpec) -> Result:
    """element_ops = 9 x elements: regularise 2, accumulate the square 2, its root 2, update 3."""
    return _step(tensors, 1, 9)


@operator("Momentum", domain=_DOMAIN, example=_ONE_STATE, settings=("rate", "count"))
def momentum(rate: TensorSpec, count: TensorSpec, /, *tensors: TensorSpec) -> Result:
    """element_ops = 7 x elements: regularise 2, momentum 3, update 2."""
    return _step(tensors, 1, 7)


@operator(
    "Adam",
    domain=_DOMAIN,
    example=example("", "", "M K", "M K", "M K", "M K", dtypes={1: "int64"}),
    settings=("rate", "count"),
)
def adam(rate: TensorSpec, count: TensorSpec, /, *tensors: TensorSpec) -> Result:
    """element_ops = 14 x elements: regularise 2, first moment 3, second moment 4, update 5."""
    return _step(tensors, 2, 14)


@operator("Gradient", domain=_DOMAIN, example=example("M K", "K", xs=("a", "b")))
def gradient(*tensors: TensorSpec, xs: tuple[Any, ...]) -> Result:
    """Each gradient has the shape of its variable; the backward pass itself is not counted."""
    if len(tensors) < len(xs):
        raise ShapeError(f"{len(tensors)} inputs are given; Gradient needs one for each of {len(xs)} variables")
    outputs = tuple(TensorSpec(dims(spec), spec.dtype) for spec in tensors[: len(xs)])
    return Result(outputs, approximate="the backward pass through a part of the graph is not counted")
