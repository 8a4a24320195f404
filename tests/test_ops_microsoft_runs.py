"""Contrib operators against ONNX Runtime: shapes and types of what it runs, counts of what it writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from costmodel.frontends import onnx as frontend
from costmodel.graph import Counting, TensorSpec
from costmodel.ops import as_value, find
from costmodel.ops.registry import call

ort = pytest.importorskip("onnxruntime")

_TYPES = {
    "f": ("float32", TensorProto.FLOAT),
    "h": ("float16", TensorProto.FLOAT16),
    "u": ("uint8", TensorProto.UINT8),
    "b": ("int8", TensorProto.INT8),
    "i": ("int32", TensorProto.INT32),
    "l": ("int64", TensorProto.INT64),
    "?": ("bool", TensorProto.BOOL),
}


@dataclass(frozen=True)
class Case:
    """One node: inputs are "f 2 3" (a type and dims), a (type, values) pair for a constant, or None."""

    op_type: str
    inputs: tuple[Any, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1

    def __str__(self) -> str:
        return f"{self.op_type}-{len(self.inputs)}-{sorted(self.attributes)}"


def case(op_type: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Case:
    return Case(op_type, inputs, attributes, outputs)


SCALE, ZERO = ("f", 0.05), ("u", 128)
QKV = ("f 2 3 24", "f 24 72", "f 72")

CASES = [
    case("Attention", *QKV, num_heads=4, outputs=2),
    case("Attention", "f 2 3 10", "f 10 56", "f 56", num_heads=4, qkv_hidden_sizes=(16, 16, 24)),
    case("Attention", *QKV, None, "f 2 2 4 5 6", num_heads=4, outputs=2),
    case("Attention", *QKV, "i 2 3", num_heads=4, unidirectional=1),
    case("QAttention", "u 2 3 24", ("u", np.ones((24, 72))), "f 72", SCALE, SCALE, None, ZERO, ZERO,
        num_heads=4),
    case("MultiHeadAttention", "f 2 3 24", "f 2 5 24", "f 2 5 32", "f 80", num_heads=4),
    case("MultiHeadAttention", "f 2 3 24", "f 2 4 5 6", "f 2 4 5 6", num_heads=4),
    case(
        "MultiHeadAttention", "f 2 3 24", "f 2 3 24", "f 2 3 24", None, None, None, "f 2 4 7 6", "f 2 4 7 6",
        num_heads=4, outputs=3,
    ),
    case(
        "DecoderMaskedMultiHeadAttention", "f 2 1 24", "f 2 1 24", "f 2 1 24", None, None, "f 2 4 7 6",
        "f 2 4 7 6", ("i", [3]), num_heads=4, outputs=3, past_present_share_buffer=1,
    ),
    case(
        "GroupQueryAttention", "f 2 3 32", "f 2 3 16", "f 2 3 16", None, None, ("i", [2, 2]), ("i", 3),
        num_heads=4, kv_num_heads=2, outputs=3,
    ),
    case(
        "GroupQueryAttention", "f 2 3 64", None, None, None, None, ("i", [2, 2]), ("i", 3), num_heads=4,
        kv_num_heads=2, outputs=3,
    ),
    case(
        "GroupQueryAttention", "f 2 1 64", "f 2 1 32", "f 2 1 32", "f 2 2 9 16", "f 2 2 9 16", ("i", [9, 9]),
        ("i", 10), "f 16 8", "f 16 8", num_heads=4, kv_num_heads=2, outputs=3, do_rotary=1,
    ),
    case("RotaryEmbedding", "f 2 3 32", ("l", [0]), "f 8 4", "f 8 4"),
    case("RotaryEmbedding", "f 2 4 3 8", ("l", [[0, 1, 2], [3, 4, 5]]), "f 8 4", "f 8 4"),
    case("EmbedLayerNormalization", "i 2 3", "i 2 3", "f 9 8", "f 7 8", "f 2 8", "f 8", "f 8", "i 2 3",
        outputs=3),
    case("EmbedLayerNormalization", "i 2 3", None, "f 9 8", "f 7 8", None, "f 8", "f 8", outputs=2),
    case("SkipLayerNormalization", "f 2 3 8", "f 2 3 8", "f 8", "f 8", "f 8", outputs=1),
    case("SkipSimplifiedLayerNormalization", "f 2 3 8", "f 2 3 8", "f 8", "f 8", outputs=1),
    case("BiasGelu", "f 2 3 8", "f 8"),
    case("FastGelu", "f 2 3 8", "f 8"),
    case("Gelu", "f 2 3 8"),
    case("QuickGelu", "f 2 3 8"),
    case("FusedMatMul", "f 2 5 3", "f 2 4 5", transA=1, transB=1, alpha=0.5),
    case("FusedMatMul", "f 3 2 5", "f 2 5 4", transBatchA=1),
    case("FusedMatMul", "f 3 2 5", "f 4 2 5", transBatchA=1, transBatchB=1, transB=1),
    case("FusedMatMul", "f 5 2 3", "f 2 5 4", transBatchA=1, transA=1),
    case("TransposeMatMul", "f 2 5 3", "f 2 5 4", transA=1),
    case("FusedGemm", "f 3 5", "f 4 5", "f 4", transB=1, activation="Relu"),
    case("MatMulNBits", "f 2 3 40", ("u", np.ones((24, 2, 16))), "f 24 2", K=40, N=24, block_size=32),
    case(
        "MatMulNBits", "f 2 3 40", ("u", np.ones((24, 2, 32))), "f 24 2", None, None, ("f", np.ones(24)),
        K=40, N=24, block_size=32, bits=8,
    ),
    case("MatMulBnb4", "f 3 40", ("u", np.ones(480)), "f 60", K=40, N=24, block_size=16, quant_type=1),
    case("MatMulIntegerToFloat", "u 2 3 5", "u 5 4", SCALE, SCALE, ZERO, ZERO, "f 4"),
    case("DynamicQuantizeMatMul", "f 2 3 5", "u 5 4", SCALE, ZERO, "f 4"),
    case("QGemm", "u 3 5", SCALE, ZERO, "u 4 5", SCALE, ZERO, "i 4", SCALE, ZERO, transB=1),
    case("QGemm", "u 5 3", SCALE, ZERO, "u 5 4", SCALE, ZERO, transA=1),
    case("QLinearAdd", "u 2 3 4", SCALE, ZERO, "u 3 1", SCALE, ZERO, SCALE, ZERO),
    case("QLinearMul", "u 2 3 4", SCALE, ZERO, "u 3 1", SCALE, ZERO, SCALE, ZERO),
    case("QLinearLeakyRelu", "u 2 3 4", SCALE, ZERO, SCALE, ZERO),
    case("QLinearSigmoid", "u 2 3 4", SCALE, ZERO, SCALE, ZERO),
    case("QLinearSoftmax", "u 2 3 4", SCALE, ZERO, SCALE, ZERO, axis=-1, opset=13),
    case("QLinearConcat", SCALE, ZERO, "u 2 3 4", SCALE, ZERO, "u 2 5 4", SCALE, ZERO, axis=1),
    case("QLinearWhere", "? 2 1", "u 2 3", SCALE, ZERO, "u 1 3", SCALE, ZERO, SCALE, ZERO),
    case("QLinearAveragePool", "u 2 3 7 9", SCALE, ZERO, SCALE, ZERO, kernel_shape=(3, 2), strides=(2, 3)),
    case(
        "QLinearAveragePool", "u 2 7 9 3", SCALE, ZERO, SCALE, ZERO, kernel_shape=(3, 2), pads=(1, 0, 1, 1),
        channels_last=1,
    ),
    case("QLinearGlobalAveragePool", "u 2 7 9 3", SCALE, ZERO, SCALE, ZERO, channels_last=1),
    case("QLinearGlobalAveragePool", "u 2 3 7 9", SCALE, ZERO, SCALE, ZERO),
    case(
        "QLinearConv", "u 2 7 9 4", SCALE, ZERO, ("u", np.ones((6, 2, 3, 2))), SCALE, ZERO, SCALE, ZERO,
        channels_last=1, group=2, pads=(1, 0, 1, 1),
    ),
    case("FusedConv", "f 2 4 7 9", "f 6 2 3 2", "f 6", group=2, strides=(2, 3), activation="Relu"),
    case("FusedConv", "f 2 4 7 9", "f 6 4 3 2", "f 6", "f 2 6 5 8", activation="HardSigmoid",
        activation_params=(0.2, 0.5)),
    case("NhwcMaxPool", "u 2 7 9 4", kernel_shape=(3, 2), strides=(2, 3)),
    case("ConvTransposeWithDynamicPads", "f 2 4 7 9", "f 4 6 3 2", ("l", [1, 0, 1, 1]), strides=(2, 3)),
    case("QuantizeLinear", "f 2 3", SCALE, ZERO),
    case("DequantizeLinear", "u 2 3", SCALE, ZERO),
    case("GatherBlockQuantized", ("u", np.ones((6, 16))), "l 2 3", "f 6 1", block_size=32, quantize_axis=1,
        bits=4),
    case("GatherND", "f 2 3 4", ("l", [[0, 1], [1, 2]])),
    case("GridSample", "f 2 3 4 5", "f 2 6 7 2"),
    case("CropAndResize", "f 2 3 7 9", "f 5 4", "i 5", ("i", [3, 2])),
    case("ExpandDims", "f 2 3", ("i", 1)),
    case("Inverse", "f 2 3 3"),
    case("Trilu", "f 2 3 4", ("l", 1)),
    case("Pad", "f 2 3", ("l", [0, 1, 2, 0])),
    case("Range", ("f", 1.0), ("f", 8.0), ("f", 2.0)),
    case("WordConvEmbedding", ("i", np.ones((3, 9))), "f 6 1 5 4", "f 6", "f 11 4"),
    case("NGramRepeatBlock", "l 2 5", "f 2 9", ngram_size=3),
    case("MoE", "f 6 8", "f 6 4", "f 4 5 8", "f 4 5", "f 4 8 5", "f 4 8", k=2, activation_type="silu"),
    case(
        "MoE", "f 2 3 8", "f 6 4", "f 4 10 8", None, "f 4 8 5", k=2, activation_type="swiglu", swiglu_fusion=1
    ),
    case(
        "QMoE", "f 6 32", "f 6 4", ("u", np.ones((4, 48, 16))), "f 4 48", None, ("u", np.ones((4, 32, 24))),
        "f 4 32",
        k=2, activation_type="silu",
    ),
    case("DynamicQuantizeLSTM", "f 5 2 3", ("b", np.ones((1, 3, 16))), ("b", np.ones((1, 4, 16))), "f 1 32",
        None, None,
         None, None, ("f", [0.1]), ("b", [0]), ("f", [0.1]), ("b", [0]), hidden_size=4, outputs=3),
    case("CausalConvWithState", "f 2 4 7", "f 4 1 3", "f 4", "f 2 4 2", outputs=2),
    case("LinearAttention", "f 2 5 16", "f 2 5 8", "f 2 5 12", None, "f 2 5 8", "f 2 5 2", q_num_heads=4,
         kv_num_heads=2, outputs=2),
]  # fmt: skip


def _array(code: str, values: Any) -> np.ndarray[Any, Any]:
    return np.asarray(values, _TYPES[code][0])


def _run(what: Case) -> list[np.ndarray[Any, Any]]:
    values, feeds, constants, names = [], {}, [], []
    for i, entry in enumerate(what.inputs):
        if entry is None:
            names.append("")
            continue
        names.append(f"x{i}")
        if isinstance(entry, tuple):
            constants.append(onnx.numpy_helper.from_array(_array(*entry), names[-1]))
            continue
        code, *shape = entry.split()
        sizes = [int(size) for size in shape]
        values.append(helper.make_tensor_value_info(names[-1], _TYPES[code][1], sizes))
        feeds[names[-1]] = np.ones(sizes, _TYPES[code][0])
        if what.op_type == "Inverse":
            feeds[names[-1]] = np.broadcast_to(np.eye(sizes[-1], dtype=np.float32), sizes).copy()
    outputs = [f"y{i}" for i in range(what.outputs)]
    node = helper.make_node(what.op_type, names, outputs, domain="com.microsoft", **what.attributes)
    graph = helper.make_graph(
        [node], "one", values, [onnx.ValueInfoProto(name=name) for name in outputs], initializer=constants
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        pytest.skip(f"not in this build: {str(error)[:200]}")
    return session.run(outputs, feeds)


def _spec(name: str, entry: Any) -> TensorSpec | None:
    if entry is None:
        return None
    if isinstance(entry, str):
        code, *shape = entry.split()
        return TensorSpec(tuple(map(int, shape)), _TYPES[code][0], name)
    array = _array(*entry)
    return TensorSpec(array.shape, str(array.dtype), name, as_value(array), (name,))


@pytest.mark.parametrize("what", CASES, ids=str)
def test_shapes_and_types_are_those_that_onnxruntime_gives(what: Case) -> None:
    results = _run(what)
    op = find(what.op_type, "com.microsoft")
    assert op is not None
    inputs = [_spec(f"x{i}", entry) for i, entry in enumerate(what.inputs)]
    ours = [(spec.shape, spec.dtype) for spec in call(op, inputs, what.attributes).outputs]
    assert ours[: len(results)] == [(result.shape, str(result.dtype)) for result in results]


def _convolutions(path: Path) -> None:
    """Conv, Relu, a residual sum, Conv with Relu, pooling, Gemm; channels fill whole blocks on every CPU."""
    shapes = {"w1": (32, 16, 3, 3), "w2": (32, 32, 1, 3), "w3": (10, 32)}
    constants = [onnx.numpy_helper.from_array(np.ones(s, np.float32), name) for name, s in shapes.items()]
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1], strides=[2, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"], pads=[0, 1, 0, 1]),
        helper.make_node("Add", ["b", "c"], ["d"]),
        helper.make_node("Relu", ["d"], ["e"]),
        helper.make_node("GlobalAveragePool", ["e"], ["f"]),
        helper.make_node("Flatten", ["f"], ["g"]),
        helper.make_node("Gemm", ["g", "w3"], ["y"], transB=1),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 16, 9, 7))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (2, 10))
    graph = helper.make_graph(nodes, "convolutions", [x], [y], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)


def _optimised(path: Path, level: str) -> Path:
    result = path.with_name(f"{level}.onnx")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(result)
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return result


@pytest.mark.parametrize("level", ["ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"])
def test_a_model_that_onnxruntime_has_optimised_has_the_mult_adds_of_the_original(tmp_path: Path, level: str) -> None:
    original = tmp_path / "model.onnx"
    _convolutions(original)
    before, after = frontend.load(original), frontend.load(_optimised(original, level))
    assert any(node.domain.startswith("com.microsoft") for node in after.nodes)
    assert {node.counting for node in after.nodes} == {Counting.COUNTED}
    assert after.cost.mult_adds == before.cost.mult_adds
    assert after.cost.params == before.cost.params
    assert after.cost.memory_access < before.cost.memory_access
