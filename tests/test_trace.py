"""The trace: valid by the Trace Event Format, its slices one after the other, together the predicted latency."""

from __future__ import annotations

import json
import math
from itertools import pairwise
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
from costmodel.explaining import explain_node
from costmodel.report import trace

NANOSECOND = 1e-3  # in microseconds

# "Trace Event Format", JSON object form: complete events (X) and the metadata events (M) that name and sort tracks.
COMPLETE = {
    "type": "object",
    "required": ["name", "cat", "ph", "ts", "dur", "pid", "tid", "args"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "cat": {"type": "string", "pattern": "^[a-z]+$"},  # a list with commas, were there several
        "ph": {"const": "X"},
        "ts": {"type": "number", "minimum": 0},
        "dur": {"type": "number", "minimum": 0},
        "pid": {"type": "integer", "minimum": 1},
        "tid": {"type": "integer", "minimum": 1},
        "args": {"type": "object"},
    },
}
METADATA = {
    "type": "object",
    "required": ["name", "ph", "pid", "tid", "args"],
    "additionalProperties": False,
    "properties": {
        "name": {"enum": ["process_name", "thread_name", "thread_sort_index"]},
        "ph": {"const": "M"},
        "pid": {"type": "integer", "minimum": 1},
        "tid": {"type": "integer", "minimum": 0},
        "args": {
            "oneOf": [
                {"required": ["name"], "properties": {"name": {"type": "string"}}, "additionalProperties": False},
                {"required": ["sort_index"], "properties": {"sort_index": {"type": "integer"}}},
            ]
        },
    },
}
SCHEMA = {
    "type": "object",
    "required": ["traceEvents"],
    "additionalProperties": False,
    "properties": {
        "traceEvents": {"type": "array", "items": {"oneOf": [COMPLETE, METADATA]}},
        "displayTimeUnit": {"enum": ["ms", "ns"]},
        "otherData": {"type": "object"},
    },
}
PLATFORMS = ["gtx1080ti", "snapdragon810-neon", "pixel4-tflite-fp32-1t"]


def checked(text: str) -> dict[str, Any]:
    """A trace that fits the format, whose tracks have names, and whose slices never overlap."""
    text.encode("utf-8")
    document: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)  # neither NaN nor Infinity is JSON
    jsonschema.validate(document, SCHEMA)
    assert all(event["pid"] != event["tid"] for event in document["traceEvents"])  # that would be a main thread
    for name, track in tracks(document).items():
        assert name
        for read in (round, math.trunc):  # Perfetto rounds microseconds to whole nanoseconds, and once cut them off
            ends = 0
            for one in track:
                assert read(one["ts"] * 1000) == ends
                ends += read(one["dur"] * 1000)
        for before, after in pairwise(track):
            assert before["ts"] + before["dur"] <= after["ts"] + 1e-9
    return document


