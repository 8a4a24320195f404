"""Designs as PyTorch modules: torchvision's networks, the paper's variants, and the same graph that was searched.

Random designs are made odd on purpose: unequal splits, odd channel counts, every kernel, sides that no 32 divides.
"""

from __future__ import annotations

import io
import random
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import search
from costmodel import zoo
from costmodel.analysis import analyze
from costmodel.errors import ModelError, UsageError
from costmodel.graph import Graph, Node
from search import Design, ShuffleNetV1, ShuffleNetV2, Stage, built, standard
from search.exporting import onnx_bytes

DESIGNS = 200
SOME = 40  # of them, where all would take too long
BY_DYNAMO = 3  # each takes seconds


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """These networks are so small that threads cost more than they give."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random_design(seed: int) -> Design:
    """A small network with all that a design may vary."""
    draw = random.Random(seed)

    def stage() -> Stage:
        channels = 2 * draw.randint(1, 20)
        branch = draw.randint(1, channels - 1)
        return Stage(channels, branch, draw.choice((1, 1, 2, 3)), draw.choice((3, 5, 7)), draw.random() < 0.4)

    return Design(
        stem=draw.randint(1, 24),
        stages=(stage(), stage(), stage()),
        head=draw.randint(1, 40),
        resolution=draw.choice((32, 75, 96, 128, 161)),
        residual=draw.random() < 0.4,
        act=draw.choice(("relu", "hard_swish", "swish")),
        classes=draw.randint(1, 12),
    )


def trained(network: nn.Module, seed: int = 0) -> nn.Module:
    """As if trained: every bias, scale and statistic another number. Nothing is then equal, or hidden by a zero."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        if tensor.is_floating_point():
            spread = tensor[0].numel() ** -0.5 if tensor.dim() > 1 else 0.5
            low = 0.5 if name.endswith("running_var") else -spread
            tensor.data.uniform_(low, low + 2 * spread, generator=generator)
    return network.eval()


def image(design: Design, batch: int = 1) -> torch.Tensor:
    side = design.resolution
    return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(1))


# -- torchvision


@pytest.fixture(scope="module")
def models() -> Any:
    """torchvision's networks."""
    # Where torchvision's compiled extension does not load, importing it still takes these two to be defined.
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import models

    return models


@pytest.mark.parametrize("width", [0.5, 1.0, 1.5, 2.0])
def test_weights_of_torchvision_load_and_give_its_outputs(models: Any, width: float) -> None:
    theirs = trained(models.get_model(f"shufflenet_v2_x{width:.1f}".replace(".", "_"), weights=None))
    ours = ShuffleNetV2(standard(width))

    def form(network: nn.Module) -> list[tuple[str, torch.Size, torch.dtype]]:
        return [(key, tensor.shape, tensor.dtype) for key, tensor in network.state_dict().items()]

    assert form(ours) == form(theirs)
    ours.load_state_dict(theirs.state_dict())
    x = image(replace(standard(width), resolution=96), batch=2)
    with torch.inference_mode():
        expected, given = theirs(x), ours.eval()(x)
    assert float(expected.std()) > 0.01
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-5)


# -- the graph


