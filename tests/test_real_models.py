"""Real models: those that onnx ships, and a network by two exporters of torch, quantised and optimised."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from costmodel.analysis import Analysis, analyze
from costmodel.builder import GraphBuilder
from costmodel.dims import is_symbolic, symbol
from costmodel.graph import Counting, Graph, TensorSpec

# -- the light models of the onnx wheel: nine networks of the model zoo whose weights are ConstantOfShape

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
MILLIONS = {
    "bvlc_alexnet": 654.56,
    "densenet121": 2834.16,
    "inception_v1": 1431.56,
    "inception_v2": 2018.85,
    "resnet50": 4089.18,
    "shufflenet": 124.66,
    "squeezenet": 349.15,
    "vgg19": 19632.06,
    "zfnet512": 1481.73,
}
PARAMS = {"resnet50": 25_557_032, "squeezenet": 1_235_496, "vgg19": 143_667_240}  # torchvision's own


@cache
def light(name: str) -> Analysis:
    return analyze(LIGHT / f"light_{name}.onnx")


@pytest.mark.parametrize(("name", "millions"), MILLIONS.items())
def test_light_models_have_their_mult_adds_and_nothing_unknown(name: str, millions: float) -> None:
    analysis = light(name)
    assert round(analysis.totals.mult_adds / 1e6, 2) == millions
    assert {node.counting for node in analysis.operators} == {Counting.COUNTED}
    assert analysis.notes == ()


@pytest.mark.parametrize(("name", "params"), PARAMS.items())
def test_light_models_have_the_parameters_of_the_network(name: str, params: int) -> None:
    assert light(name).totals.params == params


@pytest.mark.parametrize("name", MILLIONS)
def test_every_node_has_the_shape_that_onnx_infers(name: str) -> None:
    model = onnx.shape_inference.infer_shapes(onnx.load(LIGHT / f"light_{name}.onnx"), data_prop=True)
    assert_shapes_inferred(light(name).graph, model)


def assert_shapes_inferred(graph: Graph, model: onnx.ModelProto) -> None:
    """Every tensor that onnx knows the shape of has it; every node's outputs have one."""
    inferred = {
        info.name: tuple(dim.dim_value for dim in info.type.tensor_type.shape.dim)
        for info in [*model.graph.value_info, *model.graph.output]
        if all(dim.HasField("dim_value") for dim in info.type.tensor_type.shape.dim)
        and info.type.tensor_type.HasField("shape")
    }
    ours = {name: graph.tensors[name].shape for node in graph.nodes for name in node.outputs if name}
    assert {name: ours[name] for name in inferred if name in ours} == {
        name: shape for name, shape in inferred.items() if name in ours
    }
    assert None not in ours.values()
    assert len(inferred.keys() & ours.keys()) > len(graph.nodes) // 2


# -- a network of ShuffleNet V2's units (Section 3.2, Fig. 3c), by hand, in torch and with the builder


