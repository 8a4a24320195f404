"""Laws of predictions, on platforms with made-up prices."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from platform_examples import QUANTILES

from costmodel import zoo
from costmodel.builder import GraphBuilder
from costmodel.columns import Column
from costmodel.dims import symbol
from costmodel.errors import UsageError
from costmodel.kernels import RUNTIMES, Kind, runtime_of
from costmodel.platforms import Doubt, Machine, Platform, Stretch
from costmodel.predictor import TERMS, predict

MACHINES = (Machine(), Machine(4, 0, False, 4), Machine(8, 4, False, 6), Machine(32, 0, True, 2))
EVEN = {term: 1e-9 * (1 + place % 7) for place, term in enumerate(TERMS)}  # every term has a price
DOUBT = Doubt(0.1, {"pointwise": 0.2, "depthwise": 0.3, "movement": 0.05}, QUANTILES)


STRETCHES = (Stretch(), Stretch(0.1, 0.02, 0.001, 0.5))


def priced(runtime="ncnn", machine=MACHINES[1], coefficients=EVEN, stretch=STRETCHES[0]):
    return Platform("bench-x-fp32-1t", "a bench", runtime, "fp32", 1, machine, coefficients, DOUBT, stretch=stretch)


prices = st.lists(st.one_of(st.just(0.0), st.floats(1e-15, 1e-6)), min_size=len(TERMS), max_size=len(TERMS)).map(
    lambda values: dict(zip(TERMS, values, strict=True))
)
platforms = st.builds(
    priced, st.sampled_from(list(RUNTIMES)), st.sampled_from(MACHINES), prices, st.sampled_from(STRETCHES)
)


# -- one network


@settings(max_examples=40)
@given(platforms, st.sampled_from(["mobilenet_v3_small", "shufflenet_v2", "squeezenet1_1", "resnext50_32x4d"]))
def test_kernels_and_what_is_fixed_add_up(platform, name):
    prediction = predict(zoo.load(name), platform)
    parts = prediction.fixed + sum(item.estimate.seconds for item in prediction.kernels)
    assert parts == pytest.approx(prediction.latency.seconds, rel=1e-9)
    assert prediction.fixed >= 0
    for estimate in (prediction.latency, *(item.estimate for item in prediction.kernels)):
        assert 0 <= estimate.low <= estimate.seconds <= estimate.high
        assert isinstance(estimate.seconds, float)


def one_convolution():
    g = GraphBuilder("net")
    return g.build(g.conv(g.input("input", (2, 6, 5, 3)), 4))


def test_a_latency_by_hand():
    """30 positions of 6 x 4 mult-adds, 120 outputs, a launch and a run; then stretched."""
    coefficients = {"run": 1e-3, "launch.contraction": 1e-4, "pointwise.mult_adds": 1e-6, "contraction.output": 1e-5}
    kernel = 1e-4 + 30 * 24 * 1e-6 + 120 * 1e-5
    prediction = predict(one_convolution(), priced(machine=Machine(), coefficients=coefficients))
    assert prediction.latency.seconds == pytest.approx(1e-3 + kernel)
    assert prediction.kernels[0].estimate.seconds == pytest.approx(kernel)
    stretched = priced(machine=Machine(), coefficients=coefficients, stretch=Stretch(0.5, 1e-3, 0.0, 4e-3))
    factor = ((1e-3 + kernel) / 1e-3) ** 0.5
    prediction = predict(one_convolution(), stretched)
    assert prediction.latency.seconds == pytest.approx((1e-3 + kernel) * factor)
    assert prediction.fixed == pytest.approx(1e-3 * factor)


def test_intervals_by_hand():
    """All of a kernel's doubt is its kind's; the network's is weighted by the share of time."""
    coefficients = {"run": 1e-3, "pointwise.mult_adds": 1e-3 / 720}
    prediction = predict(one_convolution(), priced(machine=Machine(), coefficients=coefficients), coverage=0.8)
    whole, (item,) = prediction.latency, prediction.kernels
    assert whole.high / whole.seconds == pytest.approx(np.exp(np.hypot(0.1, 0.5 * 0.2)))
    assert item.estimate.seconds / item.estimate.low == pytest.approx(np.exp(np.hypot(0.1, 0.2)))
    assert (whole.coverage, item.estimate.coverage) == (0.8, 0.8)


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18"])
def test_more_coverage_is_a_wider_interval(name):
    estimates = [predict(zoo.load(name), priced(), coverage=coverage).latency for coverage in sorted(QUANTILES)]
    assert sorted(estimates, key=lambda estimate: estimate.high) == estimates
    assert sorted(estimates, key=lambda estimate: -estimate.low) == estimates