def written_by_torch(network: nn.Module, resolution: int) -> Graph:
    """The network as torch's tracing exporter writes it, in evaluation, with its batch normalisations as they are."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        for message in ("You are using the legacy TorchScript-based ONNX export", "The feature will be removed"):
            warnings.filterwarnings("ignore", message, DeprecationWarning)
        # Folding would be wrong in training; without it, sizes are computed by nodes of their own.
        warnings.filterwarnings("ignore", "It is recommended that constant folding be turned off", UserWarning)
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, resolution, resolution),),
            file,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,  # that of evaluation folds them into convolutions
        )
    return read(file.getvalue())


def read(content: bytes) -> Graph:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.onnx")
        path.write_bytes(content)
        return analyze(path).graph


Row = tuple[str, int, int, int]


def rows(nodes: tuple[Node, ...]) -> list[Row]:
    """Operator, mult-adds, parameters and memory access of each node.

    Exporters write a Swish as Sigmoid (reads and writes every element once) and Mul (reads two, writes one). Numbers
    in formulas they may write as nodes of their own, Constant, which cost nothing.
    """
    result: list[Row] = []
    for node in nodes:
        cost = node.cost
        if node.op_type == "Swish":
            assert cost.memory_access % 2 == 0
            elements = cost.memory_access // 2
            result += [("Sigmoid", 0, 0, 2 * elements), ("Mul", 0, 0, 3 * elements)]
        elif node.op_type != "Constant":
            result.append((node.op_type, cost.mult_adds, cost.params, cost.memory_access))
    return result


def weighted(graph: Graph) -> list[Node]:
    """The operators with weights, in the order in which they run."""
    return [node for node in graph.nodes if node.op_type in ("Conv", "Gemm", "BatchNormalization")]


def test_random_designs_vary_all_that_there_is() -> None:
    designs = [random_design(seed) for seed in range(DESIGNS)]
    stages = [stage for design in designs for stage in design.stages]
    assert {design.act for design in designs} == {"relu", "hard_swish", "swish"}
    assert {design.residual for design in designs} == {stage.se for stage in stages} == {False, True}
    assert {stage.kernel for stage in stages} == {3, 5, 7}
    assert any(stage.branch % 2 and 2 * stage.branch < stage.channels for stage in stages)
    assert any(2 * stage.branch == stage.channels for stage in stages)
    assert len(set(designs)) == DESIGNS


@pytest.mark.slow
@pytest.mark.parametrize(
    "seeds", [range(SOME), pytest.param(range(SOME, DESIGNS), marks=pytest.mark.thorough)], ids=len
)
def test_the_graph_of_a_design_is_what_torch_exports_of_its_module(seeds: range) -> None:
    """Node for node: operators, mult-adds, parameters and memory access; and each layer is called as its module."""
    for seed in seeds:
        design = random_design(seed)
        graph = design.graph()
        exported = written_by_torch(trained(ShuffleNetV2(design), seed), design.resolution)
        assert rows(exported.nodes) == rows(graph.nodes), design
        assert exported.cost.mult_adds == graph.cost.mult_adds
        assert exported.cost.params == graph.cost.params
        assert [node.module for node in weighted(exported)] == [node.name for node in weighted(graph)]


@pytest.mark.thorough
def test_the_newer_exporter_writes_the_same_but_folds_batch_norms() -> None:
    """Scale and shift become the bias of the convolution before, and the global pooling is a mean over the sides."""
    for seed in range(BY_DYNAMO):
        design = replace(random_design(seed), act="relu")
        program = torch.onnx.export(
            trained(ShuffleNetV2(design)), (image(design),), dynamo=True, external_data=False, verbose=False
        )
        assert program is not None
        exported = read(program.model_proto.SerializeToString())
        graph = design.graph()
        normalized = sum(node.cost.params // 2 for node in graph.nodes if node.op_type == "BatchNormalization")
        assert exported.cost.mult_adds == graph.cost.mult_adds
        assert exported.cost.params == graph.cost.params - normalized
        other = {"GlobalAveragePool": "ReduceMean", "Flatten": "Reshape"}
        expected = [other.get(node.op_type, node.op_type) for node in graph.nodes if "Batch" not in node.op_type]
        assert [node.op_type for node in exported.nodes if node.op_type != "Constant"] == expected


@pytest.mark.parametrize("seed", range(12))
def test_a_built_model_computes_what_the_module_does_and_costs_what_the_design_does(seed: int) -> None:
    design = random_design(seed)
    network = trained(ShuffleNetV2(design), seed)
    content = onnx_bytes(network, batch=2)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    x = image(design, batch=2)
    with torch.inference_mode():
        expected = network(x).numpy()
    (given,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert np.ptp(expected) > 0 or design.classes == 1
    np.testing.assert_allclose(given, expected, rtol=1e-3, atol=1e-4 * float(np.abs(expected).max()))
    once = read(onnx_bytes(network))
    assert rows(once.nodes) == rows(design.graph().nodes)
    assert once.cost.params == sum(parameter.numel() for parameter in network.parameters())


def test_a_replaced_layer_is_refused() -> None:
    network = ShuffleNetV2(random_design(0))
    network.fc = nn.Linear(network.fc.in_features, 77)
    with pytest.raises(ModelError, match=r"fc.weight: the network has a weight \(77, "):
        onnx_bytes(network)


# -- variants, sizes, weights


@pytest.mark.parametrize("resolution", [128, 192, 224, 320])
def test_one_network_takes_images_of_every_size(resolution: int) -> None:
    network = built(standard(0.5)).eval()
    with torch.inference_mode():
        logits = network(torch.randn(1, 3, resolution, resolution))
        tall = network(torch.randn(2, 3, resolution, 100))
    assert (logits.shape, tall.shape) == ((1, 1000), (2, 1000))
    assert bool(logits.isfinite().all() & tall.isfinite().all())


@pytest.mark.parametrize("se", [False, True])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("width", [0.5, 1.0])
def test_the_papers_variants_are_designs(width: float, se: bool, residual: bool) -> None:
    plain = standard(width)
    second, third, fourth = (replace(stage, se=se) for stage in plain.stages)
    network = ShuffleNetV2(replace(plain, stages=(second, third, fourth), residual=residual))
    theirs = zoo.load(f"zoo:shufflenet_v2,width={width},se={str(se).lower()},residual={str(residual).lower()}")
    assert rows(network.design.graph().nodes) == rows(theirs.nodes)
    assert sum(parameter.numel() for parameter in network.parameters()) == theirs.cost.params


def test_a_residual_and_a_squeeze_excite_are_computed_as_written() -> None:
    """Taken apart by hand: split, branch up to its last normalisation, gate, addition, activation, concat, shuffle."""
    design = Design(4, (Stage(10, 3, 2, 5, se=True), Stage(4, 2, 1), Stage(4, 2, 1)), 4, residual=True)
    network = trained(ShuffleNetV2(design))
    unit: Any = network.get_submodule("stage2.1")
    x = torch.randn(2, 10, 6, 7, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        passed, worked = x[:, :7], x[:, 7:]
        y = worked
        for index in range(7):
            y = unit.branch2[index](y)
        means = y.mean((2, 3))
        fc1, fc2 = unit.branch2.se.fc1, unit.branch2.se.fc2
        inner = torch.relu(means @ fc1.weight[:, :, 0, 0].T + fc1.bias)
        gate = torch.sigmoid(inner @ fc2.weight[:, :, 0, 0].T + fc2.bias)
        joined = torch.cat((passed, torch.relu(y * gate[:, :, None, None] + worked)), 1)
        expected = torch.empty_like(joined)
        expected[:, 0::2], expected[:, 1::2] = joined[:, :5], joined[:, 5:]
        torch.testing.assert_close(unit(x), expected)


def test_weights_are_drawn_as_the_authors_do() -> None:
    """Deviations of the authors' code, to 5 standard errors of a sample of that many weights."""
    stage = Stage(64, 24, 2, se=True)
    network = built(Design(32, (stage, Stage(64, 24, 2), Stage(64, 24, 2)), 64, classes=10))
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            assert torch.equal(module.weight, torch.ones_like(module.weight))
            assert torch.equal(module.bias, torch.full_like(module.bias, 0.0001))
        if isinstance(module, nn.Conv2d | nn.Linear):
            deviation = 1 / module.weight.shape[1] if module.bias is None and name != "conv1.0" else 0.01
            count = module.weight.numel()
            assert float(module.weight.detach().std()) == pytest.approx(deviation, rel=5 / (2 * count) ** 0.5), name
            assert module.bias is None or not module.bias.any()


