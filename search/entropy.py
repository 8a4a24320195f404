"""The entropy index: how much a network could express, from the shapes of its convolutions alone.

In the manner of DeepMAD (Shen et al., "DeepMAD: Mathematical Architecture Design for Deep Convolutional Neural
Network", CVPR 2023, arXiv 2303.02165). Theirs: a stage that ends with c channels of r x r pixels has the entropy
ln(r^2 c) times the sum of ln(c_in k^2 / g) over its convolutions and all earlier ones; the network's is the sum over
five stages, weighted 1, 1, 1, 1, 8. It is bounded by an effectiveness, depth / geometric mean of the widths
c_in k^2 / g, without which every depth runs to its cap, and by a penalty on unequal depths.

Here a convolution adds weight x ln(elements of its output) x ln(c_in k^2 / g), and the index is the sum. What differs:

* A convolution meets its own output, not those of its stage and of all later ones: so that a network's index is the sum
  over its pieces, whatever stands between them. A convolution of an early stage counts for less than in theirs.
* The effectiveness is bounded stage by stage, not from the image to the end of each stage, for the same reason.
* Unequal depths are not penalised.
* The weight follows from the resolution: 8 at 1/32 of the image's and below, 1 above. What comes after global pooling
  adds nothing, as in theirs; here that goes for squeeze-excite, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from costmodel.columns import Column
from costmodel.dims import Shape
from costmodel.errors import ModelError, UsageError
from costmodel.graph import Node, TensorSpec

LAST_WEIGHT = 8.0  # of the last stage; the others have 1 (DeepMAD; multi_block_ratio of its published settings)
_LAST = 32  # times smaller than the image on each side are the maps of the last stage
_IMAGE = "input"  # what the zoo's networks call it

# The largest that a stage of Table 5's four designs has (stage 3 of width 0.5), rounded up. A test computes it.
EFFECTIVENESS = 0.967


@dataclass(frozen=True)
class _Layer:
    """A convolution that makes feature maps; numbers, or arrays with an entry a design.

    elements: of its output, for one image. fan_in: how many each is computed from. runs: how often it runs, 0 after
    global pooling. last: whether it works at the last stage's resolution.
    """

    elements: Any
    fan_in: Any
    runs: Any
    last: Any


def entropy(nodes: Iterable[Node], tensors: Mapping[str, TensorSpec]) -> Any:
    """The entropy index of some operators of a network: a number, or an array (designs,) where dims are columns.

    tensors: those of the whole network, the image being called `input`. The batch changes nothing.
    Raises ModelError where the image or a shape is not known, UsageError where a dim is a formula.
    """
    total: Any = 0.0
    for layer in _layers(nodes, tensors):
        weight = layer.runs * np.where(layer.last, LAST_WEIGHT, 1.0)
        total = total + weight * np.log(layer.elements) * np.log(layer.fan_in)
    return total


def depth_and_width(nodes: Iterable[Node], tensors: Mapping[str, TensorSpec]) -> tuple[Any, Any]:
    """The number of convolutions that make feature maps, and the sum of ln(fan-in) over them.

    Arguments and errors as of `entropy`. Both add up over the pieces of a network.
    """
    depth: Any = 0
    log_width: Any = 0.0
    for layer in _layers(nodes, tensors):
        depth = depth + layer.runs
        log_width = log_width + layer.runs * np.log(layer.fan_in)
    return depth, log_width


def effectiveness(depth: Any, log_width: Any) -> Any:
    """DeepMAD's rho: the depth over the geometric mean of the widths, from what depth_and_width gives.

    Numbers or arrays. Low: information passes, high: it gets lost on the way. 0 where there is no convolution.
    """
    return depth / np.exp(log_width / np.maximum(depth, 1))


def image_shape(tensors: Mapping[str, TensorSpec]) -> Shape:
    """The shape of the images that a network of the zoo takes, the batch first. Raises ModelError for no images."""
    image = tensors.get(_IMAGE)
    if image is None or image.shape is None:
        raise ModelError(f"no tensor {_IMAGE!r} with a known shape; capacities are of the zoo's networks, give one")
    return image.shape


def _layers(nodes: Iterable[Node], tensors: Mapping[str, TensorSpec]) -> Iterator[_Layer]:
    """The convolutions among the operators.

    One that makes a single pixel of an image of more than 32 comes after global pooling, and runs 0 times.
    """
    for node in nodes:
        if node.op_type != "Conv":
            continue
        _, channels, *sides = _shape(node.outputs[0], node, tensors)
        _, *window = _shape(node.inputs[1], node, tensors)
        _, _, *image = (_number(dim, node) for dim in image_shape(tensors))
        if len(image) != len(sides):
            raise ModelError(f"{node.name}: a map of {len(sides)} sides, of an image of {len(image)}; has no stage")
        last: Any = True
        pooled: Any = False
        for side, whole in zip(sides, image, strict=True):
            coarsest = -(-whole // _LAST)  # as many halvings with padding leave
            last = last & (side <= coarsest)
            pooled = pooled | (coarsest > 1)
        for side in sides:
            pooled = pooled & (side == 1)
        runs = np.where(pooled, 0, np.asarray(_number(node.repeat, node)))
        yield _Layer(_product(channels, *sides), _product(*window), runs[()], last)


def _shape(tensor: str, node: Node, tensors: Mapping[str, TensorSpec]) -> list[Any]:
    """The dims of a tensor as numbers and int64 arrays (designs,)."""
    spec = tensors.get(tensor)
    if spec is None or spec.shape is None or len(spec.shape) < 3:
        raise ModelError(f"{node.name}: the shape of {tensor!r} is not known, so its entropy is not")
    return [_number(dim, node) for dim in spec.shape]


def _number(dim: Any, node: Node) -> Any:
    if isinstance(dim, Column):
        return dim.values
    if not isinstance(dim, int):
        raise UsageError(f"{node.name}: {dim} is a formula, which has no entropy; give numbers or columns")
    return dim


def _product(*numbers: Any) -> Any:
    """Of numbers and arrays, in float64: exact up to 2^53, and it never wraps."""
    total: Any = 1.0
    for number in numbers:
        total = total * number
    return total