class Unit(nn.Module):
    """Half of the channels through a branch; all of them shuffled."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(
            nn.Conv2d(half, half, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.Conv2d(half, half, (3, 5), padding=(1, 2), groups=half, bias=False),
            nn.BatchNorm2d(half),
            nn.Conv2d(half, half, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = x.chunk(2, dim=1)
        x = torch.cat((left, self.branch(right)), 1)
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2)
        return x.reshape(batch, channels, height, width)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, (3, 5), stride=(2, 3), padding=(1, 0), bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.stage = nn.Sequential(Unit(12), Unit(12))
        self.head = nn.Linear(12, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.stem(x))
        x = self.pool(torch.relu(x))
        x = self.stage(x)
        return self.head(x.mean((2, 3)))


def built(batch: int, height: int, width: int) -> Graph:
    """The same network with GraphBuilder."""
    b = GraphBuilder()
    x = b.input("x", (batch, 3, height, width))
    x = b.relu(b.batch_norm(b.conv(x, 12, (3, 5), stride=(2, 3), padding=(1, 0), name="stem"), "norm"))
    x = b.max_pool(x, 3, stride=2, ceil_mode=True)
    for i in range(2):
        with b.scope(f"stage.{i}"):
            left, right = b.split(x, (6, 6))
            right = b.relu(b.batch_norm(b.conv(right, 6, name="first"), "norm1"), "relu1")
            right = b.batch_norm(b.depthwise(right, (3, 5), name="depthwise"), "norm2")
            right = b.relu(b.batch_norm(b.conv(right, 6, name="last"), "norm3"), "relu2")
            x = b.channel_shuffle(b.concat((left, right)), 2)
    return b.build(b.linear(b.flatten(b.global_avg_pool(x)), 7))


SIZE = (2, 3, 33, 47)


@cache
def network() -> Network:
    """With statistics as after training: exporters drop or share biases that are all the same."""
    torch.manual_seed(0)
    model = Network().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def by_dynamo(folder: Path) -> Path:
    path = folder / "dynamo.onnx"
    torch.onnx.export(network(), (torch.zeros(SIZE),), path, dynamo=True, external_data=False, verbose=False)
    return path


@pytest.fixture(scope="module")
def by_script(folder: Path) -> Path:
    return exported_by_script(folder / "script.onnx")


def exported_by_script(path: Path, **options: Any) -> Path:
    with warnings.catch_warnings():
        for message in ("You are using the legacy TorchScript-based ONNX export", "The feature will be removed"):
            warnings.filterwarnings("ignore", message, DeprecationWarning)
        torch.onnx.export(network(), (torch.zeros(SIZE),), str(path), dynamo=False, **options)
    return path


@pytest.fixture(params=["by_dynamo", "by_script"])
def exported(request: pytest.FixtureRequest) -> Path:
    path = request.getfixturevalue(request.param)
    assert isinstance(path, Path)
    return path


def counted_by_torch() -> int:
    """Mult-adds as torch counts the products that it dispatches; it counts each twice."""
    with FlopCounterMode(display=False) as counter:
        network()(torch.zeros(SIZE))
    return int(counter.get_total_flops()) // 2


def test_the_network_built_by_hand_counts_as_torch_does() -> None:
    cost = built(SIZE[0], *SIZE[2:]).cost
    assert cost.mult_adds == counted_by_torch()
    assert cost.params == sum(parameter.numel() for parameter in network().parameters())


def test_an_exported_network_counts_as_the_one_built_by_hand(exported: Path) -> None:
    """Both exporters fold a batch norm into the convolution before it: scale and shift become a bias."""
    analysis, expected = analyze(exported), built(SIZE[0], *SIZE[2:]).cost
    norms = [module for module in network().modules() if isinstance(module, nn.BatchNorm2d)]
    assert analysis.totals.mult_adds == expected.mult_adds
    assert analysis.totals.params == expected.params - sum(norm.num_features for norm in norms)
    assert {node.counting for node in analysis.operators} == {Counting.COUNTED}
    assert_shapes_inferred(analysis.graph, onnx.shape_inference.infer_shapes(onnx.load(exported), data_prop=True))


def test_each_operator_knows_its_module(exported: Path) -> None:
    convolutions = [node.module for node in analyze(exported).operators if node.op_type in ("Conv", "Gemm")]
    units = [f"stage.{unit}.branch.{layer}" for unit in (0, 1) for layer in (0, 3, 5)]
    assert convolutions == ["stem", *units, "head"]


def test_each_operator_knows_its_line_of_python(by_dynamo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parent.parent
    monkeypatch.chdir(root)
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    sources = {node.module or node.op_type: node.source for node in analyze(by_dynamo).operators}

    def place(code: str) -> str:
        return f"{Path(__file__).relative_to(root).as_posix()}:{lines.index(f'        {code}') + 1}"

    assert sources["stem"] == place("x = self.norm(self.stem(x))")
    assert sources["pool"] == place("x = self.pool(torch.relu(x))")
    assert sources["stage.0.branch.3"] == place("x = torch.cat((left, self.branch(right)), 1)")
    assert sources["head"] == place("return self.head(x.mean((2, 3)))")


def test_free_dims_of_an_exported_network_give_a_formula(folder: Path) -> None:
    axes = {"x": {0: "N", 2: "H", 3: "W"}}
    path = exported_by_script(folder / "free.onnx", input_names=["x"], dynamic_axes=axes)
    formula = analyze(path, symbolic=True).totals
    for batch, height, width in ((1, 33, 47), (3, 64, 40), (2, 35, 36)):
        given = analyze(path, dims={"N": batch, "H": height, "W": width}).totals
        assert given.mult_adds == built(batch, height, width).cost.mult_adds
        numbers = {symbol("N"): batch, symbol("H"): height, symbol("W"): width}
        for name in ("mult_adds", "element_ops", "memory_access", "params", "bytes"):
            count = getattr(formula, name)
            assert (count.subs(numbers) if is_symbolic(count) else count) == getattr(given, name)


# -- the same network by ONNX Runtime


class Images(CalibrationDataReader):
    """Two images to calibrate with."""

    def __init__(self, name: str) -> None:
        random = np.random.default_rng(0)
        self._images: Iterator[Any] = iter([{name: random.random(SIZE, np.float32)} for _ in range(2)])

    def get_next(self) -> Any:
        return next(self._images, None)


def optimised(path: Path, level: str) -> Path:
    """The model as ONNX Runtime rewrites it."""
    target = path.with_name(f"{path.stem}_{level}.onnx")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level}")
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 4
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return target


def quantised(path: Path, kind: str) -> Path:
    """The model in 8 bits."""
    target = path.with_name(f"{path.stem}_{kind}.onnx")
    if kind == "dynamic":
        quantize_dynamic(path, target)
    else:
        form, _, channels = kind.partition(" ")
        images = Images(onnx.load(path).graph.input[0].name)
        quantize_static(path, target, images, quant_format=QuantFormat[form], per_channel=bool(channels))
    return target


def assert_counts_like(path: Path, original: Path) -> None:
    ours, expected = analyze(path), analyze(original).totals
    assert (ours.totals.mult_adds, ours.totals.params) == (expected.mult_adds, expected.params)
    assert {node.counting for node in ours.operators} == {Counting.COUNTED}
    assert all(spec.shape is not None for spec in written(ours.graph))


def written(graph: Graph) -> Iterator[TensorSpec]:
    return (graph.tensors[name] for node in graph.nodes for name in node.outputs if name)


@pytest.mark.parametrize("level", ["BASIC", "EXTENDED"])
def test_an_optimised_network_keeps_its_mult_adds_and_parameters(exported: Path, level: str) -> None:
    path = optimised(exported, level)
    assert_counts_like(path, exported)
    assert analyze(path).totals.memory_access <= analyze(exported).totals.memory_access


@pytest.mark.parametrize("kind", ["QDQ", "QDQ by channel", "QOperator", "QOperator by channel"])
def test_a_quantised_network_keeps_its_mult_adds_and_parameters(exported: Path, kind: str) -> None:
    path = quantised(exported, kind)
    assert_counts_like(path, exported)
    assert_counts_like(optimised(path, "EXTENDED"), exported)


def test_a_dynamically_quantised_network_keeps_its_mult_adds_and_parameters(by_script: Path) -> None:
    """Of the TorchScript exporter's only: ONNX Runtime 1.31 refuses to quantise the other's Gemm."""
    assert_counts_like(quantised(by_script, "dynamic"), by_script)


def test_a_network_of_eight_bit_operators_moves_fewer_bytes(by_dynamo: Path) -> None:
    plain, small = (analyze(path).totals for path in (by_dynamo, quantised(by_dynamo, "QOperator")))
    assert plain.bytes / 4 < small.bytes < plain.bytes / 2
