"""costmodel measure --backend torch: the zoo's operators give what ONNX Runtime gives on the same weights."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx_models import model, node, save, value

from calibration import dataset
from calibration.measure.backend import RefusedError
from costmodel import zoo
from costmodel.builder import GraphBuilder
from costmodel.cli import main
from costmodel.frontends import onnx
from costmodel.graph import Graph

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")

# Between them these have every operator of the zoo but HardSigmoid.
NETWORKS = (
    "blazeface,resolution=32", "condensenet,resolution=64", "efficientnetv2_b0,resolution=32",
    "mobilenet_v2,resolution=32,width=0.35", "mobilenet_yolo,resolution=32", "nanodet_m,resolution=32",
    "nasbench201,cells=1", "nasnet_a_mobile,resolution=64", "resnest50,resolution=32", "squeezenet1_1,resolution=48",
    "stack_elementwise,resolution=7,kind=hard_swish", "stack_pool,resolution=9,kind=avg,stride=2",
    "vit_b32,resolution=32", "yolo_fastest_1_1,resolution=32",
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def network(graph: Graph):  # its type is in torch, which may not be there
    """The graph as a torch module, and the session of ONNX Runtime on the same weights."""
    from onnx import numpy_helper

    from calibration.measure.torch_network import TorchNetwork

    model = onnx.write(graph, seed=1)
    weights = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in model.graph.initializer}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return TorchNetwork(graph, weights), session


def image(graph: Graph) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(graph.tensors[graph.inputs[0]].shape).astype(np.float32)


@pytest.mark.parametrize("reference", NETWORKS)
def test_outputs_are_those_of_onnx_runtime(reference: str) -> None:
    graph = zoo.load(reference)
    module, session = network(graph)
    x = image(graph)
    with torch.inference_mode():
        ours = module(torch.from_numpy(x))
    theirs = session.run(None, {graph.inputs[0]: x})
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert tuple(one.shape) == other.shape
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-3, atol=1e-4 * float(np.abs(other).max()))


def test_interpolation_pads_and_slices() -> None:
    """What the zoo has in large networks only, or with other settings: on an image that is not square."""
    g = GraphBuilder("odd")
    x = g.input("x", (2, 3, 5, 7))
    y = g.upsample(g.resize(x, (2, 3, 9, 12), "linear"), 2)
    z = g.slice(g.pad(g.max_pool(x, 2, padding=(0, 0, 1, 1)), (0, 0, 1, 2, 0, 1, 3, 4)), 1, 4)
    graph = g.build(y, z, g.prelu(g.local_response_norm(x, 3)), g.conv(x, 4, 3, padding=(0, 1, 2, 1)))
    module, session = network(graph)
    pixels = image(graph)
    ours, theirs = module(torch.from_numpy(pixels)), session.run(None, {"x": pixels})
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-3, atol=1e-5)


def test_every_operator_of_the_zoo_is_covered_and_compared() -> None:
    from calibration.measure.torch_network import _OPERATORS

    zoos = {node.op_type for one in zoo.networks() for node in zoo.build(one.name).nodes}
    compared = {node.op_type for reference in NETWORKS for node in zoo.load(reference).nodes}
    assert zoos <= set(_OPERATORS)
    assert zoos - compared == {"HardSigmoid"}


def test_a_layout_and_an_element_type_change_the_outputs_by_rounding_only() -> None:
    graph = zoo.load("shufflenet_v2,resolution=32,width=0.5")
    x = torch.from_numpy(image(graph))
    outputs = []
    for dtype, layout in ((torch.float32, torch.contiguous_format), (torch.float64, torch.channels_last)):
        module = network(graph)[0].place("cpu", dtype, layout)
        with torch.inference_mode():
            (output,) = module(x.to(dtype=dtype, memory_format=layout))
        assert output.dtype == dtype
        outputs.append(output.double().numpy())
    np.testing.assert_allclose(*outputs, rtol=1e-3, atol=1e-5)


def test_an_operator_that_is_not_covered_is_named() -> None:
    g = GraphBuilder("odd")
    graph = g.build(g.node("Erf", (g.input("x", (1, 3)),), {}, name="middle")[0])
    with pytest.raises(RefusedError, match=r"operator Erf \(middle\) is not covered"):
        network(graph)


@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        ("MaxPool", {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"}),
        ("MaxPool", {"kernel_shape": [3, 3], "dilations": [2, 2]}),
        ("Transpose", {}),  # the default order, written nowhere
    ],
)
def test_a_model_file_is_never_measured_as_another_network(
    op_type: str, attributes: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its last operator hides the sizes of what it reads."""
    nodes = [node(op_type, ["x"], ["m"], **attributes), node("GlobalAveragePool", ["m"], ["y"])]
    save(model(nodes, [value("x", [1, 3, 9, 12])], outputs=[value("y", None)]), Path(), "odd.onnx")
    status, _, err = told(capsys, "--budget", "2s", "-o", "t.csv", "odd.onnx")
    assert status == 2
    assert "odd.onnx: torch does not run it" in err
    assert not Path("t.csv").exists()


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), TypeError("no such type")])
def test_what_torch_raises_while_a_network_is_placed_is_a_refusal(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    from calibration.measure.torch import Torch
    from calibration.measure.torch_network import TorchNetwork

    def fails(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(TorchNetwork, "place", fails)
    with pytest.raises(RefusedError, match=str(error)):
        Torch("cpu", 1).prepare("zoo:stack_pool,resolution=7", "", 1)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["measure", "--backend", "torch", "-o", "t.csv", "--budget", "5s", *words])
    return status, *capsys.readouterr()


def test_a_short_real_run(capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    try:
        status, out, err = told(capsys, "--channels-last", "zoo:stack_conv,resolution=7,c=8,cout=8")
    finally:
        torch.set_num_threads(threads)
    assert (status, err) == (0, "")
    assert out.startswith("t.csv: 1 of 1 networks measured")
    (sample,) = dataset.read("t.csv").samples
    assert sample.source == f"costmodel measure with torch {torch.__version__}, channels last"
    assert (sample.threads, sample.precision) == (1, "fp32")
    assert 0 < sample.latency < 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cuda-graph",), "--cuda-graph: only --device cuda can do that"),
        (("--backend", "onnxruntime", "--channels-last"), "--channels-last: only --backend torch can do that"),
        (("--backend", "onnxruntime", "--device", "cuda"), "--device cuda: only --backend torch can do that"),
        (("--backend", "onnxruntime", "--precision", "fp16"), "--precision fp16: only --backend torch can do that"),
    ],
)
def test_options_that_the_backend_has_not(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    status, out, err = told(capsys, *words, "zoo:stack_pool")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert message in err
    assert not list(Path().iterdir())


def test_a_missing_gpu_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    status, _, err = told(capsys, "--device", "cuda", "zoo:stack_pool")
    assert status == 2
    assert "--device cuda: torch" in err
    assert "leave it out for the CPU" in err


def test_a_missing_torch_names_the_pip_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    status, out, err = told(capsys, "zoo:stack_pool")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "pip install 'cnn-costmodel[torch]'" in err


def test_measurements_of_another_gpu_never_get_this_ones_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """benchmarks/measure_gpu.py in a folder of another GPU's files, which `costmodel measure` refuses to go on with."""
    script = Path(__file__).parents[1] / "benchmarks" / "measure_gpu.py"
    spec = importlib.util.spec_from_file_location("measure_gpu", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "measure_gpu", module)
    spec.loader.exec_module(module)
    refused: list[str] = []

    def run(words: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        target = Path(words[words.index("-o") + 1])
        if target.name in refused:
            return subprocess.CompletedProcess(words, 2)
        batch = words[words.index("--batch") + 1]
        target.write_text(f"network,latency_ms,batch\nzoo:resnet18,3,{batch}\n")
        with open(target.with_suffix(".passes.jsonl"), "a") as file:
            file.write("{}\n")
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(subprocess, "run", run)
    assert module.main(["out", "--smoke", "--device-id", "t4"]) == 0
    merged = Path("out/gpu.csv")
    assert [(sample.platform, sample.batch) for sample in dataset.read(merged).samples] == [
        ("t4-torch-fp32", 1),
        ("t4-torch-fp32", 8),
    ]
    before = merged.read_text()
    refused += ["fp32-batch1.csv", "fp32-batch8.csv"]
    assert module.main(["out", "--smoke", "--device-id", "a100"]) == 2
    assert merged.read_text() == before
    refused.remove("fp32-batch8.csv")
    assert module.main(["out", "--smoke", "--device-id", "a100"]) == 2
    (sample,) = dataset.read(merged).samples
    assert (sample.platform, sample.batch) == ("a100-torch-fp32", 8)