def tracks(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The slices of each track, by the track's name."""
    events = document["traceEvents"]
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    result: dict[str, list[dict[str, Any]]] = {name: [] for name in names.values()}
    assert len(result) == len(names)
    for event in events:
        if event["ph"] == "X":
            result[names[event["pid"], event["tid"]]].append(event)
    return result


@pytest.mark.parametrize("name", ["zoo:shufflenet_v2,width=1.0", "zoo:mobilenet_v3_large", "zoo:squeezenet1_1"])
def test_each_platform_has_a_track_that_takes_the_predicted_latency(name: str) -> None:
    analysis = costmodel.analyze(name, platform=PLATFORMS)
    document = checked(trace.render(analysis))
    found = tracks(document)
    assert [track.split(":")[0] for track in found] == [platform.id for platform in analysis.platforms]
    for track, prediction in zip(found.values(), analysis.predictions, strict=True):
        last = track[-1]
        assert last["ts"] + last["dur"] == pytest.approx(prediction.latency.seconds * 1e6, abs=NANOSECOND)
        assert sum(one["dur"] for one in track) == pytest.approx(prediction.latency.seconds * 1e6, abs=NANOSECOND)
        fixed, *kernels = track
        assert fixed["name"] == "run (fixed)"
        assert fixed["dur"] == pytest.approx(prediction.fixed * 1e6, abs=NANOSECOND)
        assert [one["args"]["operators"] for one in kernels] == [
            [node.name for node in item.kernel.operators] for item in prediction.kernels
        ]
        for one, item in zip(kernels, prediction.kernels, strict=True):
            assert one["dur"] == pytest.approx(item.estimate.seconds * 1e6, abs=NANOSECOND)
            arguments = one["args"]
            assert arguments["kind"] == one["cat"] == item.kernel.kind.value
            assert (arguments["mult_adds"], arguments["bytes"]) == (item.kernel.cost.mult_adds, item.kernel.cost.bytes)
            assert arguments["low_ms"] <= arguments["latency_ms"] <= arguments["high_ms"]
    assert sum(one["args"]["mult_adds"] for one in kernels) == analysis.totals.mult_adds


def test_the_bound_is_what_explain_says() -> None:
    analysis = costmodel.analyze("zoo:mobilenet_v2", platform=PLATFORMS)
    found = tracks(checked(trace.render(analysis)))
    bounds = set()
    for name in ("features.0.0", "features.2.conv.1.0", "classifier.1"):
        for time, track in zip(explain_node(analysis, name).times, found.values(), strict=True):
            arguments = next(one["args"] for one in track[1:] if name in one["args"]["operators"])
            assert time.bound is not None
            assert arguments["bound"] == time.bound[0]
            assert arguments["bound_share"] == pytest.approx(time.bound[1], abs=1e-4)
            bounds.add(time.bound[0])
    assert len(bounds) > 1


def test_latencies_are_shown_with_their_intervals() -> None:
    analysis = costmodel.analyze("zoo:alexnet", platform="gtx1080ti", coverage=0.5)
    document = checked(trace.render(analysis))
    latency = analysis.predictions[0].latency
    (name,) = tracks(document)
    assert name.endswith(", 1 of 2)")
    (run,) = document["otherData"]["platforms"]
    assert (run["low_ms"], run["high_ms"]) == (latency.low * 1e3, latency.high * 1e3)


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:12]))
def test_whatever_names_hold_it_stays_a_trace(name: str) -> None:
    builder = costmodel.GraphBuilder(name or "n")
    x = builder.input("x", (1, 3, 16, 16))
    graph = builder.build(builder.relu(builder.conv(x, 8, 3, name=name or "conv")))
    text = trace.render(costmodel.analyze(graph, platform="gtx1080ti"))
    document = checked(text)
    assert "\x1b" not in text
    assert any(one["args"].get("kind") == "spatial" for one in next(iter(tracks(document).values())))


def test_whole_nanoseconds_survive_rounding_and_cutting() -> None:
    for nanoseconds in [*range(20_000), 10**9 + 1, 123_456_789_013, 2**52 - 1]:
        microseconds = trace.microseconds(nanoseconds)
        assert math.trunc(microseconds * 1000) == round(microseconds * 1000) == nanoseconds


def test_without_a_platform_it_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="name one with -p"):
        trace.render(costmodel.analyze("zoo:alexnet"))
    assert main(["analyze", "zoo:alexnet", "--format", "trace", "-p", "none"]) == 2
    assert capsys.readouterr().err == (
        "costmodel: zoo:alexnet: a trace is of latencies, and no platform is predicted; name one with -p\n"
    )


def test_a_population_has_no_trace() -> None:
    batches = Column(np.array([1, 2]))
    with pytest.raises(UsageError, match="one network"):
        trace.render(costmodel.analyze("zoo:alexnet", batch=batches, platform="gtx1080ti"))


def test_the_command_line_writes_it_and_says_what_was_assumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [node("Conv", ["x", "w"], ["y"], "first"), node("Mystery", ["y"], ["z"], "second", domain="my.own")]
    path = save(model(nodes, [value("x", ("n", 3, 8, 8))], [weight("w", 4, 3, 3, 3)]), tmp_path)
    target = tmp_path / "trace.json"
    assert main(["analyze", str(path), "--format", "trace", "-o", str(target)]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Coverage: 1 counted, 0 approximated, 1 unknown: my.own:Mystery\n")
    document = checked(target.read_text(encoding="utf-8"))
    assert len(tracks(document)) == 2
    other = document["otherData"]
    assert other["model"] == str(path)
    assert "1 unknown" in other["coverage"]
    assert other["assumptions"]
    assert any("lower bound" in note for note in other["notes"])
