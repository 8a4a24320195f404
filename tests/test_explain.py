"""costmodel explain: equations derived from code, terms that add up, changes that are what they say."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sympy
from doc_blocks import ROOT, blocks
from onnx_models import model, node, save, value, weight
from platform_examples import platform

import costmodel
from costmodel.builder import GraphBuilder
from costmodel.cli import main
from costmodel.explaining import NodeExplanation, NodeTime, explain_node, explain_rule, find_node
from costmodel.explaining.equations import B, c, c1, c2, derivation, g, h, n, w
from costmodel.explaining.node import ARITHMETIC, LAUNCH, MEMORY, group_of, terms_of
from costmodel.graph import Graph
from costmodel.guidelines import RULES, Clock
from costmodel.platforms import Machine
from costmodel.predictor import TERMS
from costmodel.report import explain_node as report
from costmodel.report import explain_rule as explain_rule_report

PLATFORMS = ("gtx1080ti-cudnn7-fp32", "snapdragon810-neon-fp32-1t", "raspberrypi4-ncnn-fp32-1t")
MOBILENET = "zoo:mobilenet_v2"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def failed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def explained(model: Any, name: str, *platforms: Any) -> NodeExplanation:
    return explain_node(costmodel.analyze(model, platform=platforms or PLATFORMS), name)


def changes(time: NodeTime) -> dict[str, Any]:
    return {one.change: one for one in time.sensitivities}


def latency(model: Any, *platforms: Any) -> list[float]:
    return [one.latency.seconds for one in costmodel.analyze(model, platform=platforms or PLATFORMS).predictions]


# -- equations


def test_equation_1_of_the_paper_is_derived() -> None:
    """MAC >= 2 sqrt(hw B) + B / (hw), with equality where c1 = c2."""
    *_, best, other, bound = derivation("G1")
    assert sympy.simplify(bound.expression - (2 * sympy.sqrt(h * w * B) + B / (h * w))) == 0
    assert (best.name, other.name) == ("c1", "c2")
    assert sympy.simplify(best.expression - other.expression) == 0
    assert best.expression.subs({B: 9 * 16 * 25, h: 9, w: 16}) == 5


def test_equation_2_of_the_paper_is_derived() -> None:
    """MAC = hw c1 + B g / c1 + B / (hw), which grows with g."""
    steps = {step.words.partition(":")[0]: step for step in derivation("G2")}
    assert sympy.expand(steps["Eq. 2"].expression - (h * w * c1 + B * g / c1 + B / (h * w))) == 0
    assert sympy.diff(steps["Eq. 2"].expression, g) == steps["which grows with every group"].expression
    assert derivation("G2")[-1].expression == 1


def test_fragments_keep_mult_adds_and_multiply_activations_and_launches() -> None:
    by_name = [(step.name, step.expression) for step in derivation("G3")]
    assert by_name[0] == by_name[1] == ("B", h * w * c**2)
    assert by_name[3:] == [("A(n)/A(1)", sympy.sqrt(n)), ("W(n)/W(1)", 1), ("L(n)", n), ("L(n)", 2 * n - 1)]


def test_elementwise_operators_access_more_by_operation() -> None:
    relu, add, depthwise, pointwise = (step.expression for step in derivation("G4"))
    assert (relu, add) == (2, 3)
    assert sympy.simplify(depthwise - (2 * h * w * c + 9 * c) / (9 * h * w * c)) == 0
    assert sympy.simplify(pointwise - (2 * h * w * c + c**2) / (h * w * c**2)) == 0


def test_the_equations_follow_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a convolution that counts its input twice the derivation of Eq. 1 ends elsewhere."""
    from costmodel.explaining import equations

    counted = equations.apply

    def twice(*arguments: Any) -> Any:
        applied = counted(*arguments)
        cost = replace(applied.cost, input_elements=2 * applied.cost.input_elements)
        return replace(applied, cost=cost)

    monkeypatch.setattr(equations, "apply", twice)
    bound = derivation("G1")[-1].expression
    assert sympy.simplify(bound - (2 * sympy.sqrt(2 * h * w * B) + B / (h * w))) == 0
    assert sympy.simplify(derivation("G1")[2].expression - B / (h * w * c1)) == 0
    assert c2 not in bound.free_symbols


