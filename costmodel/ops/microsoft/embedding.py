"""Lookups in tables: words, positions, relative positions (com.microsoft).

What is looked up is all that is read.
"""

from __future__ import annotations

from costmodel.dims import Dim, product, same
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.composition import needed, of
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, axis_index, declared_output, dims, scalar, tensor

DOMAIN = "com.microsoft"
_DEQUANTISE = 2  # operations an element: subtract the zero point, multiply by the scale
_BUCKET = 10  # operations that find the bucket of a distance: differences, comparisons, a logarithm, a scaling


def _embedded(
    ids: TensorSpec,
    word: TensorSpec,
    position: TensorSpec,
    segment: TensorSpec | None,
    gamma: TensorSpec,
    beta: TensorSpec,
    position_ids: TensorSpec | None,
) -> tuple[Result, dict[int, Dim], Dim]:
    """The normalised sum of the tables' rows, elements read by input (2, 3, 4), and lookups of one table."""
    batch, length = dims(ids, rank=2)
    hidden = same(dims(word, rank=2)[1], dims(position, rank=2)[1], "hidden sizes of words and positions")
    looked_up = batch * length * hidden
    positions = length if position_ids is None else position_ids.elements
    reads = {2: looked_up, 3: positions * hidden, 4: looked_up}
    total = tensor((batch, length, hidden), gamma.dtype)
    normalised = of("LayerNormalization", total, gamma, beta)
    sums = (1 if segment is None else 2) * looked_up
    return Result(normalised.outputs[:1], element_ops=normalised.element_ops + sums), reads, looked_up


@operator(
    "EmbedLayerNormalization",
    domain=DOMAIN,
    example=example("B S", "B S", "V F", "P F", "2 F", "F", "F", "B S", dtypes={0: "int32", 1: "int32", 7: "int32"}),
    settings=("input_ids", "segment_ids", "position_ids"),
)
def embed_layer_normalization(
    input_ids: TensorSpec,
    segment_ids: TensorSpec | None = None,
    word: TensorSpec | None = None,
    position: TensorSpec | None = None,
    segment: TensorSpec | None = None,
    gamma: TensorSpec | None = None,
    beta: TensorSpec | None = None,
    mask: TensorSpec | None = None,
    position_ids: TensorSpec | None = None,
    /,
) -> Result:
    """Rows of two or three tables are summed, then LayerNormalization; a mask's length is one
    operation an element."""
    word, position = needed(word, "word_embedding"), needed(position, "position_embedding")
    gamma, beta = needed(gamma, "gamma"), needed(beta, "beta")
    work, reads, _ = _embedded(input_ids, word, position, segment, gamma, beta, position_ids)
    out = work.outputs[0]
    outputs = (out, tensor((dims(input_ids)[0],), "int32"), tensor(dims(out), out.dtype))
    counted = 0 if mask is None else mask.elements
    return Result(outputs, element_ops=work.element_ops + counted, reads=reads)


@operator(
    "QEmbedLayerNormalization",
    domain=DOMAIN,
    example=example(
        "B S",
        "B S",
        "V F",
        "P F",
        "2 F",
        "F",
        "F",
        None,
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        dtypes={0: "int32", 1: "int32", **dict.fromkeys((2, 3, 4, 5, 6, 13, 14, 15, 16, 17), "uint8")},
    ),
    settings=(
        "input_ids",
        "segment_ids",
        "word_scale",
        "position_scale",
        "segment_scale",
        "gamma_scale",
        "beta_scale",
        "word_zero",
        "position_zero",
        "segment_zero",
        "gamma_zero",
        "beta_zero",
    ),
)
def q_embed_layer_normalization(
    input_ids: TensorSpec,
    segment_ids: TensorSpec | None = None,
    word: TensorSpec | None = None,
    position: TensorSpec | None = None,
    segment: TensorSpec | None = None,
    gamma: TensorSpec | None = None,
    beta: TensorSpec | None = None,
    mask: TensorSpec | None = None,
    word_scale: TensorSpec | None = None,
    position_scale: TensorSpec | None = None,
    segment_scale: TensorSpec | None = None,
    gamma_scale: TensorSpec | None = None,
    beta_scale: TensorSpec | None = None,
    word_zero: TensorSpec | None = None,
    position_zero: TensorSpec | None = None,
    segment_zero: TensorSpec | None = None,
    gamma_zero: TensorSpec | None = None,
    beta_zero: TensorSpec | None = None,
    /,
) -> Result:
    """EmbedLayerNormalization on 8-bit tables; dequantising is two operations for each element looked up."""
    word, position = needed(word, "word_embedding"), needed(position, "position_embedding")
    gamma, beta = needed(gamma, "gamma"), needed(beta, "beta")
    work, reads, looked_up = _embedded(input_ids, word, position, segment, gamma, beta, None)
    out = tensor(dims(work.outputs[0]), needed(word_scale, "word_embedding_scale").dtype)
    tables = 2 if segment is None else 3
    counted = 0 if mask is None else mask.elements
    ops = work.element_ops + counted + _DEQUANTISE * tables * looked_up
    return Result((out, tensor((dims(input_ids)[0],), "int32")), element_ops=ops, reads=reads)