def test_a_seed_draws_the_same_weights_and_leaves_torchs_own_state() -> None:
    design = random_design(1)
    before = torch.random.get_rng_state()
    first, again, other = built(design, 7), built(design, 7), built(design, 8)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.fc.weight, other.fc.weight)


@pytest.mark.parametrize("seed", range(4))
def test_every_weight_learns(seed: int) -> None:
    design = random_design(seed)
    network = built(design, seed).train()
    generator = torch.Generator().manual_seed(seed)
    logits = network(torch.randn(8, 3, 128, 128, generator=generator))
    (logits * torch.randn(logits.shape, generator=generator)).sum().backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None] == []


@pytest.mark.slow
def test_torch_compile_gives_the_same_outputs() -> None:
    network = trained(
        ShuffleNetV2(Design(8, (Stage(16, 6, 2, se=True), Stage(16, 8, 1), Stage(16, 8, 1)), 16, classes=5))
    )
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own compiler, which others own
        try:
            given = torch.compile(network, fullgraph=True)(x)
        except RuntimeError as error:
            if "compiler" not in str(error).lower():
                raise
            pytest.skip(f"torch.compile takes a C++ compiler, and finds none here: {str(error).splitlines()[0]}")
        torch.testing.assert_close(given, network(x), rtol=1e-3, atol=1e-5)


