"""The guidelines' rules: each on its own example, the paper's verdicts over the zoo, and the laws that prices obey."""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel
from costmodel import GraphBuilder, UsageError
from costmodel.analysis import Analysis
from costmodel.guidelines import RULES, Clock, Options, Review, Rule, Severity, chosen, find_rule, record, review
from costmodel.guidelines.g1_equal_width import balanced
from costmodel.guidelines.g2_group_convolution import growth
from costmodel.guidelines.network import Network
from costmodel.guidelines.remedies import resized

GPU, ARM = "gtx1080ti-cudnn7-fp32", "snapdragon810-neon-fp32-1t"
PAPERS = (GPU, ARM)
SECTIONS = ["What it does", "Why it is slow", "Example", "Use instead", "Where", "Options", "Reference"]


@cache
def analysis(model: str, platforms: tuple[str, ...] = PAPERS) -> Analysis:
    return costmodel.analyze(model, platform=platforms)


@cache
def checked(model: str, platforms: tuple[str, ...] = PAPERS) -> Review:
    return analysis(model, platforms).check()


def broken(model: str, platforms: tuple[str, ...] = PAPERS) -> set[str]:
    return {finding.guideline for finding in checked(model, platforms).findings}


def clocks(of: Analysis) -> list[Clock]:
    return [Clock(platform, what) for platform, what in zip(of.platforms, of.predictions, strict=True)]


# Every rule is its own document


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_documents_itself(rule: Rule) -> None:
    assert list(rule.sections) == SECTIONS
    assert all(rule.sections.values())
    defaults = {one.name: one.default for one in fields(Options)}
    for name, value in re.findall(
        r"^(\w+): .*?\(([0-9.]+)\)\.$", rule.sections["Options"], flags=re.MULTILINE | re.DOTALL
    ):
        assert defaults[name] == float(value), name


def test_every_option_of_a_rule_is_in_a_rules_document() -> None:
    text = " ".join(rule.sections["Options"] for rule in RULES.values())
    assert [one.name for one in fields(Options) if not one.name.endswith("_at") and one.name not in text] == []


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_fires_on_its_example_and_is_silent_on_what_to_use_instead(rule: Rule) -> None:
    platforms = tuple(rule.sections["Where"].split(", "))
    example, instead = rule.sections["Example"], rule.sections["Use instead"]
    assert rule.id in broken(example, platforms)
    assert rule.id not in broken(instead, platforms)
    for before, after in zip(
        analysis(example, platforms).predictions, analysis(instead, platforms).predictions, strict=True
    ):
        assert after.latency.seconds < before.latency.seconds, before.platform


# The paper's verdicts (Section 2, "Conclusion and Discussions")


def test_shufflenet_v1_breaks_g2_and_g1() -> None:
    assert {"G1", "G2"} <= broken("zoo:shufflenet_v1")


def test_mobilenet_v2_breaks_g1_and_g4_and_neither_g2_nor_g3() -> None:
    assert broken("zoo:mobilenet_v2") == {"G1", "G4"}


FOUR_BRANCHES = "|nor_conv_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"


@pytest.mark.parametrize(
    "model", ["zoo:nasnet_a_mobile", "zoo:pnasnet5_mobile", "zoo:googlenet", f"zoo:nasbench201,arch={FOUR_BRANCHES}"]
)
def test_found_and_inception_like_cells_break_g3(model: str) -> None:
    assert "G3" in broken(model)
    assert "G3" in broken(model, (GPU,))


def test_resnet_and_plain_networks_do_not_break_g3() -> None:
    for model in ("zoo:resnet50", "zoo:resnet18", "zoo:vgg16", "zoo:mobilenet_v1", "zoo:densenet121"):
        assert "G3" not in broken(model), model


