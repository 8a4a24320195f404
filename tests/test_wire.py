"""Weights are taken out of a model's bytes without being read: what is left is the model less its payload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import FLOAT, body, field, function, model, node, save, value, varint
from peak_memory import peak_memory

import costmodel
from costmodel.errors import ModelError
from costmodel.frontends.onnx.wire import DEEPEST, KEPT_PAYLOAD, strip_weights

PAYLOAD = ("float_data", "int32_data", "string_data", "int64_data", "raw_data", "double_data", "uint64_data")
LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))
MEGABYTE = 10**6


def tensors_of(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """Every tensor of a graph: initializers, attributes, subgraphs."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from tensors_of_nodes(graph.node)


def tensors_of_nodes(nodes: Any) -> Iterator[TensorProto]:
    for each in nodes:
        for attribute in each.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t
            for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from tensors_of(graph)


def without_payload(content: onnx.ModelProto, threshold: int = 0) -> bytes:
    """The model with every payload of more than `threshold` bytes cleared, by protobuf's own means."""
    copy = onnx.ModelProto()
    copy.CopyFrom(content)
    functions = (tensor for f in copy.functions for tensor in tensors_of_nodes(f.node))
    for tensor in (*tensors_of(copy.graph), *functions):
        for name in PAYLOAD:
            alone = TensorProto()
            getattr(alone, name).extend(getattr(tensor, name)) if name != "raw_data" else alone.__setattr__(
                name, tensor.raw_data
            )
            if alone.ByteSize() > threshold:
                tensor.ClearField(name)
    return copy.SerializeToString(deterministic=True)


def stripped(content: onnx.ModelProto) -> onnx.ModelProto:
    return onnx.ModelProto.FromString(strip_weights(content.SerializeToString()))


def filled(name: str, dtype: int, count: int, raw: bool = False) -> TensorProto:
    items: Any = [b"text"] * count if dtype == TensorProto.STRING else [1] * count
    if raw:
        return TensorProto(name=name, data_type=dtype, dims=[count], raw_data=bytes(4 * count))
    return helper.make_tensor(name, dtype, [count], items)


def large_everywhere() -> onnx.ModelProto:
    """Large tensors of every type of payload, in every place where a tensor can stand."""
    types = (TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.DOUBLE, TensorProto.UINT64)
    constants = [filled(f"w{dtype}", dtype, 5000) for dtype in types] + [filled("raw", FLOAT, 5000, raw=True)]
    inner = body(
        [node("Constant", [], ["k"], value=filled("inner", FLOAT, 4000))], constants=[filled("i", FLOAT, 3000)]
    )
    several = helper.make_attribute("several", [filled("s0", FLOAT, 2000), filled("s1", FLOAT, 2000)])
    graphs = helper.make_attribute("graphs", [inner, inner])
    odd = node("Odd", ["x"], ["o"])
    odd.attribute.extend([several, graphs])
    nodes = [node("If", ["x"], ["y"], then_branch=inner, else_branch=inner), odd]
    nodes.append(node("Constant", [], ["c"], value=filled("attribute", FLOAT, 6000, raw=True)))
    inside = function("f", ["a"], ["b"], [node("Constant", [], ["b"], value=filled("function", FLOAT, 6000))])
    content = model(nodes, constants=constants, functions=[inside], outputs=[value("y", (1, 3))])
    sparse = helper.make_sparse_tensor(filled("v", FLOAT, 4000), filled("n", TensorProto.INT64, 4000), [9000])
    content.graph.sparse_initializer.append(sparse)
    return content


def test_large_payload_is_gone_everywhere_and_everything_else_is_there() -> None:
    content = large_everywhere()
    result = stripped(content)
    assert result.SerializeToString(deterministic=True) == without_payload(content)
    assert len(strip_weights(content.SerializeToString())) < 3000 < 200_000 < content.ByteSize()


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_real_models_are_the_same_less_their_payload(path: Path) -> None:
    content = onnx.ModelProto.FromString(path.read_bytes())
    assert stripped(content).SerializeToString(deterministic=True) == without_payload(content, KEPT_PAYLOAD + 3)


def test_a_model_without_weights_stays_byte_for_byte() -> None:
    content = model([node("Relu", ["x"], ["y"])], outputs=[value("y", (1, 3, 8, 8))]).SerializeToString()
    assert strip_weights(content) == content


def in_a_model(tensor: bytes) -> bytes:
    return field(7, field(5, tensor))


@pytest.mark.parametrize("size", [0, 1, KEPT_PAYLOAD - 1, KEPT_PAYLOAD, KEPT_PAYLOAD + 1, KEPT_PAYLOAD + 2, 5000])
@pytest.mark.parametrize("number", [4, 5, 7, 9, 10, 11])
def test_payload_up_to_the_threshold_stays(size: int, number: int) -> None:
    """Padded by a long name, so that the tensor itself is looked into whatever its payload."""
    name, after = field(8, b"n" * 3000), field(12, b"doc")
    payload = field(number, bytes(size))
    expected = name + (payload if size <= KEPT_PAYLOAD else b"") + after
    assert strip_weights(in_a_model(name + payload + after)) == in_a_model(expected)


