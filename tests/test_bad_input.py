"""Bad input ends with status 2 and one clear line: never a traceback, never a hang, nothing allocated."""

from __future__ import annotations

import os
import re
import resource
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import (
    BOOL,
    FLOAT,
    INT64,
    body,
    field,
    function,
    ints,
    model,
    node,
    save,
    scalar,
    value,
    weight,
)
from peak_memory import peak_memory

import costmodel
from costmodel import CostModelError, ModelError
from costmodel.cli import main
from costmodel.report import csv, json, markdown, text
from costmodel.report.rows import View

RELU = node("Relu", ["x"], ["y"])
HUGE = 2**62


def analyzed(content: onnx.ModelProto | bytes, folder: Path, **options: Any) -> costmodel.Analysis:
    """The analysis, rendered in every format: a number that cannot be printed is a defect as well."""
    analysis = costmodel.analyze(save(content, folder), **options)
    for rendered in (text.render(analysis, View()), markdown.render(analysis, View()), csv.render(analysis, View())):
        assert rendered
    assert json.render(analysis)
    return analysis


def refused(content: onnx.ModelProto | bytes, folder: Path, capsys: pytest.CaptureFixture[str], says: str) -> None:
    """The command line ends with status 2 and one line that has the path and `says`."""
    path = save(content, folder)
    assert main(["analyze", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"costmodel: {path}: ")
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1
    assert says in err


# -- files that are no models


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"not a model\n" * 100, "not an ONNX model"),
        (b"PK\x03\x04" + bytes(100), "not an ONNX model"),
        (bytes(10_000_000), "field number 0"),
        (b"\xff" * 1000, "not an ONNX model"),
        (b"\x0a" * 100_000, "longer than the file"),
        (helper.make_model(helper.make_graph([], "", [], [])).SerializeToString()[:2], "has no graph"),
    ],
    ids=["empty", "text", "zip", "zeros", "ones", "nested tags", "no graph"],
)
def test_a_file_that_is_no_model_is_refused(
    content: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(content, tmp_path, capsys, says)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"not a model", "not an ONNX model (byte "),
        (b"\x3a\x05ab", "truncated, or not an ONNX model (a field is longer than the file)"),
        (b"\x08\x07", "not an ONNX model (it has no graph)"),
        (b"\x3a\x01\x0b", "not an ONNX model (its protobuf cannot be decoded)"),
        (b"", "the file is empty"),
    ],
    ids=["text", "cut", "no graph", "no protobuf", "empty"],
)
def test_a_file_that_is_no_model_is_said_to_be_none_and_what_to_do(content: bytes, says: str, tmp_path: Path) -> None:
    path = save(content, tmp_path)
    with pytest.raises(ModelError) as error:
        costmodel.analyze(path)
    assert str(error.value).startswith(f"{path}: {says}")
    assert str(error.value).endswith("; give the path of a .onnx file, or export it again")


def test_every_truncation_of_a_model_is_refused_or_analyzed(tmp_path: Path) -> None:
    whole = model([node("Add", ["x", "w"], ["y"])], constants=[weight("w", 3, 1, 1)]).SerializeToString()
    refusals = 0
    for length in range(len(whole)):
        try:
            analyzed(whole[:length], tmp_path)
        except CostModelError:
            refusals += 1
    assert refusals > len(whole) // 2


def test_messages_nested_beyond_what_protobuf_reads_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = b""
    for _ in range(2000):
        content = field(1, field(5, field(6, content)))  # a node, its attribute, the graph in it
    refused(field(7, content), tmp_path, capsys, "nested more than 100 deep")


