"""Node data for Model Explorer: what its user interface reads, under the names that nodes have there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from check_examples import HOSTILE
from onnx_models import model, node, save, value, weight

import costmodel
from costmodel.cli import main
from costmodel.columns import Column
from costmodel.errors import UsageError
from costmodel.report.model_explorer import DataSet, data_sets

COLOR = {"type": "string", "pattern": "^#[0-9a-f]{6}$"}  # of a gradient: "only support hex color or color names"
# GraphNodeData of model_explorer's node_data_builder.py, with the name that its user interface takes as well.
GRAPH_DATA = {
    "type": "object",
    "required": ["results"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "results": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["value"],
                "additionalProperties": False,
                "properties": {"value": {"type": "number"}, "bgColor": COLOR, "textColor": COLOR},
            },
        },
        "gradient": {
            "type": "array",
            "minItems": 2,
            "items": {
                "type": "object",
                "required": ["stop"],
                "additionalProperties": False,
                "properties": {
                    "stop": {"type": "number", "minimum": 0, "maximum": 1},
                    "bgColor": COLOR,
                    "textColor": COLOR,
                },
            },
        },
    },
}
PLATFORMS = ["gtx1080ti", "snapdragon810-neon"]
COUNTS = ["mult_adds.json", "memory_access.json", "bytes.json", "params.json"]


def read(text: str, graph: str = "") -> dict[str, Any]:
    """A file's data set as Model Explorer reads it (handleDrop of model_graph_visualizer.ts), for the graph shown."""
    text.encode("utf-8")
    document = json.loads(text, parse_constant=pytest.fail)
    if document.get("results") is None or document["results"].get("results") is not None:
        assert any(one.get("results") is not None for one in document.values())
        document = document[graph]
    jsonschema.validate(document, GRAPH_DATA)
    stops = [item["stop"] for item in document["gradient"]]
    assert stops == sorted(stops)
    assert {0, 1} <= set(stops)
    result: dict[str, Any] = document
    return result


def values(one: DataSet) -> dict[str, float]:
    return {name: entry["value"] for name, entry in read(one.text)["results"].items()}


def test_there_is_a_data_set_for_each_platform_and_each_count() -> None:
    analysis = costmodel.analyze("zoo:shufflenet_v2,width=1.0", platform=PLATFORMS)
    found = {one.file: one for one in data_sets(analysis)}
    assert list(found) == [*(f"{platform.id}.json" for platform in analysis.platforms), *COUNTS]
    for file, total in zip(COUNTS, ("mult_adds", "memory_access", "bytes", "params"), strict=True):
        counts = values(found[file])
        assert list(counts) == [node.name for node in analysis.operators]
        assert sum(counts.values()) == getattr(analysis.totals, total)
    for prediction in analysis.predictions:
        one = found[f"{prediction.platform}.json"]
        kernels = values(one)
        assert sum(kernels.values()) == pytest.approx((prediction.latency.seconds - prediction.fixed) * 1e3, rel=1e-3)
        assert "conv1.0" in kernels
        assert "conv1.1" not in kernels  # its normalisation, taken along
        assert re.search(r"run of [0-9.]+ ms \([0-9.]+ to [0-9.]+, 9 of 10\)", read(one.text)["name"])


def test_a_node_called_results_does_not_hide_the_others() -> None:
    builder = costmodel.GraphBuilder("net")
    x = builder.input("x", (1, 3, 16, 16))
    graph = builder.build(builder.relu(builder.conv(x, 8, 3, name="results"), name="other"))
    for one in data_sets(costmodel.analyze(graph, platform="gtx1080ti")):
        assert "results" in read(one.text, "net")["results"]
    assert set(read(data_sets(costmodel.analyze(graph))[0].text, "net")["results"]) == {"results", "other"}


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:12]))
def test_whatever_names_hold_it_stays_node_data(name: str) -> None:
    builder = costmodel.GraphBuilder(name or "n")
    x = builder.input("x", (1, 3, 16, 16))
    graph = builder.build(builder.conv(x, 8, 3, name=name or "conv"))
    for one in data_sets(costmodel.analyze(graph, platform="gtx1080ti")):
        (key,) = read(one.text)["results"]
        assert key == (name or "conv").replace("\ud800", "?").replace("\udcff", "?")  # the id of the node, as it is


def test_a_population_has_none() -> None:
    with pytest.raises(UsageError, match="one network"):
        data_sets(costmodel.analyze("zoo:alexnet", batch=Column(np.array([1, 2]))))


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_folder_gets_a_file_a_data_set(ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "there"
    if not ending:
        folder.mkdir()  # without the slash it has to be there
    assert main(["analyze", "zoo:alexnet", "--format", "model-explorer", "-o", f"{folder}{ending}"]) == 0
    assert capsys.readouterr() == ("", "")
    ids = ["gtx1080ti-cudnn7-fp32.json", "snapdragon810-neon-fp32-1t.json"]
    assert {path.name for path in folder.iterdir()} == {*ids, *COUNTS}
    for path in folder.iterdir():
        read(path.read_text(encoding="utf-8"))


def test_stdout_and_a_file_get_the_first_data_set_and_stderr_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["analyze", "zoo:alexnet", "--format", "model-explorer", "-p", "pixel4-tflite-fp32-1t"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert read(out)["name"].startswith("pixel4-tflite-fp32-1t")
    assert err.startswith("This is pixel4-tflite-fp32-1t")
    assert err.endswith("-o FOLDER/ writes all of them: pixel4-tflite-fp32-1t.json, " + ", ".join(COUNTS) + "\n")
    assert main([*words, "-o", str(tmp_path / "one.json")]) == 0
    assert (tmp_path / "one.json").read_text(encoding="utf-8") == out
    capsys.readouterr()
    assert main(["analyze", "zoo:alexnet", "--format", "model-explorer", "-p", "none"]) == 0
    assert read(capsys.readouterr().out)["name"] == "mult-adds"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["analyze", "zoo:alexnet", "--format", "model-explorer", "-o", f"{tmp_path}/file/"]) == 2
    assert f"-o {tmp_path}/file/: no such folder can be made" in capsys.readouterr().err


def test_nodes_of_an_onnx_file_have_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [node("Conv", ["x", "w"], ["y"], "/stem/Conv"), node("Relu", ["y"], ["z"], "/stem/Relu")]
    path = save(model(nodes, [value("x", (1, 3, 8, 8))], [weight("w", 4, 3, 3, 3)]), tmp_path)
    assert main(["analyze", str(path), "--format", "model-explorer", "-p", "none"]) == 0
    found = read(capsys.readouterr().out)["results"]
    assert found == {"/stem/Conv": {"value": 36 * 27 * 4}, "/stem/Relu": {"value": 0}}
