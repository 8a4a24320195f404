"""Channels with numbers of their own, followed through the operators that only move them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costmodel.graph import Graph, Node, TensorSpec
from costmodel.kernels.flow import same_shape
from costmodel.kernels.kernel import Kind
from costmodel.kernels.kinds import KINDS
from costmodel.kernels.patterns import Unit
from costmodel.reuse.numbers import Ids

MOST = 1 << 20  # channels of a tensor that are followed; of one that has more, all are new
BY_ELEMENT = frozenset({Kind.ELEMENTWISE, Kind.TRANSCENDENTAL, Kind.NORMALIZATION})  # keep channels where they are

_IMAGE = 1 << 40  # added to a channel's number for each image of a batch, where a view mixes images and channels
_MIXED = 1 << 61  # added where channels of several images are in one place
_LAST = frozenset({"MatMul", "NhwcConv", "NhwcFusedConv", "NhwcMaxPool"})  # channels are the last dim


@dataclass(frozen=True, slots=True)
class Channels:
    """Which channel is where in a tensor: its number for each place along some of the tensor's dims.

    axes: these dims, ascending. Along the others a channel lies as a whole. ids: one dim for each of the axes.
    """

    axes: tuple[int, ...]
    ids: Ids

    def along(self, axis: int, size: int) -> Channels | None:
        """The same with the axis among the axes, if it has one place, or is that of the images."""
        if axis in self.axes:
            return self
        if size != 1 and (axis or size * self.ids.size > MOST):
            return None
        axes = tuple(sorted((*self.axes, axis)))
        at = axes.index(axis)
        ids = np.expand_dims(self.ids, at)
        if size != 1:
            ids = ids + (np.arange(size) * _IMAGE).reshape(-1, *(1,) * self.ids.ndim)
        return Channels(axes, ids)

    def without_single_places(self) -> Channels:
        """The same without the axes that have only one place, which tell nothing."""
        axes = tuple(axis for axis, size in zip(self.axes, self.ids.shape, strict=True) if size != 1)
        return Channels(axes, self.ids.reshape([size for size in self.ids.shape if size != 1]))

    def settled(self) -> Channels:
        """The same without the axis of the images, where all of them have their channels in the same places."""
        return Channels(self.axes[1:], self.ids[0]) if self._has_images() and self._in_place().all() else self

    def of_image(self) -> Ids:
        """The channels of each image; those that are not in the same place in all images are none of before."""
        return np.where(self._in_place(), self.ids[0], self.ids[0] + _MIXED) if self._has_images() else self.ids

    def _has_images(self) -> bool:
        return self.axes[:1] == (0,) and len(self.axes) > 1 and self.ids.shape[0] > 1

    def _in_place(self) -> NDArray[np.bool_]:
        """For each place of an image whether all images have the same channel of theirs there."""
        if not self._has_images():
            return np.ones(self.ids.shape, bool)
        images = (np.arange(self.ids.shape[0]) * _IMAGE).reshape(-1, *(1,) * (self.ids.ndim - 1))
        return np.asarray((self.ids == self.ids[:1] + images).all(axis=0))


Parts = list[Channels | None]
Move = Callable[[Graph, Node, Parts], Parts]


def followed(graph: Graph, steps: Sequence[Unit]) -> Iterator[tuple[str, Channels]]:
    """Every tensor with its channels, in the order in which they are written."""
    last = {name: index for index, unit in enumerate(steps) for name in unit.reads}
    made = 0
    live: dict[str, Channels] = {}
    for name in graph.inputs:
        spec = graph.tensors.get(name)
        new = None if spec is None else _new(spec, (1,), made)
        if new is not None:
            live[name] = new
            made += new.ids.size
    for index, unit in enumerate(steps):
        outputs = _moved(graph, unit, live)
        axes = _axes(graph, unit, live)
        for name, channels in zip(unit.writes, outputs, strict=True):
            spec = graph.tensors.get(name)
            if channels is None and spec is not None:
                channels = _new(spec, axes, made)
                made += 0 if channels is None else channels.ids.size
            if channels is not None:
                yield name, channels
                if name in last:
                    live[name] = channels
        for name in unit.reads:
            if last[name] == index:
                live.pop(name, None)


def _new(spec: TensorSpec, axes: Sequence[int], first: int) -> Channels | None:
    """New channels, numbered from `first`; None for a tensor that has no such dims, or too many channels."""
    shape = spec.shape or ()
    axes = tuple(axis % len(shape) for axis in axes if -len(shape) <= axis < len(shape))
    sizes = [shape[axis] for axis in axes]
    numbers = [size for size in sizes if isinstance(size, int)]
    if not axes or len(numbers) < len(sizes) or not 0 < prod(numbers) <= MOST:
        return None
    return Channels(axes, np.arange(first, first + prod(numbers)).reshape(numbers))


def _axes(graph: Graph, unit: Unit, live: Mapping[str, Channels]) -> tuple[int, ...]:
    """The dims along which the channels lie that an operator makes."""
    node = unit.nodes[-1]
    if KINDS.get(unit.op) in BY_ELEMENT:
        out = graph.tensors.get(unit.writes[0])
        for name in unit.reads:
            if name in live and same_shape(graph.tensors[name], out):
                return live[name].axes or (1,)
    return (-1,) if node.op_type in _LAST or node.domain == "com.ms.internal.nhwc" else (1,)


def _moved(graph: Graph, unit: Unit, live: Mapping[str, Channels]) -> Parts:
    """What an operator writes, as far as it moves channels."""
    move = MOVES.get(unit.op)
    nothing: Parts = [None] * len(unit.writes)
    node = unit.nodes[0]
    if move is None or not node.inputs or not shape_of(graph, node.inputs[0]):
        return nothing
    if not all(isinstance(dim, int) for name in (*node.inputs, *node.outputs) for dim in shape_of(graph, name)):
        return nothing
    parts = move(graph, node, [live.get(name) for name in node.inputs])
    return [None if part is None else part.settled() for part in (*parts, *nothing)][: len(nothing)]


def _viewed(graph: Graph, node: Node, parts: Parts) -> Parts:
    """The same elements in the same order, in another shape."""
    old, new = shape_of(graph, node.inputs[0]), shape_of(graph, node.outputs[0])
    channels = parts[0]
    if channels is None or prod(old) != prod(new) or 0 in old:
        return []
    channels = channels.without_single_places()
    axes: list[int] = []
    for before, after in _matching(old, new):
        if not set(before) & set(channels.axes):
            continue
        for axis in before:
            channels = channels.along(axis, old[axis])
            if channels is None:
                return []
        axes += after
    return [Channels(tuple(axes), channels.ids.reshape([new[axis] for axis in axes]))]


def _matching(old: Sequence[int], new: Sequence[int]) -> Iterator[tuple[range, range]]:
    """The shortest groups of neighbouring dims that hold as many elements in both shapes."""
    i = j = 0
    while i < len(old) or j < len(new):
        a, b = i, j
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        while prod(old[a:i]) != prod(new[b:j]):
            if prod(old[a:i]) < prod(new[b:j]):
                i += 1
            else:
                j += 1
        yield range(a, i), range(b, j)


def _transposed(graph: Graph, node: Node, parts: Parts) -> Parts:
    channels = parts[0]
    if channels is None:
        return []
    order = node.attributes.get("perm") or tuple(reversed(range(len(shape_of(graph, node.inputs[0])))))
    axes = [axis for axis, source in enumerate(order) if source in channels.axes]
    return [Channels(tuple(axes), channels.ids.transpose([channels.axes.index(order[axis]) for axis in axes]))]


def _joined(graph: Graph, node: Node, parts: Parts) -> Parts:
    """Channels of tensors side by side."""
    at = axis_of(graph, node)
    axes = {at}.union(*(part.axes for part in parts if part is not None))
    laid = []
    for name, part in zip(node.inputs, parts, strict=True):
        for axis in axes:
            part = None if part is None else part.along(axis, shape_of(graph, name)[axis])
        if part is None:
            return []
        laid.append(part)
    return [Channels(laid[0].axes, np.concatenate([part.ids for part in laid], laid[0].axes.index(at)))]


def _split(graph: Graph, node: Node, parts: Parts) -> Parts:
    at = axis_of(graph, node)
    size = shape_of(graph, node.inputs[0])[at]
    channels = None if parts[0] is None else parts[0].along(at, size)
    sizes = [(*shape_of(graph, name), *(0,) * (at + 1))[at] if name else 0 for name in node.outputs]
    if channels is None or sum(sizes) != size:
        return []
    place = channels.axes.index(at)
    return [Channels(channels.axes, ids) for ids in np.split(channels.ids, np.cumsum(sizes)[:-1], place)]


def _sliced(graph: Graph, node: Node, parts: Parts) -> Parts:
    shape, channels = shape_of(graph, node.inputs[0]), parts[0]
    given = [_given(graph, node, i, key) for i, key in enumerate(("starts", "ends", "axes", "steps"), 1)]
    starts, ends, axes, steps = given
    if channels is None or starts is None or ends is None:
        return []
    axes = range(len(starts)) if axes is None else axes
    for axis, start, end, step in zip(axes, starts, ends, steps or [1] * len(starts), strict=True):
        axis %= len(shape)
        size = shape[axis]
        if step < 0:  # backwards from before the first element ONNX starts at the first
            start = max(start, -size)
        if axis in channels.axes:
            cut = [slice(None)] * channels.ids.ndim
            cut[channels.axes.index(axis)] = slice(start, end, step)
            channels = Channels(channels.axes, channels.ids[tuple(cut)])
        elif range(size)[start:end:step] != range(size):
            return []
    return [channels]


def _gathered(graph: Graph, node: Node, parts: Parts) -> Parts:
    at, spec = axis_of(graph, node), graph.tensors.get(node.inputs[1])
    size = shape_of(graph, node.inputs[0])[at]
    channels = parts[0].along(at, size) if parts[0] is not None and size else None
    if channels is None or spec is None or spec.value is None:
        return []
    index = np.asarray(spec.value).astype(np.int64)
    index = index.reshape([int(dim) for dim in shape_of(graph, node.inputs[1])])
    if index.size and not (-size <= index.min() and index.max() < size):
        return []
    ids = np.take(channels.ids, index, channels.axes.index(at))
    new = index.ndim - 1  # dims more than before
    axes = [axis + new if axis > at else axis for axis in channels.axes if axis != at]
    return [Channels(tuple(sorted([*axes, *range(at, at + index.ndim)])), ids)]


def shape_of(graph: Graph, name: str) -> tuple[Any, ...]:
    """A tensor's dims; none where they are unknown."""
    spec = graph.tensors.get(name)
    return () if spec is None else spec.shape or ()


def axis_of(graph: Graph, node: Node) -> int:
    """The dim along which an operator works, counted from the front."""
    missing = int(node.op_type == "Concat")  # as in the first operator sets
    return int(node.attributes.get("axis", missing)) % max(len(shape_of(graph, node.inputs[0])), 1)


def _given(graph: Graph, node: Node, place: int, attribute: str) -> Sequence[Any] | None:
    """A setting from an input, or from an attribute as in old operator sets; None where neither is known."""
    name = node.inputs[place] if place < len(node.inputs) else ""
    if not name:
        return node.attributes.get(attribute)
    value = graph.tensors[name].value if name in graph.tensors else None
    return None if value is None else list(value.reshape(-1))


# By type. What else there is makes new channels.
MOVES: dict[str, Move] = {
    "Concat": _joined,
    "Dropout": _viewed,
    "Flatten": _viewed,
    "Gather": _gathered,
    "Identity": _viewed,
    "Reshape": _viewed,
    "Slice": _sliced,
    "Split": _split,
    "Squeeze": _viewed,
    "Transpose": _transposed,
    "Unsqueeze": _viewed,
}
