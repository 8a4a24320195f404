"""PyTorch modules: counted as the zoo counts the same networks, left as they were, refused in one line."""

from __future__ import annotations

import copy
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from platform_examples import PLAIN
from torch import Tensor, nn

import costmodel
from costmodel.cost import Cost
from costmodel.errors import ModelError, UsageError

IMAGE = (1, 3, 8, 6)


class Block(nn.Module):
    """A convolution without a bias and its normalisation, dropout, a mean and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, (3, 1), stride=2, padding=(1, 0), bias=False)
        self.norm = nn.BatchNorm2d(5)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(5, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.norm(self.conv(x)).relu()).mean((2, 3))
        y: Tensor = self.fc(x)
        return y


class Two(nn.Module):
    """Two inputs, each with a layer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(6, 4)
        self.right = nn.Linear(10, 4, bias=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.cat((self.left(a), self.right(b)), 1)


def mult_adds(analysis: costmodel.Analysis) -> dict[str, int]:
    """By module, of those that have any."""
    return {row.name: row.cost.mult_adds for row in analysis.by_module() if row.cost.mult_adds}


# -- counts


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "network", "same"),
    [
        ("mobilenet_v2", "zoo:mobilenet_v2", {"ReduceMean": "GlobalAveragePool", "Reshape": "Flatten"}),
        ("shufflenet_v2_x1_0", "zoo:shufflenet_v2", {"ReduceMean": "GlobalAveragePool"}),
        ("resnet18", "zoo:resnet18", {"ReduceMean": "GlobalAveragePool", "Reshape": "Flatten"}),
    ],
)
def test_networks_of_torchvision_cost_what_the_zoo_says(
    models: Any, name: str, network: str, same: dict[str, str]
) -> None:
    """Every count of every operator: mult-adds, parameters, elements read and written, bytes."""
    module = models.get_model(name, weights=None)
    ours, zoo = costmodel.analyze(module, (1, 3, 224, 224)), costmodel.analyze(network)
    assert ours.totals == zoo.totals
    assert ours.totals.params == sum(parameter.numel() for parameter in module.parameters())
    assert ours.model == type(module).__name__
    assert ours.coverage.unknown == ours.coverage.approximated == 0
    assert [cost for _, cost in run_of(ours, same)] == [cost for _, cost in run_of(zoo)]
    assert [op for op, _ in run_of(ours, same)] == [op for op, _ in run_of(zoo)]


def run_of(analysis: costmodel.Analysis, same: dict[str, str] | None = None) -> list[tuple[str, Cost]]:
    """Operators that read or write anything, with their costs."""
    same = same or {}
    return [(same.get(node.op_type, node.op_type), node.cost) for node in analysis.operators if node.cost.memory_access]


def test_a_module_costs_what_arithmetic_says() -> None:
    analysis = costmodel.analyze(Block(), (2, 3, 9, 7))
    height, width = 5, 4  # (9 + 2 - 3) // 2 + 1 and (7 - 1) // 2 + 1
    assert mult_adds(analysis) == {"conv": 2 * height * width * 5 * 3 * 3, "fc": 2 * 5 * 7}
    assert analysis.totals.params == 5 * 3 * 3 + 2 * 5 + 5 * 7 + 7
    assert [node.op_type for node in analysis.operators] == ["Conv", "BatchNormalization", "Relu", "ReduceMean", "Gemm"]
    assert analysis.graph.tensors[analysis.graph.inputs[0]].shape == (2, 3, 9, 7)


def test_batch_normalisations_are_priced_as_the_runtime_runs_them() -> None:
    """ncnn folds them; the doubt about an export that may have folded them already is not raised."""
    analysis = costmodel.analyze(Block(), IMAGE, platform=PLAIN)
    [prediction] = analysis.predictions
    assert [node.op_type for node in prediction.kernels[0].kernel.operators] == ["Conv", "BatchNormalization", "Relu"]
    assert not any("folded" in note for note in analysis.to_dict()["platforms"][0]["notes"])


def test_tied_weights_are_counted_once() -> None:
    module = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
    module[1].weight = module[0].weight
    assert costmodel.analyze(module, (1, 6)).totals.params == 6 * 6 + 2 * 6


def test_a_bias_of_zeros_is_a_parameter_all_the_same() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Linear(6, 5))
    for layer in module:
        nn.init.zeros_(layer.bias)
    assert costmodel.analyze(module, IMAGE).totals.params == 4 * 3 + 4 + 6 * 5 + 5