# Table 8's networks by their mult-adds, in millions; those of the paper's second half, that the verdicts are about.
CLASSES = {
    40: [
        "shufflenet_v2,width=0.5", "mobilenet_v1,width=0.25", "mobilenet_v2,width=0.15,thin=true",
        "mobilenet_v2,resolution=160,width=0.4,thin=true", "shufflenet_v1,width=0.5",
        "shufflenet_v1,width=0.5,groups=1",
    ],
    140: [
        "shufflenet_v2", "mobilenet_v1,width=0.5", "mobilenet_v2,width=0.6,thin=true",
        "mobilenet_v2,resolution=192,width=0.75,thin=true", "shufflenet_v1", "shufflenet_v1,groups=1",
    ],
    300: [
        "shufflenet_v2,width=1.5", "mobilenet_v1,width=0.75", "mobilenet_v2", "shufflenet_v1,width=1.5",
        "shufflenet_v1,width=1.5,groups=1", "igcv3",
    ],
    500: [
        "shufflenet_v2,width=2.0", "mobilenet_v1", "mobilenet_v2,width=1.4", "shufflenet_v1,width=2.0",
        "shufflenet_v1,width=2.0,groups=1", "igcv3,width=1.4", "nasnet_a_mobile", "pnasnet5_mobile",
    ],
}  # fmt: skip
# On the ARM core thin depthwise convolutions outweigh their neighbours in the narrowest ShuffleNet V2, too. MobileNet
# V1 is a plain chain of wide layers, which breaks no guideline much (the paper finds it the faster one on the GPU).
CHEAPER = {(ARM, 40): {"mobilenet_v1,width=0.25"}}


@pytest.mark.parametrize("platform", PAPERS)
@pytest.mark.parametrize("millions", CLASSES)
def test_shufflenet_v2_has_the_fewest_and_cheapest_findings_of_its_class(millions: int, platform: str) -> None:
    serious, shares = {}, {}
    for model in CLASSES[millions]:
        found = checked(f"zoo:{model}", (platform,))
        serious[model] = sum(finding.severity is not Severity.NOTE for finding in found.findings)
        shares[model] = found.totals[0].share
    own, *others = CLASSES[millions]
    assert serious[own] <= min(serious.values())
    assert {model for model in others if shares[model] < shares[own] - 0.01} == CHEAPER.get((platform, millions), set())


# G1: Eq. 1


WIDTH = st.integers(1, 300)


def convolution(c1: int, c2: int, kernel: int = 1, groups: int = 1, size: int = 7, stride: int = 1) -> costmodel.Graph:
    """One convolution between two others, so that neither end is the network's."""
    g = GraphBuilder("one")
    x = g.conv(g.input("x", (2, 8, size, size + 2)), c1 * groups, name="before")
    x = g.conv(x, c2 * groups, kernel, groups=groups, stride=stride, name="it")
    return g.build(g.conv(x, 8, name="after"))


@settings(max_examples=50, deadline=None)
@given(WIDTH, WIDTH)
def test_the_bound_is_eq_1_and_holds_with_equality_for_equal_widths(c1: int, c2: int) -> None:
    layer = Network.of(convolution(c1, c2)).layers["it"]
    hw, b = 2 * 7 * 9, 2 * 7 * 9 * c1 * c2
    assert layer.mult_adds == b
    assert layer.memory_access == hw * (c1 + c2) + c1 * c2
    assert layer.bound == math.ceil(round(2 * math.sqrt(hw * b) + b / hw, 6))
    assert layer.memory_access >= layer.bound
    assert (layer.memory_access == layer.bound) is (c1 == c2 or (math.sqrt(c1) - math.sqrt(c2)) ** 2 * hw < 1)


