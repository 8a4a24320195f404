"""annotate: costs in each node's metadata, and not another byte of the model changed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import BOOL, FLOAT, body, field, function, model, node, save, scalar, value, varint, weight

import costmodel
from costmodel.cli import main
from costmodel.errors import ModelError
from costmodel.frontends.onnx import annotate as annotating
from costmodel.frontends.onnx.annotate import PREFIX, annotate, read_nodes
from costmodel.report.annotations import model_entries, node_entries

LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))
HOSTILE = [
    "<script>alert('1')</script>",
    'say "hello"\\',
    "two\nlines\r",
    "\x00\x1b[31mred\u202e",
    "%s {0}",
    "ünï\u4e2d",
]
# Linux's own high-water mark of the process, in kB: annotate prints nothing else on stdout.
_RUN = """
import re, sys
from costmodel.cli import main
assert main(sys.argv[1:]) == 0
print(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
"""
GPU, PHONE = "gtx1080ti-cudnn7-fp32", "snapdragon810-neon-fp32-1t"


def metadata(holder: Any) -> dict[str, str]:
    """Metadata of a node or a model, each key once."""
    entries = {entry.key: entry.value for entry in holder.metadata_props}
    assert len(entries) == len(holder.metadata_props)
    return entries


def without_ours(content: onnx.ModelProto) -> onnx.ModelProto:
    """The model less what annotate wrote, by protobuf's own means."""
    copy = onnx.ModelProto()
    copy.CopyFrom(content)
    for holder in (copy, *copy.graph.node):
        kept = [
            entry
            for entry in holder.metadata_props
            if not entry.key.startswith(PREFIX) or entry.key in ("costmodel.module", "costmodel.source")
        ]
        del holder.metadata_props[:]
        holder.metadata_props.extend(kept)
    return copy


def network(folder: Path, name: str = "net.onnx", middle: str = "relu") -> Path:
    """A small network with weights of its own: conv, relu, 1x1 conv, softmax."""
    rng = np.random.default_rng(7)
    weights = [
        numpy_helper.from_array(rng.standard_normal((8, 3, 3, 3)).astype(np.float32), "w1"),
        numpy_helper.from_array(rng.standard_normal((4, 8, 1, 1)).astype(np.float32), "w2"),
    ]
    nodes = [
        node("Conv", ["x", "w1"], ["a"], "first", strides=[2, 1]),
        node("Relu", ["a"], ["b"], middle),
        node("Conv", ["b", "w2"], ["c"], "second"),
        node("Softmax", ["c"], ["y"], "last", axis=1),
    ]
    content = helper.make_model(
        body(nodes, [value("x", (1, 3, 11, 9))], [value("y", (1, 4, 5, 7))], weights),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    return save(content, folder, name)


def outputs(path: Path) -> list[Any]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(3).standard_normal((1, 3, 11, 9)).astype(np.float32)
    result: list[Any] = session.run(None, {"x": x})
    return result


def kept_outside(source: Path, folder: Path, name: str = "outside.onnx") -> Path:
    """The model with its weights in weights.bin beside it."""
    path = folder / name
    content = onnx.load(source)
    onnx.save(content, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def failed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["annotate", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err


def test_nodes_carry_counts_latencies_and_bounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = network(tmp_path), tmp_path / "out.onnx"
    assert main(["annotate", str(path), "-o", str(out), "-p", GPU, "-p", PHONE]) == 0
    assert capsys.readouterr() == ("", f"{out}: 4 of 4 nodes annotated\n")
    analysis = costmodel.analyze(path, platform=[GPU, PHONE])
    content = onnx.load(out)
    for proto, operator in zip(content.graph.node, analysis.operators, strict=True):
        entries = metadata(proto)
        for count in ("mult_adds", "params", "memory_access", "bytes"):
            assert entries[f"costmodel.{count}"] == str(getattr(operator.cost, count))
        assert {f"costmodel.latency.{GPU}", f"costmodel.latency.{PHONE}"} <= entries.keys()
    first, relu = metadata(content.graph.node[0]), metadata(content.graph.node[1])
    assert first["costmodel.mult_adds"] == str(5 * 7 * 8 * 27)
    assert relu[f"costmodel.latency.{GPU}"] == "in the kernel of first on gtx1080ti"
    assert first[f"costmodel.kernel.{GPU}"] == "spatial kernel with relu, on gtx1080ti"
    assert re.fullmatch(r"[0-9.]+ ms \([0-9.]+ to [0-9.]+, 9 of 10\) on gtx1080ti", first[f"costmodel.latency.{GPU}"])
    assert re.fullmatch(r"bound by launch, \d+ % of its time, on gtx1080ti", first[f"costmodel.bound.{GPU}"])
    whole = metadata(content)
    assert whole["costmodel.mult_adds"] == str(analysis.totals.mult_adds)
    assert whole["costmodel.coverage"] == "Coverage: 4 counted, 0 approximated, 0 unknown"
    assert whole[f"costmodel.latency.{PHONE}"].endswith(f", 9 of 10) on {PHONE}")


def test_the_nodes_times_add_up_to_the_run(tmp_path: Path) -> None:
    """On a runtime that copies into layouts of its own, and on one that does not."""
    ids = ("epyc-onnxruntime-fp32-1t", PHONE)
    analysis = costmodel.analyze("zoo:mobilenet_v2", platform=ids)
    entries, whole = node_entries(analysis), model_entries(analysis)
    copies = [entry for entry in entries.values() if f"costmodel.copies.{ids[0]}" in entry]
    assert copies
    for id, prediction in zip(ids, analysis.predictions, strict=True):
        texts = [
            entry.get(f"costmodel.{what}.{id}", "") for entry in entries.values() for what in ("latency", "copies")
        ]
        texts.append(whole[f"costmodel.fixed.{id}"])
        parts = [float(text.split(" ms")[0].replace(",", "")) for text in texts if " ms" in text]
        assert sum(parts) == pytest.approx(prediction.latency.seconds * 1e3, rel=0.005)


def test_the_rest_of_the_model_and_its_outputs_stay(tmp_path: Path) -> None:
    path, out = network(tmp_path), tmp_path / "out.onnx"
    assert main(["annotate", str(path), "-o", str(out)]) == 0
    onnx.checker.check_model(out, full_check=True)
    assert without_ours(onnx.load(out)).SerializeToString() == path.read_bytes()
    for before, after in zip(outputs(path), outputs(out), strict=True):
        assert before.tobytes() == after.tobytes()
    again = costmodel.analyze(out, platform=[GPU, PHONE]).to_dict()
    assert {**again, "model": ""} == {**costmodel.analyze(path, platform=[GPU, PHONE]).to_dict(), "model": ""}


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_real_models_are_the_same_but_for_our_entries(path: Path, tmp_path: Path) -> None:
    analysis = costmodel.analyze(path)
    entries = node_entries(analysis)
    chosen = [entries[proto.output[0]] for proto in read_nodes(path)]
    assert len(chosen) > 20
    annotate(path, tmp_path / "out.onnx", chosen, model_entries(analysis))
    content = onnx.load(tmp_path / "out.onnx")
    assert without_ours(content) == onnx.load(path)
    for proto, expected in zip(content.graph.node, chosen, strict=True):
        assert {key: text for key, text in metadata(proto).items() if key.startswith(PREFIX)} == expected


def test_other_metadata_stays_and_ours_is_replaced(tmp_path: Path) -> None:
    content = onnx.load(network(tmp_path))
    kept = {"my.note": "hello", "costmodel.module": "stem", "costmodel.source": "net.py:3", "costmodelish": "1"}
    helper.set_model_props(content, {"author": "me", "costmodel.old": "gone"})
    for key, text in {**kept, "costmodel.mult_adds": "wrong", "costmodel.latency.old-platform": "1 ms"}.items():
        entry = content.graph.node[0].metadata_props.add()
        entry.key, entry.value = key, text
    path = save(content, tmp_path, "before.onnx")
    assert main(["annotate", str(path), "-o", str(tmp_path / "one.onnx"), "-p", "none"]) == 0
    after = onnx.load(tmp_path / "one.onnx")
    first = metadata(after.graph.node[0])
    assert kept.items() <= first.items()
    assert first["costmodel.mult_adds"] == str(5 * 7 * 8 * 27)
    assert "costmodel.latency.old-platform" not in first
    assert metadata(after)["author"] == "me"
    assert "costmodel.old" not in metadata(after)
    assert main(["annotate", str(tmp_path / "one.onnx"), "-o", str(tmp_path / "two.onnx"), "-p", "none"]) == 0
    assert (tmp_path / "two.onnx").read_bytes() == (tmp_path / "one.onnx").read_bytes()


def test_bytes_that_another_writer_would_write_otherwise_are_copied(tmp_path: Path) -> None:
    """Fields of a later version, a graph in two parts, a length with needless digits: all legal, none of it ours."""
    relu = node("Relu", ["x"], ["y"], "relu").SerializeToString()
    later = field(900, b"of a later version") + varint(901 << 3 | 0) + varint(5)
    long_length = bytes([len(relu + later) & 0x7F | 0x80, len(relu + later) >> 7])
    first = b"\x0a" + long_length + relu + later + later
    second = field(1, node("Neg", ["y"], ["z"], "neg").SerializeToString())
    whole = model([], [value("x", (2, 5))], outputs=[value("z", (2, 5))])
    graph = whole.graph.SerializeToString()
    whole.ClearField("graph")
    source = save(field(7, first) + whole.SerializeToString() + later + field(7, second + graph), tmp_path)
    assert [proto.op_type for proto in read_nodes(source)] == ["Relu", "Neg"]
    assert main(["annotate", str(source), "-o", str(tmp_path / "out.onnx"), "-p", "none"]) == 0
    content = onnx.load(tmp_path / "out.onnx")
    assert [metadata(proto)["costmodel.element_ops"] for proto in content.graph.node] == ["10", "10"]
    raw = (tmp_path / "out.onnx").read_bytes()
    assert raw.count(later) == 3
    assert relu + later in raw


def test_data_beside_the_model_stay_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = network(tmp_path)
    path, out = kept_outside(plain, tmp_path), tmp_path / "out.onnx"
    data = (tmp_path / "weights.bin").read_bytes()
    assert main(["annotate", str(path), "-o", str(out)]) == 0
    assert (tmp_path / "weights.bin").read_bytes() == data
    content = onnx.load(out, load_external_data=False)
    assert all(tensor.data_location == TensorProto.EXTERNAL for tensor in content.graph.initializer)
    onnx.checker.check_model(out, full_check=True)
    for before, after in zip(outputs(plain), outputs(out), strict=True):
        assert before.tobytes() == after.tobytes()


def test_data_beside_the_model_keep_it_in_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, other = tmp_path / "in", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    path = kept_outside(network(tmp_path), folder)
    err = failed(capsys, str(path), "-o", str(other / "out.onnx"))
    assert "has weights in 'weights.bin' beside it" in err
    assert f"with -o {folder / 'out.onnx'}" in err
    assert list(other.iterdir()) == []
    err = failed(capsys, str(path), "-o", str(folder / "weights.bin"))
    assert "has its weights there, which would be lost" in err
    (tmp_path / "link").symlink_to(folder)  # the same folder under another name
    assert main(["annotate", str(path), "-o", str(tmp_path / "link" / "out.onnx")]) == 0
    assert len(outputs(folder / "out.onnx")) == 1


@pytest.mark.parametrize("where", ["attribute", "body", "function"])
def test_data_outside_are_found_wherever_a_tensor_is(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensor = weight("w", 2, 5)
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "data/w.bin"
    constant = node("Constant", [], ["c"], "constant", value=tensor)
    functions = []
    if where == "attribute":
        nodes = [constant, node("Add", ["x", "c"], ["y"], "add")]
    elif where == "body":
        branch = body([constant], [], [value("c", (2, 5))])
        nodes = [node("If", ["yes"], ["i"], "if", then_branch=branch, else_branch=branch), node("Relu", ["i"], ["y"])]
    else:
        functions = [function("f", ["a"], ["b"], [constant, node("Add", ["a", "c"], ["b"])])]
        nodes = [node("f", ["x"], ["y"], "call", domain="local")]
    content = model(nodes, [value("x", (2, 5)), value("yes", (), BOOL)], functions=functions)
    path = save(content, tmp_path)
    (tmp_path / "other").mkdir()
    assert "'data/w.bin'" in failed(capsys, str(path), "-o", str(tmp_path / "other" / "out.onnx"), "-p", "none")
    assert main(["annotate", str(path), "-o", str(tmp_path / "out.onnx"), "-p", "none"]) == 0


@pytest.mark.slow
def test_more_than_protobuf_can_hold_is_copied_through_a_small_buffer(tmp_path: Path) -> None:
    """Weights of zeros, which take no place on the disk, and some in their midst that do."""
    rows, columns = 18_000, 30_000
    size, sign = 4 * rows * columns, b"a weight in the midst"
    assert size > 2**31
    head = b"\x08" + varint(rows) + b"\x08" + varint(columns) + b"\x10\x01" + field(8, b"w") + varint(9 << 3 | 2)
    head += varint(size)
    graph = model([node("MatMul", ["x", "w"], ["y"], "product")], [value("x", (2, rows))]).graph.SerializeToString()
    tensor = varint(5 << 3 | 2) + varint(len(head) + size)
    start = varint(7 << 3 | 2) + varint(len(tensor) + len(head) + size + len(graph)) + tensor + head
    path, out = tmp_path / "large.onnx", tmp_path / "out.onnx"
    with path.open("wb") as file:
        file.write(start)
        file.seek(len(start) + size // 2)
        file.write(sign)
        file.seek(len(start) + size)
        file.write(graph)
    assert peak_memory("annotate", str(path), "-o", str(out), "-p", "none") < 250
    assert out.stat().st_blocks * 512 < 50_000_000  # the holes are still there
    grown = out.stat().st_size - path.stat().st_size
    assert 0 < grown < 10_000
    with out.open("rb") as file:
        file.seek(len(start) + size // 2)
        assert file.read(len(sign)) == sign
    (product,) = read_nodes(out)
    assert metadata(product)["costmodel.mult_adds"] == str(2 * rows * columns)


def peak_memory(*words: str) -> int:
    """The most resident memory, in megabytes, that the command line held in a process of its own."""
    done = subprocess.run([sys.executable, "-c", _RUN, *words], capture_output=True, text=True, timeout=300, check=True)
    return int(done.stdout) // 1000


def test_what_runs_within_nodes_is_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    branch = body([node("Neg", ["x"], ["n"], "inner")], [], [value("n", (2, 5))])
    nodes = [
        node("Relu", ["x"], ["a"], "relu"),
        node("If", ["yes"], ["b"], "choice", then_branch=branch, else_branch=branch),
        node("twice", ["b"], ["c"], "call", domain="local"),
        node("Constant", [], ["one"], "one", value=scalar("", 1.0, FLOAT)),
        node("Add", ["c", "one"], ["y"]),
    ]
    twice = function("twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])])
    path = save(model(nodes, [value("x", (2, 5)), value("yes", (), BOOL)], functions=[twice]), tmp_path)
    out = tmp_path / "out.onnx"
    assert main(["annotate", str(path), "-o", str(out), "-p", "none"]) == 0
    err = capsys.readouterr().err
    assert err.startswith(f"{out}: 3 of 5 nodes annotated; left out, since ")
    assert err.splitlines()[0].endswith(": 'choice' (If), 'call' (twice)")
    content = onnx.load(out)
    assert [bool(metadata(proto)) for proto in content.graph.node] == [True, False, False, True, True]
    assert metadata(content.graph.node[4])["costmodel.element_ops"] == "10"
    assert without_ours(content) == onnx.load(path)


def test_nodes_in_another_order_get_their_own_entries(tmp_path: Path) -> None:
    """Nodes that share a name and stand before what they read: tensors tell which is which."""
    nodes = [node("Relu", ["y"], ["z"], "same"), node("Conv", ["x", "w"], ["y"], "same")]
    path = save(model(nodes, [value("x", (1, 3, 8, 8))], [weight("w", 4, 3, 3, 3)]), tmp_path)
    assert main(["annotate", str(path), "-o", str(tmp_path / "out.onnx"), "-p", "none"]) == 0
    counts = [metadata(proto)["costmodel.mult_adds"] for proto in read_nodes(tmp_path / "out.onnx")]
    assert counts == ["0", str(36 * 27 * 4)]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:12]))
def test_whatever_names_hold_the_model_stays_valid(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = network(tmp_path, middle=name), tmp_path / "out.onnx"
    assert main(["annotate", str(path), "-o", str(out), "-p", GPU]) == 0
    assert len(capsys.readouterr().err.splitlines()) == 1
    onnx.checker.check_model(out, full_check=True)
    content = onnx.load(out)
    assert content.graph.node[1].name == name
    for proto in content.graph.node:
        assert all(text.isprintable() for text in metadata(proto).values())
    for before, after in zip(outputs(path), outputs(out), strict=True):
        assert before.tobytes() == after.tobytes()


def test_a_name_that_is_no_text_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = network(tmp_path).read_bytes()
    path = save(content.replace(b"relu", b"re\xff\xfe"), tmp_path, "broken.onnx")
    assert str(path) in failed(capsys, str(path), "-o", str(tmp_path / "out.onnx"))
    assert not (tmp_path / "out.onnx").exists()


def test_the_model_itself_can_be_annotated(tmp_path: Path) -> None:
    path = network(tmp_path)
    before, expected = path.read_bytes(), outputs(path)
    path.chmod(0o640)
    link = tmp_path / "link.onnx"
    link.symlink_to(path)
    assert main(["annotate", str(path), "-o", str(link)]) == 0
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert without_ours(onnx.load(path)).SerializeToString() == before
    for one, other in zip(expected, outputs(path), strict=True):
        assert one.tobytes() == other.tobytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link.onnx", "net.onnx"]


def test_a_write_that_breaks_off_leaves_what_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = network(tmp_path)
    before = path.read_bytes()
    copied = iter(range(3))

    def full(*words: Any) -> None:
        if next(copied) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(annotating, "_copy", full)
    assert "cannot be written (No space left on device)" in failed(capsys, str(path), "-o", str(path))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize("change", [1, -1])
def test_a_model_that_changed_meanwhile_is_refused(change: int, tmp_path: Path) -> None:
    path = network(tmp_path)
    entries: Sequence[dict[str, str] | None] = [None] * (4 + change)
    with pytest.raises(ModelError, match="changed while it was read"):
        annotate(path, tmp_path / "out.onnx", entries, {})
    assert [each.name for each in tmp_path.iterdir()] == ["net.onnx"]


def test_a_file_that_becomes_shorter_is_refused(tmp_path: Path) -> None:
    path = network(tmp_path)
    with path.open("rb") as file, (tmp_path / "out").open("wb") as out, pytest.raises(ModelError, match="shorter"):
        annotating._copy((0, path.stat().st_size + 1), file, out)


def test_what_cannot_be_annotated_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = network(tmp_path), tmp_path / "out.onnx"
    zoo = failed(capsys, "zoo:resnet18", "-o", str(out))
    assert "zoo:resnet18: only a .onnx file has nodes to write into; write the network to one first" in zoo
    assert "did you mean zoo:resnet18?" in failed(capsys, "resnet18", "-o", str(out))
    assert "no such file" in failed(capsys, str(tmp_path / "none.onnx"), "-o", str(out))
    assert f"is a directory; give a file in it, such as {tmp_path / 'net.annotated.onnx'}" in failed(
        capsys, str(path), "-o", str(tmp_path)
    )
    assert "is not a regular file" in failed(capsys, str(path), "-o", os.devnull)
    assert "cannot be written" in failed(capsys, str(path), "-o", str(tmp_path / "none" / "out.onnx"))
    assert not out.exists()


def test_what_the_message_for_a_zoo_network_says_works(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    costmodel.frontends.onnx.save(costmodel.analyze("zoo:squeezenet1_1").graph, path)
    assert main(["annotate", str(path), "-o", str(path)]) == 0


def test_a_budget_that_is_exceeded_is_the_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = network(tmp_path), tmp_path / "out.onnx"
    assert main(["annotate", str(path), "-o", str(out), "--budget", f"{PHONE}=1us"]) == 1
    assert "exceeded" in capsys.readouterr().err
    assert out.exists()


def test_what_was_assumed_is_written_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(model([node("Mystery", ["x"], ["y"], domain="my.own")], [value("x", ("rows", 5))]), tmp_path)
    assert main(["annotate", str(path), "-o", str(tmp_path / "out.onnx"), "--dim", "rows=3", "-p", PHONE]) == 0
    assert "1 unknown: my.own:Mystery" in capsys.readouterr().err
    content = onnx.load(tmp_path / "out.onnx")
    assert metadata(content.graph.node[0])["costmodel.counting"].startswith("unknown: ")
    assert "lower bound" in metadata(content)["costmodel.notes"]