def test_a_platform_without_prices_takes_no_time():
    prediction = predict(one_convolution(), priced(coefficients={}))
    assert (prediction.latency.seconds, prediction.latency.low, prediction.latency.high) == (0, 0, 0)


@pytest.mark.parametrize("coverage", [0.85, 0.0, -1.0, 2.0, float("nan")])
def test_a_coverage_that_the_profile_lacks(coverage):
    with pytest.raises(UsageError, match=r"bench-x-fp32-1t: a coverage of .* is not in its profile; it has 0\.5"):
        predict(one_convolution(), priced(), coverage=coverage)


def test_symbols_have_no_latency():
    with pytest.raises(UsageError, match="only numbers can be priced"):
        predict(zoo.build("mobilenet_v2", batch=symbol("N")), priced())


def test_an_unknown_runtime_is_named():
    with pytest.raises(UsageError, match="no fusion rules for this runtime"):
        predict(one_convolution(), replace(priced(), runtime="abacus"))


# -- more work takes longer


def block(width, size=12, batch=1):
    """A down-sampling network of every common kind of kernel."""
    g = GraphBuilder("net")
    x = g.relu(g.batch_norm(g.conv(g.input("input", (batch, 3, size, size + 3)), width, 3, stride=2)))
    y = g.depthwise(g.conv(x, width, 3), (5, 3))
    y = g.channel_shuffle(g.concat((g.add(y, x), g.hard_swish(g.conv(x, width, 3, groups=2)))), 2)
    y, z = g.split(y, (width, width))
    y = g.mul(g.max_pool(y, 3, padding=1), g.swish(g.local_response_norm(z)))
    return g.build(g.softmax(g.linear(g.flatten(g.global_avg_pool(y)), width)))


@settings(max_examples=60)
@given(platforms, st.sampled_from(["width", "size", "batch"]))
def test_latency_is_monotone_in_work(platform, what):
    values = {"width": (32, 64, 96, 320), "size": (12, 16, 24, 40), "batch": (2, 3, 4, 16)}[what]
    graphs = [block(64, **{what: value}) if what != "width" else block(value) for value in values]
    seconds = [predict(graph, platform).latency.seconds for graph in graphs]
    for less, more in pairwise(seconds):
        assert less <= more * (1 + 1e-12)


# -- populations


def check_population(population, members, platform):
    together = predict(population, platform)
    alone = [predict(member, platform) for member in members]

    def compare(ours, each):
        for end in ("seconds", "low", "high"):
            expected = [getattr(estimate, end) for estimate in each]
            np.testing.assert_allclose(np.broadcast_to(getattr(ours, end), len(each)), expected, rtol=1e-9, atol=1e-30)

    compare(together.latency, [prediction.latency for prediction in alone])
    names = [item.kernel.name for item in together.kernels]
    for i, item in enumerate(together.kernels):
        if all(names == [other.kernel.name for other in prediction.kernels] for prediction in alone):
            compare(item.estimate, [prediction.kernels[i].estimate for prediction in alone])


@settings(max_examples=30)
@given(platforms, st.lists(st.tuples(st.integers(2, 60), st.integers(1, 4)), min_size=2, max_size=4))
def test_widths_and_batches_of_a_population_equal_its_members(platform, sizes):
    """In blocks of channels all widths add the shortcut: the networks of a population are fused alike."""
    unit = 4 if runtime_of(platform.runtime).blocks else 2
    widths, batches = [unit * width for width, _ in sizes], [batch for _, batch in sizes]
    members = [block(width, batch=batch) for width, batch in zip(widths, batches, strict=True)]
    check_population(block(Column(np.array(widths)), batch=Column(np.array(batches))), members, platform)


@settings(max_examples=10)
@given(platforms)
def test_resolutions_and_batches_of_a_population_equal_its_members(platform):
    sizes, batches = [64, 96, 160], [1, 3, 5]
    members = [zoo.build("shufflenet_v2", resolution=s, batch=b) for s, b in zip(sizes, batches, strict=True)]
    population = zoo.build("shufflenet_v2", resolution=np.array(sizes), batch=np.array(batches))
    check_population(population, members, platform)


def test_the_copies_between_layouts_are_priced():
    """ONNX Runtime copies into blocks of channels and back; nothing else moves elements here."""
    g = GraphBuilder("net")
    graph = g.build(g.conv(g.input("input", (1, 32, 5, 3)), 32))
    prediction = predict(graph, priced("onnxruntime", coefficients={"rearrangement.elements": 1e-9}))
    assert [item.kernel.kind for item in prediction.kernels] == [Kind.MOVEMENT, Kind.POINTWISE, Kind.MOVEMENT]
    assert prediction.latency.seconds == pytest.approx(2 * 32 * 15 * 1e-9)