@settings(max_examples=30, deadline=None)
@given(WIDTH, WIDTH, st.sampled_from([1, 3]), st.sampled_from([1, 2]), st.sampled_from([1, 3]))
def test_balanced_channels_reach_the_bound_at_the_same_mult_adds(
    c1: int, c2: int, kernel: int, stride: int, groups: int
) -> None:
    layer = Network.of(convolution(c1, c2, kernel, groups, stride=stride)).layers["it"]
    a, b = balanced(layer)
    read, written = layer.positions
    assert a * b == pytest.approx(c1 * c2)
    assert groups * (read * a + written * b) + layer.weights == pytest.approx(layer.bound, abs=1)


def test_a_strided_1x1_convolution_reads_what_it_uses() -> None:
    layer = Network.of(convolution(8, 8, stride=2)).layers["it"]
    assert layer.positions == (2 * 4 * 5,) * 2


def widths(of: Review, guideline: str = "G1") -> list[list[tuple[int, int]]]:
    found = [finding for finding in of.findings if finding.guideline == guideline and "layers" in finding.evidence]
    found.sort(key=lambda finding: finding.evidence["layers"][0]["operator"])
    return [[(layer["c1"], layer["c2"]) for layer in finding.evidence["layers"]] for finding in found]


EVERYTHING = Options(note_at=0.0)


def test_an_inverted_bottleneck_is_one_finding_of_its_expansion_and_projection() -> None:
    found = Network.of(analysis("zoo:mobilenet_v2").graph)
    breaches = list(RULES["G1"].breaches(found, clocks(analysis("zoo:mobilenet_v2")), EVERYTHING))
    blocks = [breach for breach in breaches if len(breach.operators) == 2]
    assert len(blocks) == 14
    assert all(len({node.module.split(".")[1] for node in breach.operators}) == 1 for breach in blocks)
    assert not any(breach.operators[0].name == "features.0.0" for breach in breaches), "an image has 3 channels"


def test_a_bottleneck_is_seen_through_its_3x3_convolution() -> None:
    g = GraphBuilder("bottleneck")
    x = g.conv(g.input("x", (1, 256, 28, 28)), 256, 3, name="before")
    y = g.relu(g.conv(x, 64, name="reduce"), "a")
    y = g.relu(g.conv(y, 64, 3, name="inside"), "b")
    graph = g.build(g.add(x, g.conv(y, 256, name="expand")))
    (breach,) = RULES["G1"].breaches(Network.of(graph), [], EVERYTHING)
    assert [node.name for node in breach.operators] == ["reduce", "expand"]


def test_a_squeeze_is_one_finding_with_all_its_expansions() -> None:
    network = Network.of(analysis("zoo:squeezenet1_1").graph)
    found = [len(one.operators) for one in RULES["G1"].breaches(network, [], EVERYTHING)]
    assert found.count(3) >= 4


def test_the_last_layer_of_a_network_is_not_blamed_for_its_outputs() -> None:
    g = GraphBuilder("segmentation")
    x = g.conv(g.input("x", (1, 256, 65, 65)), 256, 3)
    graph = g.build(g.upsample(g.conv(x, 21, name="classes"), 8))
    assert list(RULES["G1"].breaches(Network.of(graph), [], EVERYTHING)) == []


# G2: Eq. 2


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([2, 3, 4, 8]), st.integers(2, 40), st.integers(1, 40))
def test_memory_access_grows_as_eq_2_says(groups: int, cin: int, cout: int) -> None:
    layer = Network.of(convolution(cin, cout, groups=groups)).layers["it"]
    hw, b, c1 = 2 * 7 * 9, layer.mult_adds, groups * cin
    access = [hw * c1 + b * g / c1 + b / hw for g in (1, groups)]
    assert layer.memory_access == pytest.approx(access[1])
    assert growth(layer) == pytest.approx(access[1] / access[0])
    assert growth(layer) > 1


def test_depthwise_convolutions_belong_to_g4() -> None:
    graph = analysis("zoo:mobilenet_v1").graph
    assert list(RULES["G2"].breaches(Network.of(graph), [], EVERYTHING)) == []
    assert "G4" in broken("zoo:inverted_residual,resolution=56,cin=24,cout=24,expand=6")