@operator("TorchEmbedding", domain=DOMAIN, example=example("V F", "N S", dtypes={1: "int64"}), settings=("indices",))
def torch_embedding(
    weight: TensorSpec,
    indices: TensorSpec,
    padding_idx: TensorSpec | None = None,
    scale_grad_by_freq: TensorSpec | None = None,
    /,
) -> Result:
    """As Gather."""
    return of("Gather", weight, indices)


@operator(
    "GatherBlockQuantized",
    domain=DOMAIN,
    example=example("V 16", "N S", "V 1", dtypes={0: "uint8", 1: "int64"}, block_size=32),
    settings=("indices", "scales", "zero_points"),
)
def gather_block_quantized(
    data: TensorSpec,
    indices: TensorSpec,
    scales: TensorSpec,
    zero_points: TensorSpec | None = None,
    /,
    *,
    bits: int = 4,
    gather_axis: int = 0,
) -> Result:
    """As Gather; dequantising is two operations an element. Bytes of fewer bits hold several
    elements each."""
    shape = dims(data, at_least=1)
    at = axis_index(gather_axis, len(shape))
    if bits not in (2, 4, 8):
        raise ShapeError(f"bits is {bits}; it is 2, 4 or 8")
    # uint8 is bytes that are packed; int4 and the 4- and 8-bit floats are what they say
    packing = 8 // bits if data.dtype == "uint8" else 1
    stored = of("Gather", data, indices, axis=at).outputs[0]
    taken = dims(stored)
    out = tensor((*taken[:-1], taken[-1] * packing), scales.dtype)
    rows = product(dims(indices))
    return Result(
        (out,),
        element_ops=_DEQUANTISE * out.elements,
        reads={0: stored.elements, **_rows_read(scales, at, rows, 2), **_rows_read(zero_points, at, rows, 3)},
        params={0: data.elements * packing},
    )


def _rows_read(spec: TensorSpec | None, axis: int, rows: Dim, index: int) -> dict[int, Dim]:
    """Elements read of a table that is looked up along axis, by its input's index."""
    if spec is None:
        return {}
    shape = dims(spec)
    return {index: rows * product(shape[:axis] + shape[axis + 1 :])}


@operator(
    "RelativePositionBias",
    domain=DOMAIN,
    example=example("K H", (7,), (7,), max_distance=128),
    settings=("query_length", "key_length"),
)
def relative_position_bias(
    table: TensorSpec, query_length: TensorSpec, key_length: TensorSpec, /, *, declared: Declared = ()
) -> Result:
    """element_ops = 10 for each pair of positions, whose bucket is the same for all heads."""
    heads = dims(table, rank=2)[1]
    try:
        out = tensor((1, heads, scalar(query_length), scalar(key_length)), table.dtype)
    except UnknownShapeError as why:
        out = declared_output(declared, 0, why)
    return Result((out,), element_ops=_BUCKET * product(dims(out, rank=4)[2:]))


@operator(
    "WordConvEmbedding",
    domain=DOMAIN,
    example=example("W L+4", "F 1 5 E", "F", "V E", dtypes={0: "int32"}),
    settings=("words",),
)
def word_conv_embedding(words: TensorSpec, w: TensorSpec, b: TensorSpec, table: TensorSpec, /) -> Result:
    """mult_adds = words x places of the window x filters x window x character size; the largest
    place is kept."""
    count, characters = dims(words, rank=2)
    filters, _, window, size = dims(w, rank=4)
    same(dims(table, rank=2)[1], size, "character sizes of the table and of the filters")
    places = count * (characters - window + 1) * filters
    return Result(
        (tensor((count, filters), table.dtype),),
        mult_adds=places * window * size,
        element_ops=3 * places,  # a bias, tanh, a comparison
        reads={3: words.elements * size},
        approximate="the lengths of words are not known before the run; every word is counted as the longest",
    )
