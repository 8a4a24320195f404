"""Sliding windows: where convolutions and poolings put them, for any number of spatial dims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from costmodel.dims import Dim, Shape, ceil_div, floor_div, minimum
from costmodel.errors import ShapeError

PADDINGS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


@dataclass(frozen=True, slots=True)
class Window:
    """The geometry of a sliding window, one entry a spatial dim; pads are all begins, then all ends."""

    kernel: Shape
    strides: Shape
    dilations: Shape
    pads: Shape
    auto_pad: str

    def extent(self, axis: int) -> Dim:
        """Elements from the window's first to its last tap."""
        return (self.kernel[axis] - 1) * self.dilations[axis] + 1

    def output(self, size: Shape, ceil_mode: bool = False) -> Shape:
        """How many windows fit, for each spatial dim.

        ceil_mode adds a last, partly filled window unless it would start beyond the input and the
        padding before it; on an input smaller than the window that one is the only one.
        """
        return tuple(self._output(axis, dim, ceil_mode) for axis, dim in enumerate(size))

    def _output(self, axis: int, size: Dim, ceil_mode: bool) -> Dim:
        stride = self.strides[axis]
        if self.auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            return ceil_div(size, stride)
        before, after = (0, 0) if self.auto_pad == "VALID" else (self.pads[axis], self.pads[axis + len(self.kernel)])
        room = size + before + after - self.extent(axis)
        lowest = 1 - stride if ceil_mode and isinstance(stride, int) else 0
        if isinstance(room, int) and room < lowest:
            raise ShapeError(f"a window of {self.extent(axis)} does not fit in {size} + {before} + {after} elements")
        if not ceil_mode:
            return floor_div(room, stride) + 1
        return minimum(ceil_div(room, stride) + 1, ceil_div(size + before, stride))


def window(
    kernel: Sequence[Dim],
    strides: Sequence[Dim],
    dilations: Sequence[Dim],
    pads: Sequence[Dim],
    auto_pad: str,
) -> Window:
    """A Window with ONNX's defaults filled in; raises ShapeError where the lists do not fit together."""
    rank = len(kernel)
    strides = tuple(strides) or (1,) * rank
    dilations = tuple(dilations) or (1,) * rank
    pads = tuple(pads) or (0,) * (2 * rank)
    if auto_pad not in PADDINGS:
        raise ShapeError(f"auto_pad is {auto_pad!r}; it is one of {', '.join(PADDINGS)}")
    if (len(strides), len(dilations), len(pads)) != (rank, rank, 2 * rank):
        raise ShapeError(
            f"a kernel of {rank} dims needs {rank} strides, {rank} dilations and {2 * rank} pads, "
            f"not {len(strides)}, {len(dilations)} and {len(pads)}"
        )
    for what, values in (("kernel_shape", kernel), ("strides", strides), ("dilations", dilations)):
        if any(isinstance(v, int) and v < 1 for v in values):
            raise ShapeError(f"{what} is {tuple(values)}; every entry is at least 1")
    return Window(tuple(kernel), tuple(strides), tuple(dilations), tuple(pads), auto_pad)