# -- guidelines


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_the_example_of_a_guideline_breaks_it_and_what_to_use_instead_is_faster(rule: Any) -> None:
    result = explain_rule(rule)
    assert result.review is not None
    assert {finding.guideline for finding in result.review.findings} == {rule.id}
    gains = [result.gain(index) for index in range(len(result.example.platforms))]
    assert max(gains) > 1
    for index, gain in enumerate(gains):
        before, after = (one.predictions[index].latency.seconds for one in (result.example, result.instead))
        assert gain == pytest.approx(before / after)


def test_a_guideline_is_explained_on_the_platforms_that_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(run(capsys, "equal-width", "-p", "raspberrypi4-ncnn-fp32-1t", "--format", "json"))
    assert document["schema"] == "costmodel.explanation/1"
    assert [entry["id"] for entry in document["example"]["platforms"]] == ["raspberrypi4-ncnn-fp32-1t"]
    assert document["equations"][-1]["name"] == "MAC"


@pytest.mark.parametrize("words", [(), ("G1",), ("g2",), ("fragmentation",), ("G4", "-p", "none")])
def test_text_about_guidelines_fits_80_columns(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    out = run(capsys, *words)
    assert max(map(len, out.splitlines())) <= 80 or not words
    assert all(rule.id in out for rule in RULES.values()) or words


# -- terms


def test_a_saving_whose_interval_reaches_below_zero_is_printed() -> None:
    explained = explain_rule(RULES["G4"])
    assert explained.review is not None
    doubtful = tuple(replace(total, low=-total.seconds) for total in explained.review.totals)
    text = explain_rule_report.render(replace(explained, review=replace(explained.review, totals=doubtful)))
    assert len(re.findall(r" -[0-9.]+ to\s+[0-9.]+\s+ms", text)) == len(doubtful)


@pytest.mark.parametrize("network", [MOBILENET, "zoo:shufflenet_v2", "zoo:squeezenet1_1"])
def test_terms_add_up_to_the_time_of_every_kernel(network: str) -> None:
    analysis = costmodel.analyze(network, platform=PLATFORMS)
    for target, prediction in zip(analysis.platforms, analysis.predictions, strict=True):
        clock = Clock(target, prediction)
        for item in prediction.kernels:
            terms = terms_of(clock, item)
            assert sum(term.seconds for term in terms) == pytest.approx(item.estimate.seconds, rel=1e-9)
            for term in terms:
                assert term.price == target.coefficients[term.term]
                assert term.seconds == pytest.approx(term.amount * term.price * term.stretch)
            assert list(terms) == sorted(terms, key=lambda term: -term.seconds)


def test_every_operator_of_a_network_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    analysis = costmodel.analyze("zoo:blazeface", platform=PLATFORMS[:1])
    for one in analysis.operators[:40]:
        result = explain_node(analysis, one.name)
        assert result.node is one
        (time,) = result.times
        assert time.is_free != bool(one.cost.memory_access)
        assert time.terms or time.is_free


def test_every_term_of_a_kernel_is_arithmetic_memory_or_launch() -> None:
    groups = {term: group_of(term) for term in TERMS if term != "run" and not term.startswith("transfer")}
    assert {term for term, group in groups.items() if group == LAUNCH} == {
        term for term in TERMS if term.startswith("launch.") or term == "epilogue.operators"
    }
    assert all(groups[term] == ARITHMETIC for term in groups if "mult_adds" in term and "depthwise" not in term)
    assert {group for term, group in groups.items() if term.startswith("depthwise.")} == {MEMORY}  # as in G4
    assert groups["contraction.weights"] == groups["movement.elements"] == groups["elementwise.elements"] == MEMORY


def test_what_bounds_a_kernel_is_the_group_with_the_most_time() -> None:
    """By hand: 8 x 11 x 4 x 6 mult-adds at 1 ns, one launch at 1 us, and 88 x 4 inputs at 2 ns."""
    prices = {"pointwise.mult_adds": 1e-9, "launch.contraction": 1e-6, "contraction.input": 2e-9}
    (time,) = explained(_conv(4, 6, 8), "conv", platform(coefficients=prices)).times
    assert [(term.term, term.amount) for term in time.terms] == [
        ("pointwise.mult_adds", 2112),
        ("launch.contraction", 1),
        ("contraction.input", 352),
    ]
    assert time.bound == (ARITHMETIC, pytest.approx(2.112 / 3.816))


# -- changes


def _conv(
    cin: int, cout: int, size: int, kernel: int = 1, groups: int = 1, act: bool = False, name: str = "one"
) -> Graph:
    builder = GraphBuilder(name)
    y = builder.conv(builder.input("x", (1, cin, size, size + 3)), cout, kernel, groups=groups)
    return builder.build(builder.relu(y) if act else y)


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        (_conv(24, 58, 14), "half the output channels, 29", _conv(24, 29, 14)),
        (_conv(24, 58, 14), "half the input channels, 12", _conv(12, 58, 14)),
        (_conv(24, 58, 14), "half the resolution, 7x9", None),
        (_conv(24, 40, 14, 3), "a 1x1 window", _conv(24, 40, 14)),
        (_conv(24, 40, 14, 5), "a 3x3 window", _conv(24, 40, 14, 3)),
        (_conv(32, 32, 14, groups=4), "one group, 4 times the mult-adds", _conv(32, 32, 14)),
        (_conv(36, 36, 14, groups=36, kernel=3), "half the channels, 18", _conv(18, 18, 14, groups=18, kernel=3)),
        (_conv(24, 58, 14, act=True), "without the Relu after it", _conv(24, 58, 14)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_is_what_the_changed_network_is_predicted_to_take(before: Graph, change: str, after: Any) -> None:
    if after is None:
        builder = GraphBuilder("small")
        after = builder.build(builder.conv(builder.input("x", (1, 24, 7, 9)), 58))
    for time, old, new in zip(explained(before, "conv").times, latency(before), latency(after), strict=True):
        assert changes(time)[change].saving.seconds == pytest.approx(old - new, rel=1e-6, abs=1e-12)


def test_a_change_in_a_network_of_the_zoo_is_that_network_with_its_option_changed() -> None:
    with_shortcut, without = "zoo:paper_g4,blocks=1,relu=false", "zoo:paper_g4,blocks=1,relu=false,shortcut=false"
    for time, old, new in zip(
        explained(with_shortcut, "0.add").times, latency(with_shortcut), latency(without), strict=True
    ):
        assert changes(time)["left out"].saving.seconds == pytest.approx(old - new, rel=1e-6, abs=1e-12)


def test_a_shortcut_is_as_large_as_what_it_is_added_to() -> None:
    """A TensorRT-like kernel that adds 32 x 8 x 11 elements on its way out adds half of them at half the channels."""
    builder = GraphBuilder("added")
    x = builder.input("x", (1, 32, 8, 11))
    graph = builder.build(builder.add(builder.conv(x, 32), x))
    target = platform("bench-tensorrt-fp32", runtime="tensorrt", coefficients={"epilogue.input": 1e-9})
    (time,) = explained(graph, "conv", target).times
    one = changes(time)["half the output channels, 16"]
    assert (one.before, one.after) == (pytest.approx(32 * 88e-9), pytest.approx(16 * 88e-9))


def test_a_gate_is_not_left_out_alone() -> None:
    """Without the product nobody reads the squeeze-excite: what is saved would be more than the product."""
    (time,) = explained("zoo:mobilenet_v3_small", "features.1.block.1.scale", PLATFORMS[1]).times
    assert "left out" not in changes(time)


def test_relu_in_the_place_of_hard_swish_is_fused_where_the_runtime_fuses_it() -> None:
    def net(act: str) -> Graph:
        builder = GraphBuilder(act)
        y = builder.conv(builder.input("x", (1, 16, 9, 11)), 32)
        return builder.build(getattr(builder, act)(y, "act"))

    for time, old, new in zip(
        explained(net("hard_swish"), "act").times, latency(net("hard_swish")), latency(net("relu")), strict=True
    ):
        one = changes(time)["ReLU instead"]
        assert one.saving.seconds == pytest.approx(old - new, rel=1e-6, abs=1e-12)


def test_whole_vectors_are_offered_where_channels_do_not_fill_them() -> None:
    graph = _conv(24, 58, 14)
    target = platform(machine=Machine(vector=8), coefficients={"pointwise.mult_adds": 1e-9, "contraction.scalar": 1e-9})
    (time,) = explained(graph, "conv", target).times
    one = changes(time)["24 channels in and 64 out, which fill vectors of 8"]
    assert one.before == pytest.approx(2 * 24 * 58 * 14 * 17 * 1e-9)
    assert one.after == pytest.approx(24 * 64 * 14 * 17 * 1e-9)
    (time,) = explained(_conv(24, 64, 14), "conv", target).times
    assert not [change for change in changes(time) if "vectors" in change]


def test_kernels_of_equal_counts_and_other_operators_keep_their_own_prices() -> None:
    """A copy of channels and a transpose of the same tensor differ in price alone."""
    builder = GraphBuilder("copies")
    x = builder.input("x", (1, 16, 8, 8))
    y = builder.transpose(builder.relu(x, "relu1"), (0, 1, 3, 2), "turned")
    z = builder.concat([builder.relu(y, "relu2")], name="joined")
    target = platform(coefficients={"movement.elements": 1e-9, "rearrangement.elements": 1e-6})
    (time,) = explained(builder.build(z), "turned", target).times
    assert changes(time)["left out"].saving.seconds == pytest.approx(16 * 64 * 1e-6)


def test_copies_between_layouts_are_told_beside_the_kernel() -> None:
    """ONNX Runtime's 1x1 convolution of 32 channels reads blocks of 16: its plain input is copied into them."""
    target = platform(
        "bench-onnxruntime-fp32-1t",
        runtime="onnxruntime",
        coefficients={"pointwise.mult_adds": 1e-9, "rearrangement.elements": 1e-9},
    )
    result = explained(_conv(32, 32, 14), "conv", target)
    assert sum(term.seconds for term in result.times[0].terms) == pytest.approx(32 * 32 * 14 * 17 * 1e-9)
    assert "Copies into its layout and back take 0.0152 ms more" in report.render(result)
    (entry,) = json.loads(report.render_json(result))["platforms"]
    assert entry["kernel"]["copies_ms"] == pytest.approx(2 * 32 * 14 * 17 * 1e-6)


# -- formulas


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("features.3.conv.1.0", "9*C*H*N*W"),
        ("features.1.conv.1", "C*H*M*N*W"),
        ("classifier.1", "K*M*N"),
    ],
)
def test_the_formula_of_mult_adds_is_the_operators_own(name: str, expected: str) -> None:
    result = explained(MOBILENET, name, PLATFORMS[0])
    assert result.formula is not None
    assert str(result.formula.expressions["mult_adds"]) == expected
    numbers = {sympy.Symbol(key, integer=True, positive=True): one for key, one in result.formula.values.items()}
    assert result.formula.expressions["mult_adds"].subs(numbers) == result.node.cost.mult_adds
    assert result.formula.expressions["memory_access"].subs(numbers) == result.node.cost.memory_access