UNPACKED: dict[str, Callable[[int], bytes]] = {
    "float_data": lambda i: b"\x25" + i.to_bytes(4, "little"),
    "int32_data": lambda i: b"\x28" + varint(i),
    "int64_data": lambda i: b"\x38" + varint(i),
    "negative int64_data": lambda i: b"\x38" + varint(2**64 - 1 - i),
    "double_data": lambda i: b"\x51" + i.to_bytes(8, "little"),
    "uint64_data": lambda i: b"\x58" + varint(i << 40),
}


@pytest.mark.parametrize("encode", UNPACKED.values(), ids=UNPACKED)
def test_payload_with_a_tag_for_each_element_is_found_as_well(encode: Callable[[int], bytes]) -> None:
    """protobuf reads both encodings; values hold bytes that look like tags of other fields."""
    payload = b"".join(encode(i) for i in range(2000))
    head, tail = b"\x08\xd0\x0f" + field(8, b"w"), field(12, b"doc")
    assert strip_weights(in_a_model(head + payload + tail)) == in_a_model(head + tail)
    few = b"".join(encode(i) for i in range(30))
    padded = in_a_model(field(8, b"n" * 2000) + few + tail)
    assert strip_weights(padded) == padded
    both = onnx.ModelProto.FromString(in_a_model(head + payload + tail)).graph.initializer[0]
    assert both.dims == [2000]
    assert sum(len(getattr(both, name)) for name in PAYLOAD) == 2000


def test_elements_of_several_types_in_turn_take_no_longer() -> None:
    payload = (b"\x25\0\0\0\0" + b"\x28\x01") * MEGABYTE
    assert strip_weights(in_a_model(field(8, b"w") + payload)) == in_a_model(field(8, b"w"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x3a\x05ab", "longer than the file"),
        (b"\x08", "ends in the middle"),
        (b"\x08" + b"\xff" * 11, "number that does not end"),
        (b"\x3a" + b"\xff" * 9 + b"\x01", "longer than the file"),
        (b"\x0b", "wire type 3"),
        (b"\x0f", "wire type 7"),
        (b"\x09\0\0", "longer than its message"),
        (bytes(1000), "field number 0"),
        (in_a_model(field(9, bytes(2000)))[:-1], "longer than the file"),
        (in_a_model(b"\x28" + b"\xff" * 2000), "does not end"),
    ],
    ids=["length", "varint", "endless varint", "huge length", "group", "wire type", "fixed64", "zeros", "cut", "run"],
)
def test_bytes_that_are_no_protobuf_are_refused(content: bytes, says: str) -> None:
    with pytest.raises(ModelError, match=rf"^(truncated, or )?not an ONNX model \(.*{says}.*\)$"):
        strip_weights(content)


def test_nesting_has_the_limit_that_protobuf_has() -> None:
    content = field(5, field(9, bytes(2000)))
    for _ in range(DEEPEST):
        content = field(1, field(5, field(6, content)))
    with pytest.raises(ModelError, match=f"more than {DEEPEST} deep"):
        strip_weights(field(7, content))


MATMUL = node("MatMul", ["x", "w"], ["y"])
ROWS, COLUMNS = 25_000, 30_000  # 3 GB of float32


def test_three_gigabytes_of_weights_in_the_file_are_not_read(tmp_path: Path) -> None:
    """A file with a hole of zeros where the weights are, so that it takes no place on the disk."""
    head = b"\x08" + varint(ROWS) + b"\x08" + varint(COLUMNS) + b"\x10\x01" + field(8, b"w")
    size = 4 * ROWS * COLUMNS
    tag = varint(9 << 3 | 2) + varint(size)
    rest = model([MATMUL], [value("x", (2, ROWS))], outputs=[value("y", (2, COLUMNS))])
    graph_tail = rest.graph.SerializeToString()
    tensor_length = len(head) + len(tag) + size
    tensor = varint(5 << 3 | 2) + varint(tensor_length)
    graph = varint(7 << 3 | 2) + varint(len(tensor) + tensor_length + len(graph_tail))
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.write(graph + tensor + head + tag)
        file.truncate(file.tell() + size)
        file.seek(0, 2)
        file.write(graph_tail)
    assert path.stat().st_blocks * 512 < MEGABYTE
    output, megabytes = peak_memory("analyze", str(path))
    assert f"{2 * ROWS * COLUMNS:,}" in output
    assert f"{ROWS * COLUMNS:,}" in output
    assert megabytes < 200


def test_three_gigabytes_of_weights_beside_the_file_are_not_read(tmp_path: Path) -> None:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[ROWS, COLUMNS], data_location=TensorProto.EXTERNAL)
    for key, text in (("location", "weights.bin"), ("offset", "0"), ("length", str(4 * ROWS * COLUMNS))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, text
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(4 * ROWS * COLUMNS)
    path = save(model([MATMUL], [value("x", (2, ROWS))], [tensor]), tmp_path)
    output, megabytes = peak_memory("analyze", str(path))
    assert f"{2 * ROWS * COLUMNS:,}" in output
    assert megabytes < 200


def test_a_model_costs_the_same_with_and_without_its_weights(tmp_path: Path) -> None:
    content = large_everywhere()
    del content.graph.node[:]
    content.graph.node.append(node("Add", ["x", "raw"], ["y"]))
    content.graph.input[0].CopyFrom(value("x", (5000,)))
    whole = costmodel.analyze(save(content, tmp_path)).totals
    assert whole == costmodel.analyze(save(without_payload(content), tmp_path)).totals
    assert whole.params == 5000
