"""What a runtime's kernels look like on a kind of processor, before anything is measured.

Sources: ncnn packs 4 fp32 or 8 fp16 channels in a register (its `elempack`), falls back to 4 fp16 channels, and runs
3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3); TensorRT by F(2x2, 3x3), otherwise on tiles of
channels; so does cuDNN 7 (CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD; its tile is not documented and taken to be TensorRT's);
XNNPACK, which TFLite runs on CPUs, works on 4 channels; ONNX Runtime rounds channels up to blocks (NCHWc) where they
are multiples of 4, and runs others as a matrix product of patches.

A block of ONNX Runtime is what its MLAS says the processor has (MlasNchwcGetBlockSize, set in mlas/lib/platform.cpp):
16 channels with AVX-512F, otherwise 8 on x86-64, with AVX2, AVX or SSE2 alike. On ARM64 it was 1, for no such layout,
until 2025; since then there are NEON kernels with blocks of 16, which are off unless ONNX Runtime is built for them
(onnxruntime_USE_ARM_NEON_NCHWC; its pull requests 25580 and 26171: slower with few threads). Without blocks a
convolution is a matrix product of patches in rows of 4 channels, and every one adds a shortcut (its
ConvAddActivationFusion). The layout is of fp32 alone.
"""

from __future__ import annotations

from dataclasses import replace

from calibration.physics import Processor
from costmodel.platforms import Machine

# What a runtime runs on, the usual first.
PROCESSORS: dict[str, tuple[Processor, ...]] = {
    "cudnn7": ("gpu",),
    "neon": ("cpu",),
    "ncnn": ("cpu",),
    "tensorrt": ("gpu",),
    "onnxruntime": ("cpu",),
    "torch": ("cpu", "gpu"),
    "tflite": ("cpu", "gpu"),
}

_MACHINES: dict[tuple[str, str], Machine] = {
    ("ncnn", "fp32"): Machine(vector=4, winograd=4),
    ("ncnn", "fp16"): Machine(vector=8, packed=4, winograd=4),
    ("cudnn7", "fp32"): Machine(vector=32, padded=True, winograd=2),
    ("tensorrt", "fp32"): Machine(vector=8, winograd=2),
    ("tensorrt", "fp16"): Machine(vector=32, padded=True, winograd=2),
    ("onnxruntime", "fp32"): Machine(vector=16, packed=4, padded=True),
}
_BLOCKED = "onnxruntime"
BLOCKS = (16, 8, 0)  # that a processor may have for it
_DEFAULTS: dict[Processor, Machine] = {"cpu": Machine(vector=4), "gpu": Machine(vector=32, padded=True)}


def machine_of(runtime: str, precision: str, processor: Processor, blocks: int | None = None) -> Machine:
    """The machine that a platform's amounts of work are counted for.

    blocks: one of BLOCKS, of what has_blocks() says; None for the runtime's usual.
    """
    usual = _MACHINES.get((runtime, precision), _DEFAULTS[processor])
    if not has_blocks(runtime, precision):
        return replace(usual, blocks=0) if runtime == _BLOCKED else usual
    if blocks is None:
        return usual
    return replace(usual, vector=blocks, blocks=blocks) if blocks else replace(_DEFAULTS[processor], blocks=0)


def has_blocks(runtime: str, precision: str) -> bool:
    """Whether the processor decides about blocks of channels."""
    return (runtime, precision) == (_BLOCKED, "fp32")


def processor_of(runtime: str) -> Processor:
    """What a runtime runs on where nothing says so."""
    return PROCESSORS[runtime][0]
