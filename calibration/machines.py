"""What a runtime's kernels look like on a kind of processor, before anything is measured.

Sources: ncnn packs 4 fp32 or 8 fp16 channels in a register (its `elempack`), falls back to 4 fp16 channels, and runs
3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3); TensorRT by F(2x2, 3x3), otherwise on tiles of
channels; so does cuDNN 7 (CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD; its tile is not documented and taken to be TensorRT's);
XNNPACK, which TFLite runs on CPUs, works on 4 channels; ONNX Runtime rounds channels up to blocks of 16 (NCHWc, on CPUs
with AVX-512) where they are multiples of 4, and runs others as a matrix product of patches.
"""

from __future__ import annotations

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
_DEFAULTS: dict[Processor, Machine] = {"cpu": Machine(vector=4), "gpu": Machine(vector=32, padded=True)}


def machine_of(runtime: str, precision: str, processor: Processor) -> Machine:
    """The machine that a platform's amounts of work are counted for."""
    return _MACHINES.get((runtime, precision), _DEFAULTS[processor])


def processor_of(runtime: str) -> Processor:
    """What a runtime runs on where nothing says so."""
    return PROCESSORS[runtime][0]