# -- ShuffleNet V1


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("width", [0.25, 1.0])
def test_shufflenet_v1_has_the_weights_of_the_zoos(groups: int, width: float) -> None:
    graph = zoo.build("shufflenet_v1", groups=groups, width=width, classes=10)
    network = ShuffleNetV1(groups, width, classes=10)
    learned = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items() if "num_batches" not in key}
    assert learned == {name: graph.tensors[name].shape for name in learned}
    assert sum(parameter.numel() for parameter in network.parameters()) == graph.cost.params


@pytest.mark.parametrize("groups", [1, 3])
def test_the_graph_of_shufflenet_v1_is_what_torch_exports_of_its_module(groups: int) -> None:
    graph = zoo.build("shufflenet_v1", groups=groups, width=0.25, classes=10, resolution=96)
    exported = written_by_torch(trained(ShuffleNetV1(groups, 0.25, classes=10)), 96)
    *expected, (_, mult_adds, params, memory_access) = rows(graph.nodes)
    # a dense layer without bias is written as a product
    assert rows(exported.nodes) == [*expected, ("MatMul", mult_adds, params, memory_access)]


def test_groups_that_shufflenet_v1_has_not_are_refused() -> None:
    with pytest.raises(UsageError, match="groups is 5; Table 1 of the V1 paper has"):
        ShuffleNetV1(groups=5)


# -- the package


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout


def test_importing_search_and_its_designs_imports_neither_torch_nor_optuna() -> None:
    code = (
        "import sys, search\n"
        "search.standard(1.0).graph(); search.default_space; search.load_design\n"
        "print([name for name in ('torch', 'optuna', 'onnx', 'scipy') if name in sys.modules])"
    )
    assert run(code) == "[]\n"


def test_a_missing_torch_names_the_pip_command() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import search\n"
        "from costmodel.errors import UsageError\n"
        "try: search.ShuffleNetV2\n"
        "except UsageError as error: print(error)"
    )
    assert "install it: pip install 'cnn-costmodel[torch]'" in run(code)


def test_all_is_what_can_be_imported() -> None:
    assert [*search.__all__] == sorted(search.__all__) == sorted(search._HOMES)
    for name in search.__all__:
        assert getattr(search, name).__name__ == name
    assert set(search.__all__) <= set(dir(search))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = search.nothing


def test_channels_pass_from_stage_to_stage() -> None:
    """Each stage makes the channels that the next one reads, whatever the splits."""
    for seed in range(20):
        design = random_design(seed)
        network = ShuffleNetV2(design).eval()
        x = torch.zeros(1, design.stem, 8, 8)
        with torch.inference_mode():
            for stage, module in zip(design.stages, (network.stage2, network.stage3, network.stage4), strict=True):
                x = module(x)
                assert x.shape[1] == stage.channels