# Prices are what the changed network takes


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("G1", "zoo:paper_g1,c1=64,c2=256", "zoo:paper_g1,c1=128,c2=128"),
        ("G2", "zoo:paper_g2,c=256,groups=4", "zoo:paper_g2,c=128,groups=1"),
        ("G3", "zoo:paper_g3,c=64,fragments=4,arrangement=parallel", "zoo:paper_g3,c=128,fragments=1"),
        ("G4", "zoo:paper_g4,c=32", "zoo:paper_g4,c=32,relu=false,shortcut=false"),
    ],
)
@pytest.mark.parametrize("platform", [ARM, GPU, "raspberrypi4-ncnn-fp32-1t"])
def test_the_price_is_what_the_network_saves_that_is_built_instead(
    rule: str, before: str, after: str, platform: str
) -> None:
    old, new = analysis(before, (platform,)), analysis(after, (platform,))
    found = review(old.graph, clocks(old), replace(EVERYTHING, min_total=0.0), chosen([rule]))
    saved = old.predictions[0].latency.seconds - new.predictions[0].latency.seconds
    assert found.totals[0].seconds == pytest.approx(saved, rel=1e-6)


@pytest.mark.parametrize("model", ["zoo:mobilenet_v2", "zoo:shufflenet_v1", "zoo:googlenet", "zoo:ghostnet"])
def test_findings_that_share_operators_are_added_once(model: str) -> None:
    for index, total in enumerate(checked(model).totals):
        alone = [finding.savings[index].seconds for finding in checked(model).findings]
        assert max(0.0, *alone) <= total.seconds * (1 + 1e-9)
        assert total.seconds <= sum(one for one in alone if one > 0) * 1.2
        assert 0 <= total.share < 1
        assert total.low <= total.seconds <= total.high


def test_two_rules_on_the_same_layers_add_up_to_the_dearer_one() -> None:
    model = "zoo:shufflenet_v1,groups=8"
    both, alone = checked(model, (GPU,)), analysis(model, (GPU,)).check(select=["G2"])
    layers = {node.name for one in both.findings if one.guideline == "G2" for node in one.operators}
    shared = [
        finding
        for finding in both.findings
        if finding.guideline == "G1" and not layers.isdisjoint(node.name for node in finding.operators)
    ]
    rest = analysis(model, (GPU,)).check(ignore=["G1"])
    assert shared or both.totals[0].seconds == pytest.approx(rest.totals[0].seconds)
    assert both.totals[0].seconds >= alone.totals[0].seconds


# Severity, order, options


def test_findings_are_sorted_and_weighed_by_the_share_that_they_save() -> None:
    options = Options()
    for finding in checked("zoo:ghostnet").findings:
        sure = [saving.share for saving in finding.savings if saving.low > 0]
        assert (finding.severity is Severity.ERROR) is (max(sure, default=0.0) >= options.error_at)
        if finding.severity is Severity.NOTE:
            assert finding.share < options.warning_at or "vector" in finding.evidence
        assert finding.share >= options.note_at
    shares = [finding.share for finding in checked("zoo:ghostnet").findings]
    assert shares == sorted(shares, reverse=True)


