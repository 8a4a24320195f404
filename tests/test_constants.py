"""Constants: what is a parameter, in which type a weight is read, and what is done before the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_models import model, node, save, value

from costmodel.analysis import Analysis, analyze

W = np.ones((30, 40), np.float32)


def constant(name: str, array: Any) -> Any:
    return numpy_helper.from_array(np.asarray(array), name)


def analyzed(folder: Path, nodes: list[Any], weights: list[Any], shape: tuple[int, ...] = (5, 30)) -> Analysis:
    return analyze(save(model(nodes, [value("x", shape)], constants=weights), folder))


@pytest.mark.parametrize(
    "prelude",
    [
        [node("CastLike", ["one", "w"], ["c"]), node("Mul", ["x", "c"], ["a"])],
        [
            node("Shape", ["w"], ["s"]),
            node("Gather", ["s", "zero"], ["n"]),
            node("Cast", ["n"], ["f"], to=1),
            node("Div", ["x", "f"], ["a"]),
        ],
        [node("Slice", ["w", "starts", "ends"], ["one_weight"]), node("Mul", ["x", "one_weight"], ["a"])],
    ],
    ids=["type", "shape", "one element"],
)
def test_what_is_only_known_because_of_a_weight_does_not_count_it(prelude: list[Any], tmp_path: Path) -> None:
    weights = [
        constant("w", W),
        constant("one", np.float32(1)),
        constant("zero", np.int64(0)),
        constant("starts", [0, 0]),
        constant("ends", [1, 1]),
    ]
    analysis = analyzed(tmp_path, [*prelude, node("MatMul", ["a", "w"], ["y"])], weights)
    assert analysis.totals.params == W.size
    assert analysis.operators[-1].cost.params == W.size


@pytest.mark.parametrize("columns", [64, 32])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_dequantised_weight_is_read_in_its_stored_type(columns: int, transposed: bool, tmp_path: Path) -> None:
    shape = (columns, 64) if transposed else (64, columns)
    weights = [constant("w", np.ones(shape, np.int8)), constant("s", np.float32(0.5)), constant("z", np.int8(0))]
    nodes = [node("DequantizeLinear", ["w", "s", "z"], ["d"])]
    if transposed:
        nodes.append(node("Transpose", ["d"], ["t"], perm=(1, 0)))
    nodes.append(node("MatMul", ["x", "t" if transposed else "d"], ["y"]))
    analysis = analyzed(tmp_path, nodes, weights, (3, 64))
    assert analysis.totals.bytes == 4 * 3 * 64 + 64 * columns + 4 * 3 * columns
    assert analysis.totals.params == 64 * columns


def test_half_a_byte_stays_half_a_byte_behind_a_transpose(tmp_path: Path) -> None:
    weight = helper.make_tensor("w", TensorProto.INT4, (20, 30), bytes(300), raw=True)
    nodes = [
        node("DequantizeLinear", ["w", "s"], ["d"]),
        node("Transpose", ["d"], ["t"], perm=(1, 0)),
        node("MatMul", ["x", "t"], ["y"]),
    ]
    analysis = analyzed(tmp_path, nodes, [weight, constant("s", np.float32(0.5))])
    assert analysis.totals.bytes == 4 * 5 * 30 + 300 + 4 * 5 * 20
    assert analysis.totals.params == 600


@pytest.mark.parametrize("size", [15, 16, 17, 200])
def test_arithmetic_on_weights_counts_alike_for_few_and_for_many(size: int, tmp_path: Path) -> None:
    weights = [constant("w", np.ones(size, np.float32)), constant("b", np.ones(size, np.float32))]
    nodes = [node("Add", ["w", "b"], ["sum"]), node("Mul", ["x", "sum"], ["y"])]
    analysis = analyzed(tmp_path, nodes, weights, (7, size))
    assert analysis.totals.params == 2 * size
    assert analysis.totals.element_ops == size + 7 * size


@pytest.mark.parametrize("count", [100, 128, 129, 3000])
def test_constant_indices_are_no_memory_access_however_many(count: int, tmp_path: Path) -> None:
    indices = constant("i", np.zeros(count, np.int64))
    analysis = analyzed(tmp_path, [node("Gather", ["x", "i"], ["y"], axis=1)], [indices])
    assert analysis.totals.memory_access == 2 * 5 * count


def test_a_mask_is_no_parameter_whatever_type_it_is_stored_in(tmp_path: Path) -> None:
    for stored in (np.uint8, np.bool_):
        nodes = [node("Cast", ["m"], ["mask"], to=9), node("Where", ["mask", "x", "x"], ["y"])]
        analysis = analyzed(tmp_path, nodes, [constant("m", np.ones((5, 30), stored))])
        assert analysis.totals.params == 0


def test_a_statistic_that_is_also_a_bias_counts_as_the_bias(tmp_path: Path) -> None:
    ones = constant("ones", np.ones(20, np.float32))
    others = [constant(name, np.full(20, i, np.float32)) for i, name in enumerate("abc")]
    nodes = [
        node("BatchNormalization", ["x", "a", "b", "ones", "c"], ["h"]),
        node("BatchNormalization", ["h", "c", "ones", "b", "a"], ["y"]),
    ]
    assert analyzed(tmp_path, nodes, [ones, *others], (2, 20, 3)).totals.params == 80


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.filterwarnings("ignore")  # torch's exporters warn of themselves
def test_parameters_do_not_depend_on_the_batch_that_was_exported(batch: int, tmp_path: Path) -> None:
    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(8, 12)
            self.head = torch.nn.Linear(12, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.lstm(x)[0])

    network = Network().eval()
    torch.onnx.export(network, (torch.rand(7, batch, 8),), tmp_path / "m.onnx", verbose=False)
    assert analyze(tmp_path / "m.onnx").totals.params == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize(("repeat", "setting"), [("Expand", (0, 3, 40)), ("Tile", (0, 1, 1))])
def test_a_weight_that_is_repeated_over_the_batch_is_stored_once(
    repeat: str, setting: tuple[int, ...], batch: int, tmp_path: Path
) -> None:
    """As a vision transformer does with its class token: read once, written for each image, and read for each."""
    weights = [
        constant("token", np.ones((1, 3, 40), np.float32)),
        constant("times", np.array([batch, *setting[1:]], np.int64)),
    ]
    nodes = [node(repeat, ["token", "times"], ["t"]), node("Concat", ["x", "t"], ["y"], axis=1)]
    repeated, joined = (operator.cost for operator in analyzed(tmp_path, nodes, weights, (batch, 5, 40)).operators)
    assert (repeated.weight_elements, repeated.params, repeated.output_elements) == (120, 120, 120 * batch)
    assert (joined.weight_elements, joined.params, joined.input_elements) == (0, 0, 320 * batch)