# -- inputs


TWO = {"left": 2 * 6 * 4, "right": 2 * 10 * 4}


@pytest.mark.parametrize(
    "inputs",
    [
        ((2, 6), (2, 10)),
        [[2, 6], [2, 10]],
        (torch.zeros(2, 6), torch.zeros(2, 10)),
        ((2, 6), torch.zeros(2, 10)),
        {"b": (2, 10), "a": torch.zeros(2, 6)},
    ],
    ids=["shapes", "lists", "tensors", "mixed", "names"],
)
def test_two_inputs(inputs: Any) -> None:
    analysis = costmodel.analyze(Two(), inputs)
    assert mult_adds(analysis) == TWO
    assert sorted(analysis.graph.inputs) == ["a", "b"]


@pytest.mark.parametrize("inputs", [IMAGE, list(IMAGE), torch.Size(IMAGE), torch.zeros(IMAGE), (torch.zeros(IMAGE),)])
def test_one_input(inputs: Any) -> None:
    assert costmodel.analyze(Block(), inputs).totals.params == 97


def test_an_argument_may_hold_several_tensors() -> None:
    class Pairs(nn.Module):
        def forward(self, pair: tuple[Tensor, Tensor], more: dict[str, Tensor]) -> Tensor:
            return pair[0] @ pair[1] @ more["third"]

    given = (((2, 3), (3, 5)), {"third": (5, 7)})
    assert costmodel.analyze(Pairs(), given).totals.mult_adds == 2 * 3 * 5 + 2 * 5 * 7


def test_a_shape_stands_for_a_tensor_of_the_modules_type_and_device() -> None:
    half = costmodel.analyze(Block().half(), IMAGE)
    assert {half.graph.tensors[name].dtype for name in half.graph.inputs} == {"float16"}
    with torch.device("meta"):
        weightless = costmodel.analyze(Block(), IMAGE)
    assert weightless.totals.bytes == 2 * half.totals.bytes
    assert weightless.totals.params == half.totals.params == 97


def test_integers_are_given_as_a_tensor() -> None:
    analysis = costmodel.analyze(nn.Embedding(100, 8), torch.zeros(2, 5, dtype=torch.int64))
    assert analysis.totals.params == 800
    assert analysis.totals.output_elements == 2 * 5 * 8


# -- the module stays as it is


def states(module: nn.Module) -> list[bool]:
    return [part.training for part in module.modules()]


@pytest.mark.parametrize("how", ["training", "evaluation", "mixed"])
def test_the_module_is_not_changed(how: str) -> None:
    module = Block()
    module.train(how != "evaluation")
    if how == "mixed":
        module.norm.eval()
    before, training, seed = copy.deepcopy(module.state_dict()), states(module), torch.random.get_rng_state()
    places = {name: tensor.data_ptr() for name, tensor in module.state_dict().items()}
    analysis = costmodel.analyze(module, IMAGE)
    assert states(module) == training
    assert {name: tensor.data_ptr() for name, tensor in module.state_dict().items()} == places
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), seed)
    assert all(parameter.requires_grad and parameter.grad is None for parameter in module.parameters())
    told = [note for note in analysis.notes if "training" in note]
    assert len(told) == (how != "evaluation")


def test_a_module_that_fails_stays_in_training() -> None:
    class Fails(Block):
        def forward(self, x: Tensor) -> Tensor:
            raise KeyError("nothing")

    module = Fails()
    with pytest.raises(ModelError):
        costmodel.analyze(module, IMAGE)
    assert all(states(module))