def test_thresholds_move_findings_between_severities() -> None:
    strict = analysis("zoo:mobilenet_v2").check(Options(error_at=0.002, warning_at=0.001, note_at=0.001))
    large = [finding for finding in strict.findings if finding.share >= 0.002]
    assert {finding.severity for finding in large} == {Severity.ERROR, Severity.WARNING}
    assert all(
        finding.severity is Severity.ERROR for finding in large if all(saving.low > 0 for saving in finding.savings)
    )
    lax = analysis("zoo:mobilenet_v2").check(Options(error_at=0.9, warning_at=0.9, note_at=0.9))
    assert lax.findings == ()
    assert lax.worst() is None


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"error_at": -0.1}, "error_at"),
        ({"error_at": 0.01}, "warning_at"),
        ({"max_fragments": 2.5}, "max_fragments"),
        ({"min_ratio": float("nan")}, "min_ratio"),
        ({"min_excess": True}, "min_excess"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(given: dict[str, float], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        Options(**given)  # type: ignore[arg-type]


def test_rules_are_selected_by_id_and_by_name() -> None:
    assert [rule.id for rule in chosen(["g3", "equal-width"])] == ["G1", "G3"]
    assert [rule.id for rule in chosen(ignore=["G1", "G4"])] == ["G2", "G3"]
    assert find_rule("elementwise").id == "G4"
    with pytest.raises(UsageError, match="G5"):
        find_rule("G5")
    with pytest.raises(UsageError, match="no guideline is left"):
        chosen(["G1"], ["G1"])


def test_channels_that_fill_no_vector_are_a_note_where_the_platform_pays_for_them() -> None:
    ncnn = "raspberrypi4-ncnn-fp32-1t"
    (finding,) = (one for one in checked("zoo:shufflenet_v2", (ncnn,)).findings if "vector" in one.evidence)
    assert finding.severity is Severity.NOTE
    assert (finding.evidence["channels"], finding.evidence["filled"]) == (58, 60)
    assert finding.savings[0].seconds > 0
    wide = checked("zoo:shufflenet_v2,width=1.5", (ncnn,)).findings  # 88, 176, 352 channels
    assert not any("vector" in one.evidence for one in wide)


# Any network


def test_a_network_without_convolutions_has_a_review() -> None:
    g = GraphBuilder("dense")
    x = g.input("x", (4, 16))
    graph = g.build(g.softmax(g.linear(g.relu(g.linear(x, 64, name="a")), 10, name="b")))
    found = costmodel.analyze(graph, platform=PAPERS).check(EVERYTHING)
    assert {finding.guideline for finding in found.findings} <= {"G1", "G4"}  # no groups, and no blocks
    g = GraphBuilder("nothing")
    graph = g.build(g.relu(g.input("x", (1, 3, 8, 8))))
    found = costmodel.analyze(graph, platform=ARM).check()
    assert {finding.guideline for finding in found.findings} <= {"G4"}


def test_symbols_and_populations_are_refused_with_the_remedy() -> None:
    with pytest.raises(UsageError, match="name a platform"):
        costmodel.analyze("zoo:mobilenet_v1").check()
    import numpy as np

    from costmodel.zoo import load

    column = load("zoo:mobilenet_v1", batch=np.array([1, 2]))
    with pytest.raises(UsageError, match="columns or symbols"):
        costmodel.analyze(column, platform=ARM).check()


def test_a_record_is_plain_and_has_what_the_contract_names() -> None:
    import json

    for finding in checked("zoo:ghostnet").findings:
        entry = json.loads(json.dumps(record(finding)))
        assert set(entry) >= {
            "guideline", "severity", "operators", "message", "evidence", "saving_ms", "suggestion",
        }  # fmt: skip
        assert set(entry["saving_ms"]) == set(PAPERS)
        assert entry["operators"]


def test_a_review_is_the_same_each_time() -> None:
    first, second = (costmodel.analyze("zoo:ghostnet", platform=PAPERS).check() for _ in range(2))
    assert [record(one) for one in first.findings] == [record(one) for one in second.findings]


def test_twenty_thousand_operators_are_reviewed() -> None:
    g = GraphBuilder("long")
    x = g.input("x", (1, 16, 8, 8))
    y = x
    for index in range(5000):
        z = g.relu(g.conv(y, 32, name=f"a{index}"), f"r{index}")
        y = g.add(y if index % 2 else x, g.conv(z, 16, name=f"b{index}"), f"s{index}")
    found = costmodel.analyze(g.build(y), platform=ARM).check(EVERYTHING)
    assert found.totals[0].seconds >= 0


@settings(max_examples=50, deadline=None)
@given(st.floats(1, 500), st.floats(1, 500), st.sampled_from([ARM, GPU]))
def test_a_resized_layer_has_the_mult_adds_that_it_is_asked_for(cin: float, cout: float, platform: str) -> None:
    (clock,) = clocks(analysis("zoo:paper_g1", (platform,)))
    kernel = clock.prediction.kernels[0].kernel
    assert kernel.loops is not None
    near = [(weight, one.loops) for weight, one in resized(kernel, cin, cout, clock.platform.machine)]
    assert sum(weight for weight, _ in near) == pytest.approx(1)
    assert all(weight > 0 for weight, _ in near)
    assert sum(weight * loops.cin * loops.cout for weight, loops in near if loops) == pytest.approx(cin * cout)
    if min(cin, cout) >= clock.platform.machine.vector:
        assert all(loops.cin % clock.platform.machine.vector == 0 for _, loops in near if loops)


# G4: squeeze-excite


def gated(pooled_first: bool = True) -> costmodel.Graph:
    g = GraphBuilder("gated")
    x = g.relu(g.conv(g.input("x", (1, 3, 32, 32)), 32, 3, name="before"))
    source = x if pooled_first else g.relu(x, "other")
    factor = g.conv(g.relu(g.conv(g.global_avg_pool(source, "pool"), 8, name="down"), "r"), 32, name="up")
    return g.build(g.conv(g.mul(g.sigmoid(factor, "s"), x, "gate"), 16, name="after"))


def test_a_squeeze_excite_is_one_finding_from_its_pooling_to_its_product() -> None:
    found = costmodel.analyze(gated(), platform=GPU).check(EVERYTHING, select=["G4"])
    (finding,) = (one for one in found.findings if "gate" in one.evidence)
    assert [node.name for node in finding.operators] == ["pool", "down", "r", "up", "s", "gate"]
    without = GraphBuilder("plain")
    x = without.relu(without.conv(without.input("x", (1, 3, 32, 32)), 32, 3, name="before"))
    plain = costmodel.analyze(without.build(without.conv(x, 16, name="after")), platform=GPU)
    whole = costmodel.analyze(gated(), platform=GPU)
    saved = whole.predictions[0].latency.seconds - plain.predictions[0].latency.seconds
    assert finding.savings[0].seconds == pytest.approx(saved, rel=1e-6)


def test_a_product_with_another_maps_pooling_is_no_squeeze_excite() -> None:
    found = costmodel.analyze(gated(pooled_first=False), platform=GPU).check(EVERYTHING, select=["G4"])
    assert not any("gate" in one.evidence for one in found.findings)


def test_every_squeeze_excite_of_mobilenet_v3_is_seen() -> None:
    found = analysis("zoo:mobilenet_v3_large").check(EVERYTHING, select=["G4"])
    assert sum("gate" in one.evidence for one in found.findings) == 8


def test_a_transposed_convolution_writes_more_positions_than_it_reads() -> None:
    """By hand: 8x8 positions of 64 channels in, 16x16 of 16 out, 2x2 taps of 64 x 16 weights."""
    g = GraphBuilder("up")
    y = g.conv_transpose(g.input("x", (1, 64, 8, 8)), 16, 2, stride=2, name="up")
    layer = Network.of(g.build(g.relu(g.conv(g.relu(y), 32, name="next")))).layers["up"]
    assert layer.positions == (64, 256)
    assert layer.memory_access == 64 * 64 + 256 * 16 + 64 * 16 * 4 == layer.node.cost.memory_access
    assert layer.mult_adds == 64 * 64 * 16 * 4 == layer.node.cost.mult_adds
    assert layer.bound == 2 * math.isqrt(64 * 64 * 256 * 16) + 64 * 16 * 4
    assert balanced(layer) == pytest.approx((64.0, 16.0))  # 64 x 64 elements in and 256 x 16 out: equal


@pytest.mark.parametrize("model", ["zoo:inception_v3", "zoo:alexnet", "zoo:shufflenet_v1", "zoo:mobilenet_yolo"])
def test_a_layers_memory_access_is_its_operators(model: str) -> None:
    """Also of windows that are not padded. A 1x1 window with strides reads less, and a bias is beside it."""
    for layer in Network.of(costmodel.analyze(model).graph).layers.values():
        if layer.window > 1 or max(layer.loops.strides) == 1:
            bias = layer.c2 if any(layer.node.inputs[2:]) else 0
            assert layer.memory_access + bias == layer.node.cost.memory_access, layer.node.name


def test_the_ratio_of_g4_is_by_the_layer_without_what_it_does_on_its_way_out() -> None:
    of = analysis("zoo:mobilenet_v2", (GPU,))
    (clock,) = clocks(of)
    checked = 0
    for finding in of.check(EVERYTHING, select=["G4"]).findings:
        name = finding.evidence.get("layer")
        item = next((item for item in of.predictions[0].kernels if item.kernel.name == name), None)
        if item is None or not item.kernel.epilogues:
            continue
        own = clock.kernels(node for node in finding.operators if node not in item.kernel.operators)
        bare = clock.seconds(replace(item.kernel, epilogues=()))
        seconds = item.estimate.seconds - bare + sum(one.estimate.seconds for one in own)
        assert finding.evidence["ratio"][GPU] == pytest.approx(seconds / bare), name
        checked += 1
    assert checked


def test_a_block_becomes_a_convolution_although_a_dense_layer_has_the_most_mult_adds() -> None:
    g = GraphBuilder("mixed")
    x = g.relu(g.conv(g.input("x", (1, 16, 14, 14)), 14, name="before"))
    branches = [g.conv(x, 7, name=f"branch{index}") for index in range(4)]
    (dense,) = g.node("MatMul", [x, g.weight("w", (14, 14))], name="dense")
    joined = g.concat([*branches, dense])
    graph = g.build(g.relu(g.conv(joined, 16, name="after")))
    (finding,) = costmodel.analyze(graph, platform=GPU).check(EVERYTHING, select=["G3"]).findings
    assert "one 1x1 convolution of" in finding.suggestion


def test_the_width_of_one_convolution_is_of_one_run_of_a_loop() -> None:
    """The same block inside a loop's body: each run does the work of the block that is there once."""
    plain = costmodel.analyze("zoo:paper_g3,c=64,fragments=4,arrangement=parallel", platform=GPU)
    nodes = tuple(replace(node, repeat=7, cost=node.cost.repeated(7, node.cost.params)) for node in plain.graph.nodes)
    again = costmodel.analyze(replace(plain.graph, nodes=nodes), platform=GPU).check(EVERYTHING, select=["G3"]).findings
    once = plain.check(EVERYTHING, select=["G3"]).findings
    assert [one.suggestion for one in again] == [one.suggestion for one in once] != []
    shares = [[one.savings[0].share for one in found] for found in (again, once)]
    assert shares[0] == pytest.approx(shares[1], rel=0.2)  # launches before the loop are not repeated


def test_a_layer_that_reads_an_image_is_a_stem_wherever_the_images_channels_are() -> None:
    g = GraphBuilder("nhwc")
    image = g.transpose(g.mul(g.input("x", (1, 32, 40, 3)), g.input("scale", (1, 1, 1, 1))), (0, 3, 1, 2))
    x = g.relu(g.conv(image, 64, 3, name="stem"))
    graph = g.build(g.conv(g.relu(g.conv(x, 256, name="widen")), 8, name="last"))
    assert {name: layer.stem for name, layer in Network.of(graph).layers.items()} == {
        "stem": True, "widen": False, "last": False,
    }  # fmt: skip