def test_groups_have_a_letter() -> None:
    result = explained("zoo:shufflenet_v1", "stage2.1.conv1", PLATFORMS[0])
    assert result.formula is not None
    assert result.formula.values == {"N": 1, "H": 28, "W": 28, "g": 3, "C": 80, "M": 60}


# -- names


def test_an_operator_is_found_by_name_tensor_module_end_and_beginning() -> None:
    builder = GraphBuilder("names")
    x = builder.input("x", (1, 4, 8, 8))
    with builder.scope("stem"):
        x = builder.conv(x, 4, name="conv")
    with builder.scope("body"):
        x = builder.relu(builder.conv(x, 4, name="conv"), "act")
    (y,) = builder.node("Relu", (x,), name="last", outputs=["result"])
    analysis = costmodel.analyze(builder.build(y))
    for wanted, name in (
        ("body.act", "body.act"),
        ("result", "last"),
        ("stem", "stem.conv"),
        ("act", "body.act"),
        ("la", "last"),
        ("ct", "body.act"),
    ):
        assert find_node(analysis, wanted).name == name, wanted
    with pytest.raises(costmodel.UsageError, match=r"'conv' means 2 operators: stem\.conv, body\.conv"):
        find_node(analysis, "conv")
    with pytest.raises(costmodel.UsageError, match=r"did you mean body\.act"):
        find_node(analysis, "body.atc")


