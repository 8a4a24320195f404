"""Signal processing: Fourier transforms and windows.

A Fourier transform is counted by its definition, a sum over the whole signal for each frequency. The
fast transform that a runtime uses does some 5 N log2 N operations, which depends on how N factors and
is no integer; counts of transforms therefore say that they are approximate.
"""

from __future__ import annotations

from costmodel.dims import Dim, as_dim, floor_div, product
from costmodel.dtypes import from_onnx
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, axis_index, declared_output, dims, scalar, tensor

_DIRECT = "counted as a direct transform; a fast one does fewer operations"


def _direct(signals: Dim, length: Dim, frequencies: Dim, components: Dim) -> Dim:
    """Operations of `signals` direct transforms.

    A real number times a complex one is two products and two sums, a complex number twice that.
    """
    return 4 * components * signals * length * frequencies


@operator("DFT", example=example("N L 1", onesided=1), settings=("dft_length", "axis_input"))
def dft(
    x: TensorSpec,
    dft_length: TensorSpec | None = None,
    axis_input: TensorSpec | None = None,
    /,
    *,
    axis: int = -2,
    inverse: int = 0,
    onesided: int = 0,
    declared: Declared = (),
) -> Result:
    """element_ops = 4 x components x signals x length x frequencies, by the definition of the transform.

    Opset 17 has its axis as an attribute, later ones as an input.
    """
    shape = dims(x, at_least=2)
    try:
        at = axis_index(axis if axis_input is None else scalar(axis_input), len(shape))
        given = None if dft_length is None else as_dim(scalar(dft_length), "dft_length")
    except UnknownShapeError as why:
        out = tensor(dims(declared_output(declared, 0, why), len(shape)), x.dtype)
        return Result((out,), element_ops=_direct(1, product(shape[:-1]), 1, shape[-1]), approximate=_DIRECT)
    if at == len(shape) - 1:
        raise ShapeError(f"axis {axis} of DFT is the last one, which holds real and imaginary parts")
    to_real = bool(inverse and onesided)
    length = given if given is not None else 2 * (shape[at] - 1) if to_real else shape[at]
    frequencies = floor_div(length, 2) + 1 if onesided and not inverse else length
    signals = product(dim for i, dim in enumerate(shape[:-1]) if i != at)
    out = tensor((*shape[:at], frequencies, *shape[at + 1 : -1], 1 if to_real else 2), x.dtype)
    # a real result needs the real half of each complex product only
    components = 1 if to_real else shape[-1]
    return Result((out,), element_ops=_direct(signals, length, frequencies, components), approximate=_DIRECT)


@operator("STFT", example=example("N L+32 1", (8,), "32"), settings=("frame_step", "frame_length"))
def stft(
    x: TensorSpec,
    frame_step: TensorSpec,
    window: TensorSpec | None = None,
    frame_length: TensorSpec | None = None,
    /,
    *,
    onesided: int = 1,
    declared: Declared = (),
) -> Result:
    """As a DFT of each frame; a window is one operation more an element of a frame, and no parameter."""
    batch, size, components = dims(x, rank=3)
    try:
        step = as_dim(scalar(frame_step), "frame_step")
        if frame_length is not None:
            length = as_dim(scalar(frame_length), "frame_length")
        else:
            length = size if window is None else dims(window, rank=1)[0]
    except UnknownShapeError as why:
        _, frames, frequencies, _ = dims(declared_output(declared, 0, why), rank=4)
        length = 2 * (frequencies - 1) if onesided else frequencies
    else:
        if isinstance(step, int) and step == 0:
            raise ShapeError("frame_step is 0; frames would never reach the end")
        frames = floor_div(size - length, step) + 1
        frequencies = floor_div(length, 2) + 1 if onesided else length
    out = tensor((batch, frames, frequencies, 2), x.dtype)
    windowed = 0 if window is None else batch * frames * length * components
    return Result(
        (out,),
        element_ops=_direct(batch * frames, length, frequencies, components) + windowed,
        params={2: 0},
        approximate=_DIRECT,
    )


def _window(size: TensorSpec, dtype: int, declared: Declared, ops: int) -> Result:
    try:
        out = tensor((as_dim(scalar(size), "size"),), from_onnx(dtype))
    except UnknownShapeError as why:
        out = tensor(dims(declared_output(declared, 0, why), rank=1), from_onnx(dtype))
    return Result((out,), element_ops=ops * out.elements)


@operator("HannWindow", "HammingWindow", example=example((16,)), settings=("size",))
def cosine_window(size: TensorSpec, /, *, output_datatype: int = 1, declared: Declared = ()) -> Result:
    """element_ops = 4 x elements: an angle, its cosine, a product, a difference."""
    return _window(size, output_datatype, declared, 4)


@operator("BlackmanWindow", example=example((16,)), settings=("size",))
def blackman_window(size: TensorSpec, /, *, output_datatype: int = 1, declared: Declared = ()) -> Result:
    """element_ops = 8 x elements: two angles, their cosines, two products, two sums."""
    return _window(size, output_datatype, declared, 8)


@operator(
    "MelWeightMatrix",
    example=example((8,), (16,), (8192,), (0.0,), (4096.0,)),
    settings=("num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz"),
)
def mel_weight_matrix(
    num_mel_bins: TensorSpec,
    dft_length: TensorSpec,
    sample_rate: TensorSpec,
    lower_edge_hertz: TensorSpec,
    upper_edge_hertz: TensorSpec,
    /,
    *,
    output_datatype: int = 1,
    declared: Declared = (),
) -> Result:
    """element_ops = 2 x elements: a difference and a division on the sides of each triangle."""
    try:
        bands, length = as_dim(scalar(num_mel_bins), "num_mel_bins"), as_dim(scalar(dft_length), "dft_length")
        out = tensor((floor_div(length, 2) + 1, bands), from_onnx(output_datatype))
    except UnknownShapeError as why:
        out = tensor(dims(declared_output(declared, 0, why), rank=2), from_onnx(output_datatype))
    return Result((out,), element_ops=2 * out.elements)
