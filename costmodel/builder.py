"""GraphBuilder: write a network in a few lines, without weights.

Every method takes and returns TensorSpecs. Channels and sizes may be ints, columns or symbols; the
costs of the finished graph are then of the same kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from costmodel.cost import Cost
from costmodel.dims import Dim, as_dim, exact_div
from costmodel.errors import ModelError, ShapeError
from costmodel.graph import Counting, Graph, Node, TensorSpec
from costmodel.ops import Params, apply, as_value

Sizes = int | tuple[int, ...]

# Element types of tables, masks and indices: constants, but nothing that was learned.
_NOT_LEARNED = frozenset({"int64", "uint64", "bool", "string"})


Mark = tuple[int, int, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Piece:
    """What was added to a graph since a mark: nodes, tensors, and the constants that they counted."""

    nodes: tuple[Node, ...]
    tensors: Mapping[str, TensorSpec]
    counted: frozenset[str]

    @property
    def cost(self) -> Cost:
        """The sum over its nodes."""
        return sum((node.cost for node in self.nodes), Cost())


class GraphBuilder:
    """Collects operators in the order in which they run, and counts each as it is added."""

    def __init__(self, name: str = "network") -> None:
        self.name = name
        self._tensors: dict[str, TensorSpec] = {}
        self._nodes: list[Node] = []
        self._names: dict[str, int] = {}
        self._inputs: list[str] = []
        self._constants: dict[str, TensorSpec] = {}
        self._counted: set[str] = set()
        self._scopes: list[str] = []

    # -- tensors that are not written by an operator

    def input(
        self, name: str, shape: Sequence[Any] | None, dtype: str = "float32", value: Any = None
    ) -> TensorSpec:
        """A tensor that enters the network; its shape may be unknown (None), its elements may be known.

        Raises ShapeError for dims that are no sizes, and for a value of another shape.
        """
        dims = None if shape is None else tuple(as_dim(d, f"a dim of input {name!r}") for d in shape)
        if value is not None:
            value = as_value(value)
            if dims is not None and value.shape != dims:
                raise ShapeError(f"input {name!r}: a value of shape {value.shape} is given for dims {dims}")
            dims = value.shape
        self._inputs.append(name)
        return self._add(TensorSpec(dims, dtype, name, value))

    def weight(self, name: str, shape: Sequence[Dim], dtype: str = "float32") -> TensorSpec:
        """A constant tensor: learned, unless its type is int64 or bool."""
        return self.constant(TensorSpec(tuple(shape), dtype, self._path(name)))

    def constant(self, spec: TensorSpec) -> TensorSpec:
        """A constant under its own name, with its value where that is small."""
        spec = replace(spec, roots=(spec.name,))
        self._constants[spec.name] = spec
        return self._add(spec)

    def values(self, items: Sequence[Any], dtype: str = "int64") -> TensorSpec:
        """A nameless vector of numbers that steers an operator (a shape, axes, scales)."""
        value = as_value(tuple(items))
        return TensorSpec(value.shape, dtype, value=value)

    def _add(self, spec: TensorSpec) -> TensorSpec:
        if spec.name in self._tensors:
            raise ModelError(f"tensor {spec.name!r} is written twice; names are unique in a graph")
        self._tensors[spec.name] = spec
        return spec

    # -- operators

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Name everything added within the block `name.` ..."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    def _path(self, name: str) -> str:
        return ".".join((*self._scopes, name))

    def unique(self, name: str) -> str:
        """name, with a number behind it if an operator has it already."""
        count = self._names.get(name, 0)
        self._names[name] = count + 1
        return name if count == 0 else self.unique(f"{name}_{count}")

    def node(
        self,
        op_type: str,
        inputs: Sequence[TensorSpec | None],
        attributes: Mapping[str, Any] | None = None,
        *,
        domain: str = "",
        name: str = "",
        outputs: Sequence[str] | int = 1,
        declared: Sequence[TensorSpec | None] = (),
        repeat: Dim = 1,
        module: str | None = None,
        source: str = "",
        note: str = "",
    ) -> tuple[TensorSpec, ...]:
        """Add any operator; returns its outputs.

        outputs: their names ("" for one not wanted), or how many to name after the node.
        declared: what a model says of the outputs; used where shapes depend on data, and for
            operators that the registry does not know (these count bytes only, and say so).
        repeat, module, source: as in Node. note: why the count cannot be exact, whatever the operator.
        Raises ShapeError, naming the node, where inputs and attributes do not fit.
        """
        attributes = attributes or {}
        name = self.unique(name or self._path(op_type.lower()))
        if isinstance(outputs, int):
            outputs = [name] if outputs == 1 else [f"{name}:{i}" for i in range(outputs)]
        try:
            applied = apply(op_type, domain, inputs, attributes, outputs, declared, self._constants)
        except ShapeError as error:
            raise ShapeError(f"node {name!r} ({op_type}): {error}") from error
        specs = applied.outputs
        for spec in specs:
            if spec.name:
                self._add(spec)
                if spec.name in spec.roots:
                    self._constants[spec.name] = spec
        counting = applied.counting
        if note and counting is Counting.COUNTED:
            counting = Counting.APPROXIMATED
        self._nodes.append(
            Node(
                name,
                op_type,
                domain,
                tuple("" if spec is None else spec.name for spec in inputs),
                tuple(outputs),
                attributes,
                replace(applied.cost.repeated(repeat), params=self._params(applied.params)),
                repeat,
                counting,
                applied.note or note,
                ".".join(self._scopes) if module is None else module,
                source,
            )
        )
        return specs

    def _params(self, candidates: Params) -> Dim:
        """Learned elements of the constants that no earlier node has used."""
        total: Dim = 0
        for spec, elements in candidates:
            new = [root for root in spec.roots if root not in self._counted]
            self._counted.update(new)
            if elements is not None:
                total = total + (elements if new else 0)
                continue
            for root in new:
                constant = self._constants[root]
                if constant.dtype not in _NOT_LEARNED:
                    total = total + constant.elements
        return total

    def find(self, name: str) -> TensorSpec | None:
        """The tensor of that name, or None if nothing has written it yet."""
        return self._tensors.get(name)

    def mark(self) -> Mark:
        """The state of now, to come back to."""
        return len(self._nodes), len(self._tensors), frozenset(self._counted)

    def cut(self, mark: Mark) -> Piece:
        """Take out everything that was added since the mark."""
        nodes, tensors, counted = mark
        piece = Piece(
            tuple(self._nodes[nodes:]), dict(list(self._tensors.items())[tensors:]), frozenset(self._counted - counted)
        )
        del self._nodes[nodes:]
        for name in piece.tensors:
            del self._tensors[name]
        self._counted.difference_update(piece.counted)
        return piece

    def paste(self, piece: Piece) -> None:
        """Put back what was cut."""
        self._nodes.extend(piece.nodes)
        self._tensors.update(piece.tensors)
        self._counted.update(piece.counted)

    def build(self, *outputs: TensorSpec, notes: Sequence[str] = ()) -> Graph:
        """The finished graph."""
        tensors = {**{spec.name: spec for spec in outputs}, **self._tensors}
        names = tuple(spec.name for spec in outputs)
        return Graph(self.name, tuple(self._inputs), names, tuple(self._nodes), tensors, tuple(notes))

    # -- the operators that convolutional networks need

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
        padding None keeps the size at stride 1 (odd kernels)."""
        rank = len(x.shape or ()) - 2
        taps, steps, spread = _each(kernel, rank), _each(stride, rank), _each(dilation, rank)
        if padding is None:
            pads = tuple((k - 1) * d // 2 for k, d in zip(taps, spread, strict=True))
        else:
            pads = _each(padding, rank)
        group_channels = exact_div(_channels(x), groups, f"{self._path(name)}: channels in {groups} groups")
        weight = self.weight(f"{name}.weight", (channels, group_channels, *taps))
        return self._one(
            "Conv",
            (x, weight, self.weight(f"{name}.bias", (channels,)) if bias else None),
            name,
            kernel_shape=taps,
            strides=steps,
            pads=pads * 2,
            dilations=spread,
            group=groups,
        )

    def depthwise(self, x: TensorSpec, kernel: Sizes = 3, *, name: str = "conv", **options: Any) -> TensorSpec:
        """Depthwise convolution: one group a channel. Options as in conv."""
        channels = _channels(x)
        return self.conv(x, channels, kernel, groups=channels, name=name, **options)

    def conv_transpose(
        self, x: TensorSpec, channels: Dim, kernel: Sizes, *, stride: Sizes = 1, padding: Sizes = 0,
        groups: Dim = 1, bias: bool = False, name: str = "conv_transpose",
    ) -> TensorSpec:  # fmt: skip
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
            "BatchNormalization", (x, *(self.weight(f"{name}.{part}", (_channels(x),)) for part in parts)), name
        )

    def layer_norm(self, x: TensorSpec, name: str = "norm") -> TensorSpec:
        """Layer normalisation over the last dim."""
        last = (x.shape or ())[-1]
        weights = (self.weight(f"{name}.{part}", (last,)) for part in ("weight", "bias"))
        return self._one("LayerNormalization", (x, *weights), name, axis=-1)

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
        low, high = (replace(self.values((v,), x.dtype), shape=()) for v in (0.0, 6.0))
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

    def softmax(self, x: TensorSpec, axis: int = -1, name: str = "softmax") -> TensorSpec:
        """Softmax along one axis."""
        return self._one("Softmax", (x,), name, axis=axis)

    def max_pool(
        self, x: TensorSpec, kernel: Sizes, *, stride: Sizes = 1, padding: Sizes = 0, ceil_mode: bool = False,
        name: str = "max_pool",
    ) -> TensorSpec:  # fmt: skip
        """Maximum over a sliding window."""
        return self._pool("MaxPool", x, kernel, stride, padding, ceil_mode, name)

    def avg_pool(
        self, x: TensorSpec, kernel: Sizes, *, stride: Sizes = 1, padding: Sizes = 0, ceil_mode: bool = False,
        name: str = "avg_pool",
    ) -> TensorSpec:  # fmt: skip
        """Mean over a sliding window."""
        return self._pool("AveragePool", x, kernel, stride, padding, ceil_mode, name)

    def _pool(
        self, op_type: str, x: TensorSpec, kernel: Sizes, stride: Sizes, padding: Sizes, ceil_mode: bool, name: str
    ) -> TensorSpec:
        rank = len(x.shape or ()) - 2
        return self._one(
            op_type,
            (x,),
            name,
            kernel_shape=_each(kernel, rank),
            strides=_each(stride, rank),
            pads=_each(padding, rank) * 2,
            ceil_mode=int(ceil_mode),
        )

    def global_avg_pool(self, x: TensorSpec, name: str = "global_avg_pool") -> TensorSpec:
        """Mean over all spatial dims, kept as 1."""
        return self._one("GlobalAveragePool", (x,), name)

    def add(self, a: TensorSpec, b: TensorSpec, name: str = "add") -> TensorSpec:
        """a + b, broadcast."""
        return self._one("Add", (a, b), name)

    def mul(self, a: TensorSpec, b: TensorSpec, name: str = "mul") -> TensorSpec:
        """a * b, broadcast."""
        return self._one("Mul", (a, b), name)

    def concat(self, parts: Sequence[TensorSpec], axis: int = 1, name: str = "concat") -> TensorSpec:
        """Join along an axis; channels by default."""
        return self._one("Concat", tuple(parts), name, axis=axis)

    def split(
        self, x: TensorSpec, sizes: Sequence[Dim], axis: int = 1, name: str = "split"
    ) -> tuple[TensorSpec, ...]:
        """Cut along an axis into parts of the given sizes; channels by default."""
        return self.node(
            "Split", (x, self.values(sizes)), {"axis": axis}, name=self._path(name), outputs=len(sizes)
        )

    def reshape(self, x: TensorSpec, shape: Sequence[Dim], name: str = "reshape") -> TensorSpec:
        """The same elements in another shape; 0 keeps a dim, -1 takes what is left."""
        return self._one("Reshape", (x, self.values(shape)), name)

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


def _channels(x: TensorSpec) -> Dim:
    if x.shape is None or len(x.shape) < 2:
        raise ShapeError(f"{x}: channels are dim 1, and there is none")
    return x.shape[1]


def _each(size: Sizes, rank: int) -> tuple[int, ...]:
    return tuple(size) if isinstance(size, tuple) else (size,) * rank