def test_a_name_that_is_not_there_ends_with_status_2_and_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean features.18.0" in failed(capsys, MOBILENET, "feature.18.0", "-p", "none")
    for hostile in ("", 'it\'s "x"', "\x1b[31mred\n", "x" * 100_000, "[bold]", "%s{}"):
        err = failed(capsys, MOBILENET, hostile, "-p", "none")
        assert "\x1b" not in err
        assert len(err) < 2500


def test_a_model_without_a_node_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert f"costmodel explain {MOBILENET} NODE" in failed(capsys, MOBILENET)
    assert "G1 (equal-width)" in failed(capsys, "G9")
    assert "--batch belongs to a model" in failed(capsys, "G1", "--batch", "2")
    assert "--unknown belongs to a model" in failed(capsys, "G1", "--unknown", "error")
    assert "--batch belongs to a model" in failed(capsys, "--batch", "2")
    assert "--platform belongs to a guideline or a model" in failed(capsys, "-p", "pixel4-tflite-fp32-1t")


# -- files and odd operators


def test_names_out_of_a_file_steer_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = 'it\'s "a"\x1b[31m[bold]\n'
    path = save(
        model(
            [node("Conv", ["x", "w"], ["y\x07"], name=name, kernel_shape=[1, 1])],
            constants=[weight("w", 5, 3, 1, 1)],
            outputs=[value("y\x07", (1, 5, 8, 8))],
        ),
        tmp_path,
    )
    out = run(capsys, str(path), name)
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[bold]" in out
    assert json.loads(run(capsys, str(path), name, "--format", "json"))["name"] == name


