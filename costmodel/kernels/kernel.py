"""What a runtime launches: kernels, their kinds and their loops."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from costmodel.cost import Cost
from costmodel.dims import Dim, product
from costmodel.graph import Node


class Kind(StrEnum):
    """What a kernel's time is spent on.

    POINTWISE, SPATIAL: dense convolutions, 1x1 and k x k. DEPTHWISE: one channel in and one out of each group.
    GROUPED: any other number of groups. DENSE: a product with a weight matrix. MATMUL: a product of two activations.
    REDUCTION: global pooling and means. TRANSCENDENTAL: exponentials and powers, element by element
    (sigmoid, swish, softmax). NORMALIZATION: over neighbouring elements. MOVEMENT: copies. VIEW: nothing
    happens when the network runs. OTHER: everything else, by its mult-adds and elements.
    """

    POINTWISE = "pointwise"
    SPATIAL = "spatial"
    GROUPED = "grouped"
    DEPTHWISE = "depthwise"
    DENSE = "dense"
    MATMUL = "matmul"
    POOL = "pool"
    REDUCTION = "reduction"
    ELEMENTWISE = "elementwise"
    TRANSCENDENTAL = "transcendental"
    NORMALIZATION = "normalization"
    MOVEMENT = "movement"
    VIEW = "view"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Loops:
    """The loop nest of a convolution or a matrix product.

    batch: independent images (or matrices). groups: of channels. cin, cout: channels of one group.
    taps, strides: of the window, one a spatial dim. size: spatial dims of the output, or of the input where the
    window is laid on each of its positions. dilated: whether the window has holes. For a matrix product of
    (rows, cin) with (cin, cout), size is (rows,), and the window is one tap.
    """

    batch: Dim
    groups: Dim
    cin: Dim
    cout: Dim
    taps: tuple[int, ...]
    strides: tuple[int, ...]
    size: tuple[Dim, ...]
    dilated: bool = False

    @property
    def positions(self) -> Dim:
        """Spatial positions of the output, of the whole batch."""
        return self.batch * product(self.size)

    @property
    def window(self) -> int:
        """Taps of the window: kh x kw."""
        result = 1
        for taps in self.taps:
            result *= taps
        return result


@dataclass(frozen=True, slots=True)
class Kernel:
    """One or several operators that a runtime runs as one.

    name: of its main operator. op: that operator's type, or of the pattern that was recognised (Swish,
    Shuffle), or Reorder for a copy between layouts that the runtime adds and no operator asks for. operators:
    every operator in it, in the order of execution. cost: of all of them together,
    without the tensors that never leave the kernel. launches: how often the runtime launches it (once,
    unless it runs group by group, or the operator in several passes). loops: of a contraction.
    repeat: how often the network runs it; cost holds all runs, loops one. epilogues: for each activation or addition
    that a contraction makes on its way out, the elements of another tensor that it reads for it in one run: 0 for an
    activation.
    """

    name: str
    op: str
    kind: Kind
    operators: tuple[Node, ...]
    cost: Cost
    launches: Dim = 1
    loops: Loops | None = None
    repeat: Dim = 1
    epilogues: tuple[Dim, ...] = ()
