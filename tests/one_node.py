"""One ONNX node on its own, run by ONNX Runtime: what the tests of single operators compare with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper


def node_model(
    op_type: str,
    inputs: Sequence[Any],
    attributes: dict[str, Any],
    outputs: int = 1,
    opset: int = 21,
    constant: bool = False,
) -> onnx.ModelProto:
    """A model of one node; its inputs (None for one left out) are i0, i1, ..., as constants if wanted."""
    names = ["" if item is None else f"i{i}" for i, item in enumerate(inputs)]
    given = {name: np.asarray(item) for name, item in zip(names, inputs, strict=True) if name}
    node = helper.make_node(op_type, names, [f"o{i}" for i in range(outputs)], "node", **attributes)
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(item.dtype), item.shape)
        for name, item in given.items()
    ]
    weights = [numpy_helper.from_array(item, name) for name, item in given.items()] if constant else []
    graph = helper.make_graph(
        [node],
        "one_node",
        [] if constant else infos,
        [onnx.ValueInfoProto(name=f"o{i}") for i in range(outputs)],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def executed(op_type: str, *inputs: Any, outputs: int = 1, opset: int = 21, **attributes: Any) -> list[Any]:
    """The arrays that ONNX Runtime makes of a node's inputs."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    model = node_model(op_type, inputs, attributes, outputs, opset)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, {f"i{i}": np.asarray(item) for i, item in enumerate(inputs) if item is not None}))


def executed_shapes(op_type: str, *inputs: Any, **options: Any) -> list[tuple[int, ...]]:
    """The shapes of `executed`."""
    return [array.shape for array in executed(op_type, *inputs, **options)]


def zeros(*shape: int) -> Any:
    """A float32 array of a shape."""
    return np.zeros(shape, np.float32)