def test_operators_that_run_nothing_and_unknown_ones_are_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, MOBILENET, "flatten").count("nothing runs for it") == 2
    path = save(
        model(
            [
                node("Relu", ["x"], ["a"], name="relu"),
                node("Mystery", ["a"], ["b"], name="odd", domain="acme"),
                node("Relu", ["b"], ["y"], name="shapeless"),
            ],
            outputs=[value("y", None)],
        ),
        tmp_path,
    )
    out = run(capsys, str(path), "odd")
    assert "the operator is not known" in out
    assert "of unknown shape" in run(capsys, str(path), "shapeless")
    document = json.loads(run(capsys, str(path), "odd", "--format", "json"))
    assert document["counting"] == "unknown"
    assert document["formula"] is None


def test_json_has_what_the_text_has(capsys: pytest.CaptureFixture[str]) -> None:
    words = (MOBILENET, "features.3.conv.1.0", *(word for id in PLATFORMS for word in ("-p", id)))
    document = json.loads(run(capsys, *words, "--format", "json"))
    assert document["schema"] == "costmodel.explanation/1"
    assert (document["kind"], document["op"], document["operator_kind"]) == ("operator", "Conv", "depthwise")
    assert [entry["id"] for entry in document["platforms"]] == list(PLATFORMS)
    for entry in document["platforms"]:
        assert math.fsum(term["time_ms"] for term in entry["terms"]) == pytest.approx(entry["kernel"]["latency_ms"])
        assert entry["kernel"]["low_ms"] < entry["kernel"]["latency_ms"] < entry["kernel"]["high_ms"]
        assert {change["change"] for change in entry["changes"]} >= {"half the channels, 72"}
    assert "G4" in {finding["guideline"] for finding in document["findings"]}
    out = run(capsys, *words)
    assert max(map(len, out.splitlines())) <= 90
    for entry in document["platforms"]:
        assert entry["id"] in out


def test_only_counts_without_a_platform(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, MOBILENET, "classifier.1", "-p", "none")
    assert "1,280,000" in out
    assert "ms" not in out


def test_sizes_that_are_columns_are_refused() -> None:
    import numpy as np

    analysis = costmodel.analyze(MOBILENET, batch=np.array([1, 2]))
    with pytest.raises(costmodel.UsageError, match="one network of given sizes"):
        explain_node(analysis, "classifier.1")


# -- the page


def test_the_equation_on_the_page_is_the_end_of_the_derivation(capsys: pytest.CaptureFixture[str]) -> None:
    (shown,) = blocks(ROOT / "docs" / "explain.md", "text")
    equation, _, _ = run(capsys, "G1", "-p", "none").partition("\n\nExample,")
    assert equation.endswith(shown.text.rstrip("\n"))