def test_nothing_is_printed_or_warned_of(capfd: pytest.CaptureFixture[str]) -> None:
    class Loud(Block):
        def forward(self, x: Tensor) -> Tensor:
            print("here")  # noqa: T201
            warnings.warn("there", UserWarning, stacklevel=1)
            return super().forward(x)

    costmodel.analyze(Loud(), IMAGE)
    for module, inputs in ((Two(), (1, 6)), (Data(), (2, 3)), (Block(), (1, 3))):
        with pytest.raises(ModelError):
            costmodel.analyze(module, inputs)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_nothing_is_logged_in_a_fresh_process_that_logs_everything() -> None:
    """torch sets its loggers up when parts of it are first imported, and others log to the root's handlers."""
    code = (
        "import logging, torch, costmodel\n"
        "logging.basicConfig(level=logging.INFO)\n"
        "before = [len(handler.filters) for handler in logging.root.handlers]\n"
        "try:\n"
        "    costmodel.analyze(torch.nn.Linear(3, 4), (1, 5))\n"
        "except costmodel.ModelError:\n"
        "    pass\n"
        "costmodel.analyze(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU()), (1, 3))\n"
        "assert [len(handler.filters) for handler in logging.root.handlers] == before\n"
        "logging.info('own')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert (done.stdout, done.stderr) == ("", "INFO:root:own\n")


# -- names


def test_ugly_names_are_kept_and_harmless() -> None:
    names = ("a <script>alert(1)</script>", "ap'os", "ü b", "back\\slash", "$x^2$")
    module = nn.Sequential()
    for name in names:
        module.add_module(name, nn.Linear(6, 6))
    module.__class__ = type("Net <script>", (nn.Sequential,), {})
    analysis = costmodel.analyze(module, (1, 6), platform=PLAIN)
    assert analysis.model == "Net <script>"
    assert [row.cost.mult_adds for row in analysis.by_module()] == [36] * len(names)
    assert [row.name for row in analysis.by_module()] == list(names)
    page = analysis._repr_html_()
    assert "Net &lt;script&gt;" in page
    assert "<script" not in page


def test_names_that_torch_cannot_export_are_refused_with_a_remedy() -> None:
    module = nn.Sequential()
    module.add_module('quo"te\n', nn.Linear(6, 6))
    with pytest.raises(ModelError, match="name its modules with letters, digits and _ only"):
        costmodel.analyze(module, (1, 6))


# -- refusals


class Data(nn.Module):
    """A branch on a tensor's values."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Svd(nn.Module):
    """An operator that ONNX does not have."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = torch.linalg.svd(x)[1]
        return y


class Raises(nn.Module):
    """An error of its own."""

    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("square <images>\x1b[1m\nonly")


@pytest.mark.parametrize(
    ("module", "inputs", "says"),
    [
        (
            Two(),
            (1, 6),
            ["Two: torch cannot export the module: TypeError", "'b'", "accept what was given: float32 1x6"],
        ),
        (Data(), (2, 3), ["Data: ", "data-dependent", "test_torch_frontend.py:", "depend on values of tensors"]),
        (Svd(), (4, 4), ["Svd: ", "svd", "without that operator"]),
        (Raises(), (4, 4), ["ValueError: square <images>", "test_torch_frontend.py:"]),
        (Block(), (1, 3), ["Block: ", "accept what was given: float32 1x3"]),
        (nn.Identity(), (1, 3), ["Identity: forward() computes nothing"]),
    ],
    ids=["missing", "branch", "operator", "own", "shape", "empty"],
)
def test_what_cannot_be_exported_is_refused_with_the_reason(module: nn.Module, inputs: Any, says: list[str]) -> None:
    with pytest.raises(ModelError) as caught:
        costmodel.analyze(module, inputs)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert "\x1b" not in message
    assert len(message) < 500
    for part in says:
        assert part in message


@pytest.mark.parametrize(
    ("inputs", "options", "says"),
    [
        (None, {}, r"Block: a module needs example inputs; give a shape, as in analyze\(module, \(1, 3, 224, 224\)\)"),
        ((1, 3, 0, 6), {}, "a size of 0 in"),
        (((1, 3, -1, 6),), {}, "input 0: a size of -1"),
        (IMAGE, {"batch": 2}, "Block: a module's inputs say all sizes; leave out batch"),
        (IMAGE, {"dims": {"N": 2}, "symbolic": True}, "leave out dims, symbolic"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        costmodel.analyze(Block(), inputs, **options)


def test_inputs_are_for_modules_only() -> None:
    with pytest.raises(UsageError, match=r"zoo:resnet18: inputs are for a torch\.nn\.Module only"):
        costmodel.analyze("zoo:resnet18", (1, 3, 224, 224))


def test_what_is_missing_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UsageError, match=r"pip install 'cnn-costmodel\[torch\]'"):
        costmodel.analyze(Block(), IMAGE)


@pytest.fixture(autouse=True)
def _strict() -> Iterator[None]:
    """Warnings that get out of analyze() are errors, also those that the project's settings let pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_a_state_dict_is_no_module_and_the_message_is_short() -> None:
    with pytest.raises(UsageError, match="pass the module itself") as refusal:
        costmodel.analyze(torch.nn.Linear(3, 4).state_dict(), (1, 3))  # type: ignore[arg-type]
    assert len(str(refusal.value)) < 200
