"""Populations: every count and latency is the one that the network itself has."""

from dataclasses import replace

import numpy as np
import pytest

from costmodel.errors import UsageError
from costmodel.platforms import find
from costmodel.predictor import predict
from search.capacity import capacity_of
from search.design import WIDTHS, standard
from search.evaluate import Evaluator
from search.space import GENES, default_space, parse_options

PAPER = ("snapdragon810-neon-fp32-1t", "gtx1080ti-cudnn7-fp32")
OTHERS = ("epyc-onnxruntime-fp32-1t", "t4-tensorrt-fp16", "pixel4-tflite-fp32-1t")  # blocks, chains, stretch


def space_of(*options, step=8):
    genes = {}
    for option in options:
        genes |= parse_options(option)
    return default_space(step, options=genes)


ODD = (
    "channels2=26,48,116,130",
    "channels3=52:300:62",
    "channels4=100,464,1000",
    "ratio=1/8,1/2,3/4",
    "units=1:4",
    "kernel=3,7",
    "se=true,false",
    "residual=true,false",
    "act=relu,hard_swish",
    "resolution=96,224,225",
    "stem=3,24",
)


@pytest.fixture(scope="module", params=[PAPER, OTHERS], ids=["paper", "others"])
def priced(request):
    platforms = [find(name) for name in request.param]
    space = space_of(*ODD, step=4)
    return Evaluator(space, platforms, capacity_of("entropy")), platforms


def test_a_population_costs_what_each_of_its_networks_costs(priced):
    evaluator, platforms = priced
    population = evaluator.space.random(25, seed=5)
    evaluation = evaluator.evaluate(population)
    for index, design in enumerate(evaluator.space.designs(population)):
        graph = design.graph()
        counts = (evaluation.mult_adds[index], evaluation.params[index], evaluation.memory_access[index])
        assert counts == (graph.cost.mult_adds, graph.cost.params, graph.cost.memory_access)
        assert evaluation.capacity[index] == pytest.approx(capacity_of("entropy").score([design])[0], rel=1e-12)
        for platform in platforms:
            latency, found = predict(graph, platform).latency, evaluation.latency[platform.id]
            assert found.seconds[index] == pytest.approx(latency.seconds, rel=1e-12)
            assert (found.low[index], found.high[index]) == pytest.approx((latency.low, latency.high), rel=1e-12)


def test_a_batch_and_a_coverage_reach_the_latencies():
    platforms = [find(name) for name in PAPER]
    space = default_space()
    evaluator = Evaluator(space, platforms, capacity_of("params"), batch=8, coverage=0.5)
    row = space.row(standard(1.0))
    evaluation = evaluator.evaluate(row[None])
    graph = standard(1.0).graph(batch=8)
    for platform in platforms:
        latency = predict(graph, platform, coverage=0.5).latency
        assert evaluation.latency[platform.id].high[0] == pytest.approx(latency.high, rel=1e-12)
    assert evaluation.mult_adds[0] == graph.cost.mult_adds


@pytest.mark.parametrize(
    "options",
    [
        ("channels2=10,116", "ratio=1/8,1/2", "stem=1,24"),  # a depthwise convolution of one channel is a dense one
        ("resolution=16,32,224", "se=true,false", "units=3"),  # a gate of one pixel is as large as its map
        ("ratio=1/32,1/8,1/2,3/4", "residual=true", "units=2,3"),  # few channels work in blocks, too
    ],
    ids=["one channel", "one pixel", "blocks"],
)
def test_designs_that_a_runtime_treats_differently_do_not_change_each_other(options):
    usual = find(OTHERS[0])
    blocks = [replace(usual, id=f"blocks{n}", machine=replace(usual.machine, blocks=n)) for n in (0, 4, 8, 16, 32)]
    platforms = [*blocks, *(find(name) for name in (*PAPER, *OTHERS[1:]))]
    space = space_of(
        "channels2=26,116", "channels3=100,232", "channels4=60,464", "stem=24", "head=512", *options, step=1
    )
    evaluator = Evaluator(space, platforms, capacity_of("params"))
    population = space.random(20, seed=1)
    evaluation = evaluator.evaluate(population)
    for index, design in enumerate(space.designs(population)):
        graph = design.graph()
        for platform in platforms:
            wanted = predict(graph, platform).latency.high
            assert evaluation.latency[platform.id].high[index] == pytest.approx(wanted, rel=1e-11)


def test_a_coverage_that_no_profile_has_is_refused():
    with pytest.raises(UsageError, match=r"coverage of 0\.42"):
        Evaluator(default_space(), [find(PAPER[0])], capacity_of("params"), coverage=0.42)


def test_a_space_too_large_to_tabulate_is_refused():
    space = space_of("channels3=64:4096:2", "channels2=32:2048:2")
    with pytest.raises(UsageError, match="too many to tabulate"):
        Evaluator(space, [find(PAPER[0])], capacity_of("params"))


def test_a_head_too_large_to_tabulate_is_refused():
    space = space_of("channels4=64:8000:2", "channels3=64", "head=1:9999")
    with pytest.raises(UsageError, match="options of the head are too many to tabulate"):
        Evaluator(space, [find(PAPER[0])], capacity_of("params"))


def test_effectiveness_is_of_the_worst_stage():
    space = default_space()
    evaluator = Evaluator(space, [], capacity_of("params"))
    wide, deep = standard(1.0), space.designs(np.zeros((1, len(GENES)), np.intp))[0]
    population = np.array([space.row(wide), space.row(deep)])
    found = evaluator.evaluate(population).effectiveness
    # stage 3 of 1x: 24 convolutions of fan-in 116, 9, 116 but for the first ones, that read 116 too
    assert found[0] == pytest.approx(25 / (116 ** (17 / 25) * 9 ** (9 / 25) * 116 ** (-1 / 25)), rel=0.05)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("step", [2, 4, 8, 16, 32])
def test_the_designs_of_table_5_are_points_of_the_default_space(width, step):
    space = default_space(step)
    row = space.row(standard(width))
    assert space.designs(row[None]) == [standard(width)]
