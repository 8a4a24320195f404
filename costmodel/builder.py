"""GraphBuilder: write a network in a few lines, without weights.

Every method takes and returns TensorSpecs. Channels and sizes may be ints, columns or symbols; the
costs of the finished graph are then of the same kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costmodel.assembler import GraphAssembler
from costmodel.dims import Dim, exact_div
from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops import as_value

Sizes = int | tuple[int, ...]


class GraphBuilder(GraphAssembler):
    """A GraphAssembler with a method for each operator that convolutional networks need."""

    def _one(self, op_type: str, inputs: Sequence[TensorSpec | None], name: str = "", **attributes: Any) -> TensorSpec:
        return self.node(op_type, inputs, attributes, name=self._path(name) if name else "")[0]

    def conv(
        self,
        x: TensorSpec,
        channels: Dim,
        kernel: Sizes = 1,
        *,
        stride: Sizes = 1,
        padding: Sizes | None = None,
        dilation: Sizes = 1,
        groups: Dim = 1,
        bias: bool = False,
        name: str = "conv",
    ) -> TensorSpec:
        """Convolution to `channels`. Sizes are one int for all spatial dims or one each;
        padding None keeps the size at stride 1 (odd kernels), and it may be all begins, then all ends."""
        rank = len(x.shape or ()) - 2
        taps, steps, spread = _each(kernel, rank), _each(stride, rank), _each(dilation, rank)
        if padding is None:
            padding = tuple((k - 1) * d // 2 for k, d in zip(taps, spread, strict=True))
        group_channels = exact_div(_channels(x), groups, f"{self._path(name)}: channels in {groups} groups")
        weight = self.weight(f"{name}.weight", (channels, group_channels, *taps))
        return self._one(
            "Conv",
            (x, weight, self.weight(f"{name}.bias", (channels,)) if bias else None),
            name,
            kernel_shape=taps,
            strides=steps,
            pads=_pads(padding, rank),
            dilations=spread,
            group=groups,
        )

    def depthwise(self, x: TensorSpec, kernel: Sizes = 3, *, name: str = "conv", **options: Any) -> TensorSpec:
        """Depthwise convolution: one group a channel. Options as in conv."""
        channels = _channels(x)
        return self.conv(x, channels, kernel, groups=channels, name=name, **options)

    def conv_transpose(
        self,
        x: TensorSpec,
        channels: Dim,
        kernel: Sizes,
        *,
        stride: Sizes = 1,
        padding: Sizes = 0,
        groups: Dim = 1,
        bias: bool = False,
        name: str = "conv_transpose",
    ) -> TensorSpec:
        """Transposed convolution to `channels`."""
        rank = len(x.shape or ()) - 2
        taps = _each(kernel, rank)
        group_out = exact_div(channels, groups, f"{self._path(name)}: channels in {groups} groups")
        weight = self.weight(f"{name}.weight", (_channels(x), group_out, *taps))
        return self._one(
            "ConvTranspose",
            (x, weight, self.weight(f"{name}.bias", (channels,)) if bias else None),
            name,
            kernel_shape=taps,
            strides=_each(stride, rank),
            pads=_each(padding, rank) * 2,
            group=groups,
        )

    def batch_norm(self, x: TensorSpec, name: str = "bn") -> TensorSpec:
        """Batch normalisation with its learned scale and shift."""
        parts = ("weight", "bias", "running_mean", "running_var")
        return self._one(
            "BatchNormalization",
            (x, *(self.weight(f"{name}.{part}", (_channels(x),)) for part in parts)),
            name,
        )

    def layer_norm(self, x: TensorSpec, name: str = "norm") -> TensorSpec:
        """Layer normalisation over the last dim."""
        last = (x.shape or ())[-1]
        weights = (self.weight(f"{name}.{part}", (last,)) for part in ("weight", "bias"))
        return self._one("LayerNormalization", (x, *weights), name, axis=-1)

    def local_response_norm(self, x: TensorSpec, size: int = 5, name: str = "norm") -> TensorSpec:
        """Each element divided by a power of the sum of squares over `size` neighbouring channels."""
        return self._one("LRN", (x,), name, size=size)

    def linear(self, x: TensorSpec, features: Dim, *, bias: bool = True, name: str = "fc") -> TensorSpec:
        """Dense layer on (N, K) data."""
        weight = self.weight(f"{name}.weight", (features, (x.shape or ())[-1]))
        return self._one(
            "Gemm", (x, weight, self.weight(f"{name}.bias", (features,)) if bias else None), name, transB=1
        )

    def matmul(self, a: TensorSpec, b: TensorSpec, name: str = "") -> TensorSpec:
        """Matrix product, batched and broadcast like numpy's."""
        return self._one("MatMul", (a, b), name)

    def relu(self, x: TensorSpec, name: str = "relu") -> TensorSpec:
        """max(x, 0)."""
        return self._one("Relu", (x,), name)

    def relu6(self, x: TensorSpec, name: str = "relu6") -> TensorSpec:
        """min(max(x, 0), 6)."""
        low, high = (TensorSpec((), x.dtype, value=as_value(bound)) for bound in (0.0, 6.0))
        return self._one("Clip", (x, low, high), name)

    def prelu(self, x: TensorSpec, name: str = "prelu") -> TensorSpec:
        """x, or a learned slope a channel times x below 0."""
        slope = self.weight(f"{name}.weight", (_channels(x), *(1,) * (len(x.shape or ()) - 2)))
        return self._one("PRelu", (x, slope), name)

    def leaky_relu(self, x: TensorSpec, name: str = "leaky_relu") -> TensorSpec:
        """x, or a fixed slope times x below 0."""
        return self._one("LeakyRelu", (x,), name)

    def sigmoid(self, x: TensorSpec, name: str = "sigmoid") -> TensorSpec:
        """1 / (1 + exp(-x))."""
        return self._one("Sigmoid", (x,), name)

    def hard_sigmoid(self, x: TensorSpec, name: str = "hard_sigmoid") -> TensorSpec:
        """max(0, min(1, a x + b))."""
        return self._one("HardSigmoid", (x,), name)

    def hard_swish(self, x: TensorSpec, name: str = "hard_swish") -> TensorSpec:
        """x times its hard sigmoid."""
        return self._one("HardSwish", (x,), name)

    def swish(self, x: TensorSpec, name: str = "swish") -> TensorSpec:
        """x times its sigmoid."""
        return self._one("Swish", (x,), name)

    def gelu(self, x: TensorSpec, name: str = "gelu") -> TensorSpec:
        """x times the normal distribution's probability of less than x."""
        return self._one("Gelu", (x,), name)

    def softmax(self, x: TensorSpec, axis: int = -1, name: str = "softmax") -> TensorSpec:
        """Softmax along one axis."""
        return self._one("Softmax", (x,), name, axis=axis)

    def attention(self, q: TensorSpec, k: TensorSpec, v: TensorSpec, heads: int, name: str = "attention") -> TensorSpec:
        """Scaled dot product attention on (N, tokens, channels) data, the channels being those of all heads."""
        return self._one("Attention", (q, k, v), name, q_num_heads=heads, kv_num_heads=heads)

    def max_pool(
        self,
        x: TensorSpec,
        kernel: Sizes,
        *,
        stride: Sizes = 1,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        name: str = "max_pool",
    ) -> TensorSpec:
        """Maximum over a sliding window."""
        return self._pool("MaxPool", x, kernel, stride, padding, ceil_mode, name)

    def avg_pool(
        self,
        x: TensorSpec,
        kernel: Sizes,
        *,
        stride: Sizes = 1,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        name: str = "avg_pool",
    ) -> TensorSpec:
        """Mean over a sliding window."""
        return self._pool("AveragePool", x, kernel, stride, padding, ceil_mode, name)

    def _pool(
        self,
        op_type: str,
        x: TensorSpec,
        kernel: Sizes,
        stride: Sizes,
        padding: Sizes,
        ceil_mode: bool,
        name: str,
    ) -> TensorSpec:
        rank = len(x.shape or ()) - 2
        return self._one(
            op_type,
            (x,),
            name,
            kernel_shape=_each(kernel, rank),
            strides=_each(stride, rank),
            pads=_pads(padding, rank),
            ceil_mode=int(ceil_mode),
        )

    def global_avg_pool(self, x: TensorSpec, name: str = "global_avg_pool") -> TensorSpec:
        """Mean over all spatial dims, kept as 1."""
        return self._one("GlobalAveragePool", (x,), name)

    def spatial_mean(self, x: TensorSpec, name: str = "mean") -> TensorSpec:
        """As global_avg_pool, as a reduction: what exporters write for a mean over the dims of an image's size."""
        return self._one("ReduceMean", (x, self.values(range(2, len(x.shape or ())))), name)

    def add(self, a: TensorSpec, b: TensorSpec, name: str = "add") -> TensorSpec:
        """a + b, broadcast."""
        return self._one("Add", (a, b), name)

    def mul(self, a: TensorSpec, b: TensorSpec, name: str = "mul") -> TensorSpec:
        """a * b, broadcast."""
        return self._one("Mul", (a, b), name)

    def concat(self, parts: Sequence[TensorSpec], axis: int = 1, name: str = "concat") -> TensorSpec:
        """Join along an axis; channels by default."""
        return self._one("Concat", tuple(parts), name, axis=axis)

    def split(self, x: TensorSpec, sizes: Sequence[Dim], axis: int = 1, name: str = "split") -> tuple[TensorSpec, ...]:
        """Cut along an axis into parts of the given sizes; channels by default."""
        return self.node("Split", (x, self.values(sizes)), {"axis": axis}, name=self._path(name), outputs=len(sizes))

    def slice(self, x: TensorSpec, start: Dim, end: Dim, axis: int = 1, name: str = "slice") -> TensorSpec:
        """The elements from start to before end along an axis; channels by default."""
        numbers = {"start": start, "end": end, "axis": axis}
        return self._one(
            "Slice", (x, *(self.values((one,), name=f"{name}.{key}") for key, one in numbers.items())), name
        )

    def gather(self, x: TensorSpec, count: Dim, axis: int = 1, name: str = "gather") -> TensorSpec:
        """`count` elements along an axis, in an order that is stored with the weights; channels by default."""
        return self._one("Gather", (x, self.weight(f"{name}.index", (count,), "int64")), name, axis=axis)

    def reshape(self, x: TensorSpec, shape: Sequence[Dim], name: str = "reshape") -> TensorSpec:
        """The same elements in another shape; 0 keeps a dim, -1 takes what is left."""
        return self._one("Reshape", (x, self.values(shape)), name)

    def expand(self, x: TensorSpec, shape: Sequence[Dim], name: str = "expand") -> TensorSpec:
        """The elements repeated along dims of 1, up to the shape."""
        return self._one("Expand", (x, self.values(shape)), name)

    def flatten(self, x: TensorSpec, axis: int = 1, name: str = "flatten") -> TensorSpec:
        """Two dims: those before axis, and the rest."""
        return self._one("Flatten", (x,), name, axis=axis)

    def transpose(self, x: TensorSpec, perm: Sequence[int], name: str = "transpose") -> TensorSpec:
        """Dims in another order."""
        return self._one("Transpose", (x,), name, perm=tuple(perm))

    def channel_shuffle(self, x: TensorSpec, groups: int, name: str = "shuffle") -> TensorSpec:
        """Interleave the channels of `groups` groups (ShuffleNet V1, Section 3.1): reshape, transpose, reshape."""
        batch, channels, *size = x.shape or ()
        each = exact_div(channels, groups, f"{self._path(name)}: channels in {groups} groups")
        rest = range(3, 3 + len(size))
        with self.scope(name):
            grouped = self.reshape(x, (batch, groups, each, *size), "group")
            mixed = self.transpose(grouped, (0, 2, 1, *rest))
            return self.reshape(mixed, (batch, channels, *size), "join")

    def pad(self, x: TensorSpec, pads: Sequence[int], name: str = "pad") -> TensorSpec:
        """Add elements at the ends of each dim: all begins, then all ends."""
        return self._one("Pad", (x, self.values(pads)), name)

    def upsample(self, x: TensorSpec, factor: int, mode: str = "nearest", name: str = "upsample") -> TensorSpec:
        """Every spatial dim `factor` times as large."""
        scales = (1.0, 1.0, *(float(factor),) * (len(x.shape or ()) - 2))
        return self._one("Resize", (x, None, self.values(scales, "float32")), name, mode=mode)

    def resize(self, x: TensorSpec, sizes: Sequence[Dim], mode: str = "nearest", name: str = "resize") -> TensorSpec:
        """All dims as given, by interpolation."""
        return self._one("Resize", (x, None, None, self.values(sizes)), name, mode=mode)


def _channels(x: TensorSpec) -> Dim:
    if x.shape is None or len(x.shape) < 2:
        raise ShapeError(f"{x}: channels are dim 1, and there is none")
    return x.shape[1]


def _each(size: Sizes, rank: int) -> tuple[int, ...]:
    return tuple(size) if isinstance(size, tuple) else (size,) * rank


def _pads(size: Sizes, rank: int) -> tuple[int, ...]:
    """All begins, then all ends."""
    return size if isinstance(size, tuple) and len(size) == 2 * rank else _each(size, rank) * 2
