"""Models with damaged bytes: whatever is damaged, there is an analysis or a CostModelError, and soon."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx_models import BOOL, FLOAT, INT64, body, function, ints, model, node, save, scalar, value, weight

import costmodel
from costmodel import CostModelError
from costmodel.report import json, text
from costmodel.report.rows import View

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
SECONDS = 20.0  # of processor time: a hang, not a slow machine
DETERMINISTIC = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def loop() -> onnx.ModelProto:
    """A Loop with a carried value, a scan output and a weight from outside."""
    inside = body(
        [node("Add", ["v", "w"], ["next"]), node("Identity", ["go"], ["on"]), node("Relu", ["next"], ["row"])],
        [value("i", (), INT64), value("go", (), BOOL), value("v", (2, 3))],
        [value("on", (), BOOL), value("next", (2, 3)), value("row", (2, 3))],
    )
    nodes = [node("Loop", ["n", "", "x"], ["y", "rows"], body=inside), node("Relu", ["rows"], ["z"])]
    return model(nodes, [value("x", (2, 3))], [scalar("n", 4), weight("w", 3)], outputs=[value("z", ("t", 2, 3))])


def branches() -> onnx.ModelProto:
    """An If with weights of its own, and another in one of its branches."""
    leaf = body([node("Add", ["x", "k"], ["b"])], outputs=[value("b", (2, 3))], constants=[weight("k", 3)])
    other = body([node("If", ["c"], ["b"], then_branch=leaf, else_branch=leaf)], outputs=[value("b", (2, 3))])
    nodes = [node("If", ["c"], ["y"], then_branch=leaf, else_branch=other)]
    return model(nodes, [value("x", (2, 3)), value("c", (), BOOL)], outputs=[value("y", (2, 3))])


def scan() -> onnx.ModelProto:
    inside = body(
        [node("Add", ["s", "e"], ["t"]), node("Relu", ["t"], ["o"])],
        [value("s", (3,)), value("e", (3,))],
        [value("t", (3,)), value("o", (3,))],
    )
    nodes = [node("Scan", ["s0", "x"], ["last", "all"], body=inside, num_scan_inputs=1, scan_input_axes=[0])]
    return model(nodes, [value("s0", (3,)), value("x", (5, 3))], outputs=[value("all", (5, 3))])


def functions() -> onnx.ModelProto:
    """Functions that call each other, with attributes and a default."""
    leaf = helper.make_attribute("axis", 1)
    reference = node("Softmax", ["a"], ["b"])
    reference.attribute.append(onnx.AttributeProto(name="axis", type=onnx.AttributeProto.INT, ref_attr_name="axis"))
    inner = function("inner", ["a", "unused"], ["b"], [reference], defaults=[leaf])
    calls = [node("inner", ["a"], ["m"], domain="local", axis=0), node("inner", ["m"], ["b"], domain="local")]
    outer = function("outer", ["a"], ["b"], calls)
    return model([node("outer", ["x"], ["y"], domain="local")], functions=[inner, outer])


def quantised() -> onnx.ModelProto:
    """int8 weights with scales a channel, int4 weights in blocks, quantised activations."""
    constants = [
        weight("q", 4, 3, 3, 3, dtype=TensorProto.INT8),
        weight("s", 4),
        weight("z", 4, dtype=TensorProto.INT8),
        weight("q4", 144, 10, dtype=TensorProto.INT4),
        weight("s4", 9, 10),
        scalar("sx", 0.1, FLOAT),
        scalar("zx", 3, TensorProto.UINT8),
    ]
    nodes = [
        node("QuantizeLinear", ["x", "sx", "zx"], ["xq"]),
        node("DequantizeLinear", ["xq", "sx", "zx"], ["xd"]),
        node("DequantizeLinear", ["q", "s", "z"], ["wd"], axis=0),
        node("Conv", ["xd", "wd"], ["c"], kernel_shape=[3, 3], strides=[1, 1]),
        node("Reshape", ["c", "shape"], ["f"]),
        node("DequantizeLinear", ["q4", "s4"], ["wf"], axis=0, block_size=16),
        node("MatMul", ["f", "wf"], ["y"]),
    ]
    return model(nodes, constants=[*constants, ints("shape", 1, -1)], outputs=[value("y", (1, 10))])


def shapes() -> onnx.ModelProto:
    """Free dims, shape arithmetic, Constants of several kinds, data beside the file."""
    external = TensorProto(name="w", data_type=FLOAT, dims=[16, 3, 3, 3], data_location=TensorProto.EXTERNAL)
    for key, entry in (("location", "weights.bin"), ("offset", "4096"), ("length", "1728")):
        new = external.external_data.add()
        new.key, new.value = key, entry
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Shape", ["c"], ["shape"]),
        node("Constant", [], ["zero"], value_int=0),
        node("Constant", [], ["rest"], value_ints=[-1]),
        node("Gather", ["shape", "zero"], ["n"], axis=0),
        node("Constant", [], ["axes"], value=ints("a", 0)),
        node("Unsqueeze", ["n", "axes"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], axis=0),
        node("Reshape", ["c", "target"], ["f"]),
        node("ConstantOfShape", ["target2"], ["k"], value=helper.make_tensor("v", FLOAT, [1], [1.0])),
        node("Softmax", ["f"], ["y"]),
    ]
    return model(
        nodes, [value("x", ("n", 3, "h", "w"))], [external, ints("target2", 2, 3)], outputs=[value("y", ("n", "k"))]
    )


SMALL = {build.__name__: build for build in (loop, branches, scan, functions, quantised, shapes)}
SOUND = {name: build().SerializeToString() for name, build in SMALL.items()}
REAL = {name: (LIGHT / f"light_{name}.onnx").read_bytes() for name in ("squeezenet", "shufflenet", "bvlc_alexnet")}

position = st.floats(0, 1, exclude_max=True)
byte = st.integers(0, 255)
interesting = st.sampled_from(
    [0, 1, 0x7F, 0x80, 0xFF, *(number << 3 | wire for number in (1, 5, 7) for wire in range(6))]
)
mutation = st.one_of(
    st.tuples(st.just("flip"), position, st.integers(0, 7)),
    st.tuples(st.just("set"), position, byte | interesting),
    st.tuples(st.just("insert"), position, st.binary(min_size=1, max_size=12)),
    st.tuples(st.just("cut"), position, st.integers(1, 40)),
    st.tuples(st.just("end"), position, st.none()),
    st.tuples(st.just("again"), position, st.tuples(position, st.integers(1, 200))),
    st.tuples(st.just("number"), position, st.integers(0, 2**64 - 1)),
)


def damaged(content: bytes, mutations: list[tuple[str, float, Any]]) -> bytes:
    """The content with bytes flipped, set, inserted, cut out, cut off, doubled, or overwritten by a number."""
    result = bytearray(content)
    for kind, where, what in mutations:
        at = int(where * len(result))
        if not result:
            break
        if kind == "flip":
            result[at] ^= 1 << what
        elif kind == "set":
            result[at] = what
        elif kind == "insert":
            result[at:at] = what
        elif kind == "cut":
            del result[at : at + what]
        elif kind == "end":
            del result[at:]
        elif kind == "again":
            start = int(what[0] * len(result))
            result[at:at] = result[start : start + what[1]]
        else:
            result[at : at + 10] = _varint(what)
    return bytes(result)


def _varint(number: int) -> bytes:
    return bytes((number >> shift & 0x7F) | (0x80 if shift < 63 else 0) for shift in range(0, 70, 7))


def survives(content: bytes, folder: Path) -> bool:
    """Whether the model is analyzed; False for a refusal in one clear sentence. All else fails the test."""
    path = save(content, folder)
    start = time.process_time()
    try:
        analysis = costmodel.analyze(path)
    except CostModelError as error:
        analysis, refusal = None, str(error)
    if analysis is None:
        assert refusal.startswith(f"{path}: ")
    else:
        assert json.render(analysis)
        assert text.render(analysis, View())
        assert min(*(getattr(analysis.totals, name) for name in ("mult_adds", "params", "memory_access", "bytes"))) >= 0
    assert time.process_time() - start < SECONDS
    return analysis is not None


@pytest.mark.parametrize("name", SMALL)
def test_the_small_models_are_sound(name: str, tmp_path: Path) -> None:
    """Else their damaged copies would prove little."""
    assert survives(SOUND[name], tmp_path)
    assert costmodel.analyze(tmp_path / "model.onnx").coverage.unknown == 0


@pytest.mark.parametrize("name", SMALL)
@settings(DETERMINISTIC, max_examples=300)
@given(mutations=st.lists(mutation, min_size=1, max_size=4))
def test_small_models_with_every_kind_of_message(name: str, mutations: Any, tmp_path: Path) -> None:
    survives(damaged(SOUND[name], mutations), tmp_path)


@pytest.mark.parametrize("name", REAL)
@settings(DETERMINISTIC, max_examples=60)
@given(mutations=st.lists(mutation, min_size=1, max_size=6))
def test_real_models(name: str, mutations: Any, tmp_path: Path) -> None:
    survives(damaged(REAL[name], mutations), tmp_path)


@pytest.mark.parametrize("name", SMALL)
def test_every_single_byte(name: str, tmp_path: Path) -> None:
    """Each byte in turn, replaced by what is most likely to change the meaning of what follows."""
    content = SOUND[name]
    survived = 0
    for at in range(len(content)):
        for new in (content[at] ^ 1, 0xFF):
            survived += survives(content[:at] + bytes([new]) + content[at + 1 :], tmp_path)
    assert survived > 30  # it is the meaning that is damaged, not only the framing


@settings(DETERMINISTIC, max_examples=150)
@given(content=st.binary(max_size=400))
def test_bytes_at_random(content: bytes, tmp_path: Path) -> None:
    survives(content, tmp_path)
