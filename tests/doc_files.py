"""Files that the pages take for granted: a model of yours, a CSV that you measured, a log from your phone.

The tool makes them: networks of its zoo as ONNX files, latencies that it predicts, profiles.
Logs are those of the tests.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path

import onnx
from doc_blocks import ROOT
from log_texts import TIMES, run_of, tflite_log, trt_log

import costmodel
from costmodel.frontends.onnx import save, write
from costmodel.platforms import find, save_profile

MEASURED = ("mobilenet_v1", "mobilenet_v2", "resnet18", "squeezenet1_1", "shufflenet_v2", "googlenet")
DYNAMIC = {0: "batch", 2: "height", 3: "width"}


def network(name: str, path: Path) -> None:
    save(costmodel.analyze(name).graph, path)


def dynamic(name: str, path: Path) -> None:
    """A network whose image has a free batch, height and width."""
    model = onnx.ModelProto.FromString(_written(name))
    del model.graph.value_info[:]
    for place, dim in DYNAMIC.items():
        model.graph.input[0].type.tensor_type.shape.dim[place].dim_param = dim
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    onnx.save(model, path)


@cache
def _written(name: str) -> bytes:
    return write(costmodel.analyze(name).graph).SerializeToString()


def latencies(by: str, path: Path, **columns: object) -> None:
    """A data CSV that has for measured what is predicted by a platform; columns: with the same value in each row."""
    rows = [",".join(("network", "latency_ms", *columns))]
    rows += [",".join(map(str, (*_latency(by, name), *columns.values()))) for name in MEASURED]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


@cache
def _latency(platform: str, name: str) -> tuple[str, str]:
    (prediction,) = costmodel.analyze(f"zoo:{name}", platform=platform).predictions
    return f"zoo:{name}", f"{1e3 * prediction.latency.seconds:.4g}"


def text(content: str, path: Path) -> None:
    path.write_text(content, encoding="utf-8")


def profile(platform: str, path: Path) -> None:
    save_profile(find(platform), path)


def copy(name: str, path: Path) -> None:
    shutil.copyfile(ROOT / name, path)


GIVEN: dict[str, Callable[[Path], None]] = {
    "model.onnx": partial(dynamic, "zoo:resnet18"),
    "models/net.onnx": partial(network, "zoo:mobilenet_v3_small"),
    "models/detector.onnx": partial(network, "zoo:shufflenet_v2,width=0.5"),
    "models/mine.onnx": partial(network, "zoo:shufflenet_v2,width=0.5"),
    "before.onnx": partial(network, "zoo:mobilenet_v2"),
    "after.onnx": partial(network, "zoo:mobilenet_v2,width=0.75"),
    "resnet50.onnx": partial(dynamic, "zoo:resnet50"),
    "data.csv": partial(latencies, "pixel4"),
    "mine.csv": partial(latencies, "epyc"),
    "laptop.csv": partial(latencies, "epyc", threads=1),
    "gpu.csv": partial(latencies, "t4-tensorrt-fp16", threads=0),
    "all.csv": partial(latencies, "gtx1080ti", platform="My GPU"),
    "sweep.csv": partial(latencies, "epyc"),
    "phone.txt": partial(text, run_of(TIMES)),
    "pixel.txt": partial(text, run_of(TIMES)),
    "board.txt": partial(text, run_of(TIMES)),
    "mbv2.txt": partial(text, tflite_log(14000, "14575.2", threads="Num threads: [1]")),
    "rn18.txt": partial(text, tflite_log(44000, "45575.2", threads="Num threads: [1]")),
    "rn50.txt": partial(text, trt_log(3.25, "--fp16")),
    "mbv2_b8.txt": partial(text, trt_log(1.5, "--fp16")),
    "mine.json": partial(profile, "epyc"),
    "profile.json": partial(profile, "epyc"),
    "boards/mine.json": partial(profile, "raspberrypi4-ncnn-fp32-1t"),
    "waivers.toml": partial(copy, "examples/waivers.toml"),
}
_WORD = re.compile(r"[^\s'\"=]+")


def provide(words: Iterable[str], folder: Path) -> None:
    """Make those of the given files that the words name and that are not there."""
    for name in dict.fromkeys(part for word in words for part in _WORD.findall(word)):
        path = folder / name
        if name in GIVEN and not path.exists():
            path.parent.mkdir(exist_ok=True)
            GIVEN[name](path)
