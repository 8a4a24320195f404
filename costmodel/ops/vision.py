"""Detection and images: non-maximum suppression, decoding. Regions of interest are in resampling.py."""

from __future__ import annotations

from costmodel.dims import as_dim, minimum, same
from costmodel.errors import UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, at_most, declared_output, dims, scalar, tensor

_OVERLAP = 14  # corners of the intersection 4, its sides 2 and area 1, two areas 2 x 2, union 2, ratio 1


@operator(
    "NonMaxSuppression",
    example=example("N B 4", "N C B", (20,), (0.5,), (0.1,)),
    settings=("max_output_boxes_per_class", "iou_threshold", "score_threshold"),
)
def non_max_suppression(
    boxes: TensorSpec,
    scores: TensorSpec,
    max_output_boxes_per_class: TensorSpec | None = None,
    iou_threshold: TensorSpec | None = None,
    score_threshold: TensorSpec | None = None,
    /,
    *,
    declared: Declared = (),
) -> Result:
    """element_ops = batch x classes x kept boxes x boxes x 14: the overlap of each box with each kept one;
    as many as may be are kept, an upper bound."""
    batch, count, coordinates = dims(boxes, rank=3)
    score_batch, classes, score_count = dims(scores, rank=3)
    same(coordinates, 4, "coordinates of a box")
    batch = same(batch, score_batch, "batch of boxes and of scores")
    count = same(count, score_count, "boxes and their scores")
    try:
        most = scalar(max_output_boxes_per_class)
        if most is None or (isinstance(most, int) and most < 0):
            most = 0
        kept = minimum(count, as_dim(most, "max_output_boxes_per_class"))
    except UnknownShapeError:
        kept = count
    out = at_most(tensor((batch * classes * kept, 3), "int64"), declared)
    return Result(
        (out,),
        element_ops=batch * classes * kept * count * _OVERLAP,
        approximate="how many boxes are kept depends on data: as many as may be, an upper bound",
    )


@operator("ImageDecoder", example=example("B", dtypes={0: "uint8"}))
def image_decoder(x: TensorSpec, /, *, declared: Declared = ()) -> Result:
    """Every byte is read, every pixel written; decoding itself is not counted."""
    why = UnknownShapeError(f"the size of the image in {x.name!r} is not known before the run")
    out = TensorSpec(dims(declared_output(declared, 0, why), rank=3), "uint8")
    return Result((out,), approximate="decoding is not counted, only its bytes")