def test_a_directory_a_missing_file_and_a_bad_name_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = tmp_path / "loop.onnx"
    loop.symlink_to(loop)
    for path, says in [
        (tmp_path, "is a directory"),
        (tmp_path / "missing.onnx", "no such file"),
        (tmp_path / "x.onnx" / "y.onnx", "no such file"),
        (tmp_path / ("n" * 300), "cannot be read"),
        (loop, "cannot be read"),
    ]:
        assert main(["analyze", str(path)]) == 2
        err = capsys.readouterr().err
        assert says in err
        assert len(err.splitlines()) == 1
    with pytest.raises(ModelError, match="null"):
        costmodel.analyze("a\0b")


def test_a_pipe_and_a_device_are_refused_without_being_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """To open a pipe that nobody writes to would block for ever."""
    pipe = tmp_path / "pipe.onnx"
    os.mkfifo(pipe)
    for path in (str(pipe), os.devnull, "/dev/zero"):
        assert main(["analyze", path]) == 2
        assert capsys.readouterr().err.startswith(f"costmodel: {path}: is not a regular file")


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(model([RELU]), tmp_path)

    def denied(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)  # root may read everything: a mode would prove nothing
    assert main(["analyze", str(path)]) == 2
    assert capsys.readouterr().err == f"costmodel: {path}: no permission to read it; change its mode or copy it\n"


