"""Export torchvision's classification models to ONNX at the crop sizes of their published weights.

    python benchmarks/export_torchvision.py OUT_DIR [MODEL ...] [--dynamic] [--torchscript]

One file `{model}-{crop}.onnx` is written per model and crop size (`vit_b_16` has weights for 224 and
for 384), with `-dynamic` or `-torchscript` before the extension for the two options; a file already
there is kept. Only graphs and shapes are wanted: no weights are downloaded, and large floating-point
initializers point into `{file}.data`, a sparse file of zeros that takes next to no room on the disk.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import onnx
import onnx_ir
import torch

# Where torchvision's compiled extension does not load (a wheel for another build of torch), importing
# it still takes these two operators to be defined. No classification model runs them.
_OPERATORS = torch.library.Library("torchvision", "FRAGMENT")
for _operator in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, _operator):
        _OPERATORS.define(f"{_operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from torchvision import models  # noqa: E402

#: The named input axes to try for a dynamic export, in order: some models fix their image size.
DYNAMIC_AXES = ({0: "batch", 2: "height", 3: "width"}, {0: "batch"})
#: Floating-point initializers of more elements than this go to the sparse file.
LARGEST_EMBEDDED = 1024
#: These multiply a constant table by a weight. The exporter's optimiser does it ahead of the run, and
#: mult-adds that torchvision publishes would be missing from the file.
MULTIPLY_CONSTANTS = ("swin_v2_",)


def crop_sizes(name: str) -> list[int]:
    """The distinct crop sizes of a model's published weights, smallest first."""
    return sorted({weights.transforms().crop_size[0] for weights in models.get_model_weights(name)})


def build(name: str, crop: int) -> torch.nn.Module:
    """The model as its published weights configure it, in eval mode, with random parameters."""
    options: dict[str, Any] = {}
    if name.startswith("vit_"):
        options["image_size"] = crop
    elif name in ("googlenet", "inception_v3"):
        options.update(transform_input=True, init_weights=False)
    initialisers = [key for key in vars(torch.nn.init) if key.endswith("_") and not key.startswith("_")]
    skipped: dict[str, Any] = dict.fromkeys(initialisers, lambda tensor, *_, **__: tensor)
    with mock.patch.multiple("torch.nn.init", **skipped):
        model: torch.nn.Module = models.get_model(name, weights=None, **options)
    # The exporter merges equal initializers and drops zero biases, of which a fresh model has many.
    statistics = [buffer for buffer in model.buffers() if buffer.ndim == 1 and buffer.is_floating_point()]
    with torch.no_grad():
        for tensor in (*model.parameters(), *statistics):
            tensor.uniform_(0.1, 1.0)
    return model.eval()


def export(name: str, crop: int, dynamic: bool, torchscript: bool) -> onnx_ir.Model:
    """Run one of torch's two exporters; if dynamic, with the first of DYNAMIC_AXES that it accepts."""
    model = build(name, crop)
    if torchscript:
        run = _run_torchscript
    else:
        run = partial(_run_dynamo, optimize=not name.startswith(MULTIPLY_CONSTANTS))
    if not dynamic:
        return run(model, torch.rand(1, 3, crop, crop), {})
    image = torch.rand(2, 3, crop, crop)  # a batch of 1 would stay 1
    try:
        return run(model, image, DYNAMIC_AXES[0])
    except Exception:  # the exporters raise many types; the other axes tell more
        return run(model, image, DYNAMIC_AXES[1])


def _run_dynamo(model: torch.nn.Module, image: torch.Tensor, axes: dict[int, str], optimize: bool) -> onnx_ir.Model:
    program = torch.onnx.export(
        model, (image,), verbose=False, input_names=["input"], dynamic_shapes=(axes,), optimize=optimize
    )
    assert program is not None
    return program.model


def _run_torchscript(model: torch.nn.Module, image: torch.Tensor, axes: dict[int, str]) -> onnx_ir.Model:
    names: dict[str, Any] = {"input_names": ["input"], "dynamic_axes": {"input": axes}}
    with tempfile.TemporaryDirectory() as folder:
        torch.onnx.export(model, (image,), Path(folder, "model.onnx"), dynamo=False, **names)
        return onnx_ir.from_proto(onnx.load(Path(folder, "model.onnx")))


def save_without_weights(model: onnx_ir.Model, path: Path) -> None:
    """Save the model at `path` with its large initializers in a sparse file of zeros beside it."""
    data = path.with_name(path.name + ".data")
    offset = 0
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if tensor is None or not tensor.dtype.is_floating_point() or tensor.size <= LARGEST_EMBEDDED:
            continue
        named: dict[str, Any] = {"shape": onnx_ir.Shape(tensor.shape.numpy()), "name": tensor.name}
        value.const_value = onnx_ir.ExternalTensor(data.name, offset, tensor.nbytes, tensor.dtype, **named)
        offset += tensor.nbytes
    with data.open("wb") as file:
        file.truncate(offset)
    unfinished = path.with_name(path.name + ".partial")  # so that `path` is never half written
    onnx_ir.save(model, unfinished, format="protobuf")
    unfinished.replace(path)


def convert(name: str, crop: int, path: Path, dynamic: bool, torchscript: bool) -> bool:
    """Export one model to `path`, print a line on it and say whether it went well."""
    label, start = f"{name:20} {crop:4}", time.perf_counter()
    if path.exists():
        print(f"{label}  already there", flush=True)
        return True
    try:
        model = export(name, crop, dynamic, torchscript)
        save_without_weights(model, path)
    except Exception as error:  # whatever the exporter raises, the other models are to be exported
        reason = " | ".join(str(error.__cause__ or error).splitlines())  # the exporter's own text is general
        print(f"{label}  FAILED  {type(error).__name__}: {reason}", flush=True)
        return False
    seconds, megabytes = time.perf_counter() - start, path.stat().st_size / 1e6
    print(f"{label} {seconds:7.1f} s {len(model.graph):6} nodes {megabytes:8.2f} MB", flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: every classification model")
    parser.add_argument("--dynamic", action="store_true", help="dynamic batch, and image size if possible")
    parser.add_argument("--torchscript", action="store_true", help="use the older, TorchScript exporter")
    arguments = parser.parse_intermixed_args()
    known = models.list_models(module=models)
    if unknown := sorted(set(arguments.models) - set(known)):
        parser.error(f"torchvision has no classification model {', '.join(unknown)}")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    arguments.out_dir.mkdir(parents=True, exist_ok=True)
    suffix = "-dynamic" * arguments.dynamic + "-torchscript" * arguments.torchscript
    failed = 0
    for name in arguments.models or known:
        for crop in crop_sizes(name):
            path = arguments.out_dir / f"{name}-{crop}{suffix}.onnx"
            failed += not convert(name, crop, path, arguments.dynamic, arguments.torchscript)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