# -- graphs that are no networks


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (model([]), "the graph has no operators"),
        (model([node("Relu", ["b"], ["a"]), node("Relu", ["a"], ["b"])]), "in a cycle"),
        (model([node("Relu", ["a"], ["a"])]), "in a cycle"),
        (
            model([node("Relu", ["nowhere"], ["y"])]),
            "tensor 'nowhere' is read by node 'y' (Relu), but nothing writes it",
        ),
        (model([RELU], outputs=[value("z", (1,))]), "tensor 'z' is read by the graph's outputs"),
        (model([RELU, RELU]), "tensor 'y' is written twice"),
        (model([node("Relu", ["x"], ["x"])]), "written twice"),
        (model([RELU], inputs=[value("x", (1,)), value("x", (2,))]), "tensor 'x' is written twice"),
        (model([node("Relu", [], ["y"])]), "0 inputs given; Relu needs at least 1"),
        (model([node("Conv", ["x", ""], ["y"])]), "1 inputs given; Conv needs at least 2"),
        (model([node("Relu", ["x"] * 5, ["y"])]), "5 inputs given; Relu takes at most 1"),
    ],
    ids=[
        "no nodes",
        "cycle",
        "own output",
        "missing tensor",
        "missing output",
        "tensor twice",
        "input again",
        "input twice",
        "no inputs",
        "input left out",
        "too many inputs",
    ],
)
def test_a_graph_that_is_no_network_is_refused(
    content: onnx.ModelProto, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(content, tmp_path, capsys, says)


def test_what_is_untidy_but_clear_is_analyzed(tmp_path: Path) -> None:
    """Duplicate or missing node names, no opset import, nodes out of order, no outputs, unread junk."""
    twice = model([node("Relu", ["x"], ["a"], name="n"), node("Relu", ["a"], ["b"], name="n")])
    names = [op.name for op in analyzed(twice, tmp_path).operators]
    assert len(set(names)) == 2
    no_opset = model([RELU])
    del no_opset.opset_import[:]
    assert len(analyzed(no_opset, tmp_path).operators) == 1
    backwards = model([node("Relu", ["a"], ["b"]), node("Relu", ["x"], ["a"])])
    assert [op.outputs for op in analyzed(backwards, tmp_path).operators] == [("a",), ("b",)]
    assert len(analyzed(model([node("Relu", ["x"], [])]), tmp_path).operators) == 1
    assert analyzed(model([RELU], constants=[weight("unread", -5)]), tmp_path).totals.params == 0


# -- sizes


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (model([RELU], inputs=[value("x", (1, -3))]), "-3; sizes are not negative"),
        (model([RELU], inputs=[value("x", (HUGE,) * 64)]), "no machine holds such a tensor"),
        (model([RELU], inputs=[value("x", (0, *(HUGE,) * 8))]), "no machine holds such a tensor"),
        (model([RELU], inputs=[value("x", (2,) * 65)]), "65 dims; at most 64"),
        (model([RELU], inputs=[value("x", (2,) * 100_000)]), "100000 dims; at most 64"),
        (model([node("Add", ["x", "w"], ["y"])], constants=[weight("w", -1, 3)]), "sizes are not negative"),
        (model([node("Add", ["x", "w"], ["y"])], constants=[weight("w", *[HUGE] * 9)]), "no machine holds"),
        (model([node("Add", ["x", "w"], ["y"])], constants=[weight("w", *[1] * 65)]), "(65 dims)"),
        (model([node("Unsqueeze", ["x", "a"], ["y"])], constants=[ints("a", *range(99))]), "at most 64"),
        (model([node("Tile", ["x", "r"], ["y"])], constants=[ints("r", *[HUGE] * 4)]), "no machine holds"),
        (model([node("Expand", ["x", "s"], ["y"])], constants=[ints("s", -5, 1, 1, 1)]), "sizes are not negative"),
        (model([node("ConstantOfShape", ["s"], ["y"])], constants=[ints("s", *[HUGE] * 9)]), "no machine holds"),
        (model([node("Split", ["x"], ["y"], num_outputs=10**18)]), "Split into 1000000000000000000 parts"),
        (
            model(
                [node("Concat", [f"t{i}"] * 2, [f"t{i + 1}"], axis=0) for i in range(2000)], inputs=[value("t0", (1,))]
            ),
            "no machine holds such a tensor",
        ),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_sizes_that_no_machine_holds_are_refused(
    content: onnx.ModelProto, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(content, tmp_path, capsys, says)


def test_large_sizes_are_counted_and_nothing_of_their_size_is_allocated(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    billion = 10**9
    limits = [scalar("zero", 0), scalar("end", billion), scalar("one", 1)]
    nodes = [
        node("Range", ["zero", "end", "one"], ["r"]),
        node("ConstantOfShape", ["sizes"], ["c"]),
        node("Tile", ["x", "times"], ["t"]),
        node("Add", ["x", "w"], ["s"]),
    ]
    constants = [*limits, ints("sizes", billion, 8), ints("times", billion, 1, 1, 1), weight("w", billion, 3, 8, 8)]
    graph = analyzed(model(nodes, constants=constants), tmp_path).graph
    assert [graph.tensors[name].elements for name in "rcts"] == [billion, 8 * billion, 192 * billion, 192 * billion]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000  # KiB; a byte an element would be 8 GB and more


@pytest.mark.parametrize("op", ["Mul", "Add", "Pow", "Sum", "Sub"])
def test_shape_arithmetic_that_grows_without_end_stops_being_followed(op: str, tmp_path: Path) -> None:
    """Squared 200 times, a 60-bit number would have more bits than there are atoms."""
    nodes = [node(op, [f"v{i}", f"v{i}"], [f"v{i + 1}"]) for i in range(200)]
    nodes.append(node("ReduceProd", ["v0"], ["p"], keepdims=0))
    analysis = analyzed(model(nodes, inputs=[], constants=[ints("v0", *[10**18] * 100)]), tmp_path)
    for spec in analysis.graph.tensors.values():
        assert spec.value is None or all(abs(item) < 2**64 for item in spec.value.reshape(-1))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e300])
def test_a_size_that_is_no_whole_number_is_refused(number: float, tmp_path: Path) -> None:
    constants = [scalar("a", 0.0, TensorProto.DOUBLE), scalar("b", number, TensorProto.DOUBLE)]
    constants.append(scalar("c", 1.0, TensorProto.DOUBLE))
    ranged = model([node("Range", ["a", "b", "c"], ["y"])], inputs=[], constants=constants)
    with pytest.raises(ModelError, match=r"node 'y'|tensor 'y'"):
        analyzed(ranged, tmp_path)


# -- attributes


CONV = weight("w", 4, 3, 3, 3)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            model([node("Conv", ["x", "w"], ["y"], strides="ab")], constants=[CONV]),
            "'strides' is 'ab'; Conv takes ints",
        ),
        (model([node("Conv", ["x", "w"], ["y"], strides=[1.5, 2.5])], constants=[CONV]), "Conv takes ints"),
        (model([node("Conv", ["x", "w"], ["y"], strides=2)], constants=[CONV]), "'strides' is 2; Conv takes ints"),
        (model([node("Conv", ["x", "w"], ["y"], strides=ints("t", 1))], constants=[CONV]), "Conv takes ints"),
        (model([node("Conv", ["x", "w"], ["y"], strides=[0, 0])], constants=[CONV]), "at least 1"),
        (model([node("Conv", ["x", "w"], ["y"], strides=[1])], constants=[CONV]), "strides"),
        (model([node("Conv", ["x", "w"], ["y"], group=0)], constants=[CONV]), "group"),
        (
            model([node("Conv", ["x", "w"], ["y"], group="two")], constants=[CONV]),
            "'group' is 'two'; Conv takes an int",
        ),
        (model([node("Conv", ["x", "w"], ["y"], auto_pad=3)], constants=[CONV]), "'auto_pad' is 3; Conv takes str"),
        (model([node("Conv", ["x", "w"], ["y"], pads=[-9, 0, 0, 0])], constants=[CONV]), "node 'y' (Conv)"),
        (model([node("Concat", ["x"], ["y"], axis=[1])]), "'axis' is (1,); Concat takes an int"),
        (model([node("Concat", ["x"], ["y"], axis=10**18)]), "out of range"),
        (model([node("Transpose", ["x"], ["y"], perm=[0, 0, 0, 0])]), "is not an order"),
        (model([node("Cast", ["x"], ["y"])]), "attribute 'to' is missing; Cast requires it"),
        (model([node("Cast", ["x"], ["y"], to="float")]), "'to' is 'float'; Cast takes an int"),
        (model([node("DepthToSpace", ["x"], ["y"], blocksize=[2])]), "DepthToSpace takes an int"),
        (model([node("Constant", [], ["y"])]), "Constant has no value"),
        (model([node("If", ["c"], ["y"])], inputs=[value("c", (), BOOL)]), "has no graph 'then_branch'"),
        (
            model([node("If", ["c"], ["y"], then_branch=1, else_branch=2)], inputs=[value("c", (), BOOL)]),
            "has no graph",
        ),
        (model([node("Loop", ["", ""], [], body="b")]), "has no graph 'body'"),
        (model([node("Scan", ["x"], ["y"], num_scan_inputs=1)]), "has no graph 'body'"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_attributes_of_the_wrong_type_or_missing_are_refused(
    content: onnx.ModelProto, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(content, tmp_path, capsys, says)


STEP = body([node("Relu", ["a"], ["b"])], [value("a", (3,))], [value("b", (3,))])
KEEP = body([node("Identity", ["go"], ["on"])], [value("i", (), INT64), value("go", (), BOOL)], [value("on", (), BOOL)])


@pytest.mark.parametrize(
    "content",
    [
        model([node("Scan", ["x"], ["y"], body=STEP, num_scan_inputs="one")]),
        model([node("Scan", ["x"], ["y"], body=STEP, num_scan_inputs=-1)]),
        model([node("Scan", ["x"], ["y"], body=STEP, num_scan_inputs=1, scan_input_axes=["a"])]),
        model([node("Scan", ["x"], ["y"], body=STEP, num_scan_inputs=1, scan_output_axes=7)]),
        model([node("Scan", ["x"], ["y"], body=STEP, num_scan_inputs=1)], inputs=[value("x", ())]),
        model([node("Scan", ["x", "x", "x"], ["y"], body=STEP, num_scan_inputs=1)]),
        model([node("Loop", ["n"], [], body=KEEP)], constants=[ints("n")]),
        model([node("Loop", ["n"], [], body=KEEP)], constants=[scalar("n", 2.5, FLOAT)]),
        model([node("Loop", ["n", "", "x"], ["y"], body=KEEP)], constants=[scalar("n", 2)]),
        model([node("Loop", [], [], body=body([]))]),
        model([node("If", ["n"], ["y"], then_branch=STEP, else_branch=STEP)], constants=[ints("n")]),
    ],
    ids=[
        "count is text",
        "count below 0",
        "axis is text",
        "axes are a number",
        "scalar",
        "too many inputs",
        "no trip count",
        "half a trip",
        "carries too much",
        "empty body",
        "empty condition",
    ],
)
def test_control_flow_that_does_not_fit_is_refused_by_name(content: onnx.ModelProto, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"Scan|Loop|If|axis"):
        analyzed(content, tmp_path)


# -- text


@pytest.mark.parametrize(
    "content",
    [
        model([node("Relu", ["x"], ["y"], name="@@@@")]),
        model([node("@@@@", ["x"], ["y"])]),
        model([node("Relu", ["x"], ["y"], domain="@@@@")]),
        model([node("Relu", ["x"], ["@@@@"])]),
        model([node("Relu", ["@@@@"], ["y"])], inputs=[value("@@@@", (1,))]),
        model([RELU], inputs=[value("x", (1, "@@@@"))]),
        helper.make_model(helper.make_graph([RELU], "@@@@", [value("x", (1,))], [])),
    ],
    ids=["node", "type", "domain", "output", "input", "dim", "graph"],
)
def test_a_name_that_is_not_utf8_is_refused(
    content: onnx.ModelProto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = content.SerializeToString().replace(b"@@@@", b"\xff\xfe\x80\xc0")
    refused(damaged, tmp_path, capsys, "not text (UTF-8)")


def test_other_text_that_is_not_utf8_does_no_harm(tmp_path: Path) -> None:
    content = model(
        [node("Relu", ["x"], ["y"], doc_string="@@@@"), node("Conv", ["y", "w"], ["z"], auto_pad="@@@@")],
        constants=[CONV],
    )
    content.producer_name = content.graph.doc_string = "@@@@"
    entry = content.graph.node[0].metadata_props.add()
    entry.key = entry.value = "@@@@"
    with pytest.raises(ModelError, match="auto_pad"):
        analyzed(content.SerializeToString().replace(b"@@@@", b"\xff\xfe\x80\xc0"), tmp_path)


def test_names_cannot_steer_a_terminal_nor_fill_the_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(model([node("Relu", ["\x1b[2J\x07\nnowhere" + "n" * 100_000], ["y"])]), tmp_path)
    assert main(["analyze", str(path)]) == 2
    err = capsys.readouterr().err
    assert err[:-1].isprintable()
    assert len(err) < 3000
    path = save(model([node("Relu", ["x"], ["\x1b[31mred\x07"])]), tmp_path)
    for form in ("text", "markdown"):
        assert main(["analyze", str(path), "--format", form]) == 0
        assert "\x1b" not in capsys.readouterr().out


# -- external data


OUTSIDE = [
    "/etc/passwd",
    "../secret",
    "a/../../secret",
    "..",
    "C:\\secret",
    "\\\\host\\share",
    "..\\secret",
    "https://x/y",
]


def external(location: str) -> onnx.TensorProto:
    tensor = weight("w", 4, 3, 3, 3)
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


@pytest.mark.parametrize("location", OUTSIDE)
@pytest.mark.parametrize("holder", ["initializer", "attribute"])
def test_external_data_outside_the_models_folder_is_refused(
    location: str, holder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conv = node("Conv", ["x", "w"], ["y"])
    if holder == "initializer":
        content = model([conv], constants=[external(location)])
    else:
        content = model([node("Constant", [], ["w"], value=external(location)), conv])
    refused(content, tmp_path, capsys, "outside the model's folder, which is never opened")


def test_external_data_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the model itself is, not even where the data would be in its place."""
    (tmp_path / "weights.bin").write_bytes(bytes(432))
    content = model([node("Conv", ["x", "w"], ["y"])], constants=[external("weights.bin")])
    path = save(content, tmp_path)
    opened: list[str] = []
    real = Path.open

    def watched(self: Path, *arguments: Any, **options: Any) -> Any:
        opened.append(self.name)
        return real(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", watched)
    hook: list[str] = []
    sys.addaudithook(lambda event, arguments: hook.append(str(arguments[0])) if event == "open" else None)
    assert costmodel.analyze(path).totals.params == 4 * 3 * 3 * 3
    assert opened == ["model.onnx"]
    assert not [name for name in hook if name.endswith("weights.bin")]


# -- bombs


def doubling(levels: int, wrap: Callable[[int], list[onnx.NodeProto]]) -> list[onnx.FunctionProto]:
    first = function("f0", ["a"], ["b"], [node("Relu", ["a"], ["b"])])
    return [first, *(function(f"f{k}", ["a"], ["b"], wrap(k)) for k in range(1, levels))]


def two_calls(k: int) -> list[onnx.NodeProto]:
    return [node(f"f{k - 1}", ["a"], ["c"], domain="local"), node(f"f{k - 1}", ["c"], ["b"], domain="local")]


def two_calls_in_a_branch(k: int) -> list[onnx.NodeProto]:
    branch = body(two_calls(k), outputs=[value("b", (1,))])
    return [node("If", ["a"], ["b"], then_branch=branch, else_branch=branch)]


@pytest.mark.parametrize("wrap", [two_calls, two_calls_in_a_branch])
def test_functions_that_double_at_each_level_are_refused(
    wrap: Callable[[int], list[onnx.NodeProto]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = model([node("f49", ["x"], ["y"], domain="local")], functions=doubling(50, wrap))
    refused(content, tmp_path, capsys, "expand to the work of")


def test_functions_without_operators_cannot_double_for_ever_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = function("f0", ["a"], ["a"], [])
    content = model([node("f49", ["x"], ["y"], domain="local")], functions=[empty, *doubling(50, two_calls)[1:]])
    refused(content, tmp_path, capsys, "expand to the work of")


def test_a_function_with_much_to_declare_cannot_be_called_for_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = function("f", ["a"], ["b"], [node("Relu", ["a"], ["b"])])
    wide.value_info.extend(value(f"v{i}", (1, 2)) for i in range(20_000))
    calls = [node("f", ["x"], [f"y{i}"], domain="local") for i in range(20_000)]
    refused(model(calls, functions=[wide]), tmp_path, capsys, "expand to the work of")


@pytest.mark.parametrize("wrap", [two_calls, two_calls_in_a_branch])
def test_functions_that_call_themselves_are_refused(
    wrap: Callable[[int], list[onnx.NodeProto]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endless = [function("f0", ["a"], ["b"], wrap(2)), function("f1", ["a"], ["b"], wrap(1))]
    content = model([node("f0", ["x"], ["y"], domain="local")], functions=endless)
    refused(content, tmp_path, capsys, "calls itself")


def test_names_that_grow_with_every_level_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A short file with a long name in it, put before the names of thousands of operators."""
    chain = [node("Relu", ["a" if i == 0 else f"b{i - 1}"], [f"b{i}"]) for i in range(3000)]
    calls = [node("f", ["x"], [f"y{i}"], domain="local", name="n" * 10_000 + str(i)) for i in range(30)]
    refused(
        model(calls, functions=[function("f", ["a"], ["b2999"], chain)]), tmp_path, capsys, "names in nested graphs"
    )


def test_subgraphs_nested_as_deep_as_protobuf_allows_are_analyzed(tmp_path: Path) -> None:
    leaf = body([node("Relu", ["x"], ["d"])], outputs=[value("d", (1,))])
    graph = leaf
    for _ in range(28):
        graph = body([node("If", ["c"], ["d"], then_branch=graph, else_branch=leaf)], outputs=[value("d", (1,))])
    inputs = [value("x", (1, 3)), value("c", (), BOOL)]
    content = model([node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)], inputs=inputs)
    analysis = analyzed(content, tmp_path)
    assert [op.op_type for op in analysis.operators] == ["Relu"]


def test_loops_within_loops_that_never_end_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = body([node("Relu", ["x"], ["d"])], KEEP.input, [value("on", (), BOOL)])
    inside = KEEP.node[0]
    for _ in range(8):
        graph.node.append(inside)
        graph = body([node("Loop", ["n"], [], body=graph)], KEEP.input, [value("on", (), BOOL)])
    graph.node.append(inside)
    refused(
        model([node("Loop", ["n"], [], body=graph)], constants=[scalar("n", 10**9)]), tmp_path, capsys, "loops within"
    )


def test_work_grows_with_the_number_of_subgraphs_and_no_faster(tmp_path: Path) -> None:
    """Ten thousand branches in one graph: a copy of what is around each would take minutes."""
    branch = body([node("Add", ["x", "w"], ["d"])], outputs=[value("d", (1,))])
    nodes = [node("If", ["c"], [f"y{i}"], then_branch=branch, else_branch=branch) for i in range(10_000)]
    content = model(nodes, [value("x", (1, 3)), value("c", (), BOOL)], [weight("w", 3)])
    analysis = analyzed(content, tmp_path)
    assert len(analysis.operators) == 10_000
    assert analysis.totals.params == 3


@pytest.mark.parametrize("op", ["Mul", "Add", "Max", "Div"])
def test_free_dims_in_endless_shape_arithmetic_are_given_up_soon(op: str, tmp_path: Path) -> None:
    """Sizes that contradict the graph are sought with symbols: their formulas must not grow for ever."""
    nodes = [node("Shape", ["x"], ["s0"])]
    for i in range(40):
        nodes += [
            node(op, [f"s{i}", "k"], [f"q{i}"]),
            node("Mul" if op == "Mul" else "Sub", [f"q{i}", "s0"], [f"s{i + 1}"]),
        ]
    nodes += [node("Reshape", ["x", "s40"], ["y"]), node("Gemm", ["x", "x"], ["z"])]
    content = model(nodes, inputs=[value("x", ("n", "c", "h", "w"))], constants=[ints("k", 3)])
    with pytest.raises(ModelError, match=r"node '[yz]'"):
        analyzed(content, tmp_path)


# -- large but honest


def chain(length: int) -> bytes:
    """A model of `length` operators, each reading what the one before it wrote; written without onnx, for speed."""
    names = [b"t%d" % i for i in range(length + 1)]
    nodes = b"".join(
        field(1, field(1, read) + field(2, written) + field(4, b"Relu")) for read, written in pairwise(names)
    )
    return field(7, nodes + field(11, value("t0", (1, 3, 8, 8)).SerializeToString()))


def test_a_chain_of_twenty_thousand_operators_does_not_recurse(tmp_path: Path) -> None:
    assert len(analyzed(chain(20_000), tmp_path).operators) == 20_000


@pytest.mark.slow
def test_memory_grows_with_the_operators_by_under_3_kilobytes_each(tmp_path: Path) -> None:
    path = save(chain(80_000), tmp_path)
    output, megabytes = peak_memory("analyze", str(path))
    assert re.search(r"^operators +80000$", output, re.MULTILINE)
    assert megabytes < 50 + 240


def test_many_kinds_of_unknown_operators_are_listed_in_seconds(tmp_path: Path) -> None:
    content = model([node(f"Unheard{i}", ["x"], [f"y{i}"]) for i in range(10_000)])
    coverage = analyzed(content, tmp_path).coverage
    assert (coverage.unknown, len(coverage.unknown_ops)) == (10_000, 10_000)
