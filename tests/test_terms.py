"""The amounts of work of single kernels, counted again by loops over their elements."""

from __future__ import annotations

import itertools
from collections import Counter
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.physics import RATES
from costmodel import zoo
from costmodel.builder import GraphBuilder
from costmodel.columns import Column
from costmodel.kernels import RUNTIMES, Kernel, Kind, Runtime, fuse
from costmodel.platforms import Machine
from costmodel.predictor.terms import TERMS, amounts, of_run

BARE = Runtime("bare", folds_norm=False, epilogues=frozenset(), prepares=False)
PLAIN = Machine()


def kernel_of(write, *shape, runtime=BARE) -> Kernel:
    """The one kernel of the operator that write(g, x) adds."""
    g = GraphBuilder("net")
    (kernel,) = fuse(g.build(write(g, g.input("input", shape))), runtime)
    return kernel


def conv(cin, cout, taps, stride=1, *, size=(11, 7), batch=2, groups=1, **options) -> Kernel:
    return kernel_of(lambda g, x: g.conv(x, cout, taps, stride=stride, groups=groups, **options), batch, cin, *size)


def work_of(graph, runtime, machine):
    """The amounts of a whole network."""
    work = Counter(of_run(graph))
    for kernel in fuse(graph, runtime):
        for name, amount in amounts(kernel, machine).items():
            work[name] = work[name] + amount
    return work


def positions(size, taps, stride, dilation=1, pads=None):
    """The output positions, by sliding the window."""
    pads = pads or [(k - 1) * dilation // 2 for k in taps]
    steps = [
        [at for at in range(-pad, length + pad, stride) if at + (k - 1) * dilation < length + pad]
        for length, k, pad in zip(size, taps, pads, strict=True)
    ]
    return list(itertools.product(*steps))


@pytest.mark.parametrize(
    ("taps", "stride", "dilation"), [((5, 3), 3, 1), ((3, 3), 2, 1), ((3, 5), 1, 2), ((7, 1), 1, 1)]
)
@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_as_a_product_of_patches(taps, stride, dilation, groups):
    cin, cout, size, batch = 12, 10, (11, 7), 2
    kernel = conv(cin, cout, taps, stride, size=size, batch=batch, groups=groups, dilation=dilation)
    work = amounts(kernel, PLAIN)
    mult_adds = patches = written = 0
    for _ in range(batch):
        for _ in positions(size, taps, stride, dilation):
            for _ in range(groups):
                patches += cin // groups * taps[0] * taps[1]
                for _ in range(cout // groups):
                    written += 1
                    mult_adds += cin // groups * taps[0] * taps[1]
    kind = "spatial" if groups == 1 else "grouped"
    assert work[f"{kind}.mult_adds"] == mult_adds == kernel.cost.mult_adds
    assert (work["contraction.patches"], work["contraction.output"]) == (patches, written)
    assert work["contraction.weights"] == cout * (cin // groups) * taps[0] * taps[1]
    assert (work["launch.contraction"], work["contraction.steps"]) == (1, cin // groups * taps[0] * taps[1])


def test_a_pointwise_convolution_reads_its_input_once():
    work = amounts(conv(12, 10, 1, 3), PLAIN)
    count = 2 * len(positions((11, 7), (1, 1), 3))
    assert work["pointwise.mult_adds"] == count * 120
    assert (work["contraction.input"], work["contraction.output"]) == (count * 12, count * 10)
    assert "contraction.patches" not in work


@pytest.mark.parametrize("m", [2, 4, 6])
def test_winograd_by_tiles(m):
    cin, cout, size, batch = 12, 10, (11, 7), 2
    work = amounts(conv(cin, cout, 3, size=size, batch=batch), Machine(winograd=m))
    tiles = [(n, i, j) for n in range(batch) for i in range(0, size[0], m) for j in range(0, size[1], m)]
    points = (m + 2) ** 2
    assert work["winograd.mult_adds"] == sum(points * cin * cout for _ in tiles)
    assert work["winograd.input"] == sum(points * cin for _ in tiles)
    assert work["winograd.output"] == sum(points * cout for _ in tiles)
    assert work["winograd.weights"] == points * cin * cout
    assert "spatial.mult_adds" not in work


@pytest.mark.parametrize(
    "kernel",
    [
        conv(12, 10, 3, 2),
        conv(12, 10, (3, 5)),
        conv(12, 10, 3, dilation=2),
        conv(12, 10, 3, groups=2),
        conv(7, 10, 3),
        conv(12, 7, 3),
        conv(12, 12, 3, groups=12),
        conv(12, 10, (3, 3, 3), size=(5, 4, 3)),
    ],
    ids=["stride", "taps", "dilated", "groups", "few in", "few out", "depthwise", "3-D"],
)
def test_what_winograd_is_not_for(kernel):
    assert not any(name.startswith("winograd") for name in amounts(kernel, Machine(winograd=4)))


@pytest.mark.parametrize(
    ("taps", "stride", "term"),
    [
        ((3, 3), 1, "3x3"),
        ((3, 3), 2, "3x3_strided"),
        ((3, 3), (1, 3), "3x3_strided"),
        ((5, 5), 2, "5x5"),
        ((3, 5), 1, "other"),
        ((7, 7), 1, "other"),
    ],
)
def test_a_depthwise_convolution(taps, stride, term):
    kernel = conv(6, 6, taps, stride, groups=6)
    work = amounts(kernel, PLAIN)
    assert {name for name in work if name.startswith("depthwise.mult_adds")} == {f"depthwise.mult_adds_{term}"}
    assert work[f"depthwise.mult_adds_{term}"] == kernel.cost.mult_adds
    assert work["depthwise.output"] == kernel.cost.output_elements


@pytest.mark.parametrize(
    ("cin", "cout", "half", "scalar"), [(16, 24, 0, 0), (12, 16, 1, 0), (16, 20, 1, 0), (12, 10, 0, 1), (9, 16, 0, 1)]
)
def test_channels_that_do_not_fill_vectors(cin, cout, half, scalar):
    """Vectors of 8; 4 run at half speed."""
    kernel = conv(cin, cout, 1)
    work = amounts(kernel, Machine(vector=8, packed=4))
    assert (work["contraction.half"], work["contraction.scalar"]) == (
        half * kernel.cost.mult_adds,
        scalar * kernel.cost.mult_adds,
    )
    work = amounts(kernel, Machine(vector=8))
    assert work["contraction.scalar"] == (half or scalar) * kernel.cost.mult_adds
    work = amounts(kernel, Machine(vector=8, padded=True))
    assert work["pointwise.mult_adds"] == 2 * 77 * (8 * ceil(cin / 8)) * (8 * ceil(cout / 8))


@pytest.mark.parametrize(("cin", "cout", "packs"), [(58, 58, False), (60, 58, False), (60, 60, True), (64, 72, True)])
def test_channels_that_pack_are_rounded_up_and_others_pay(cin, cout, packs):
    """Blocks of 16 for multiples of 4, as ONNX Runtime has them."""
    machine = Machine(vector=16, packed=4, padded=True)
    kernel = conv(cin, cout, 1)
    rounded = 2 * 77 * (16 * ceil(cin / 16)) * (16 * ceil(cout / 16))
    work = amounts(kernel, machine)
    assert work["pointwise.mult_adds"] == (rounded if packs else kernel.cost.mult_adds)
    assert work["contraction.scalar"] == (0 if packs else kernel.cost.mult_adds)
    assert "contraction.half" not in work
    kernel = conv(cin, cin, (3, 3), groups=cin)
    work = amounts(kernel, machine)
    fills = cin % 4 == 0
    assert work["depthwise.mult_adds_3x3"] * cin == kernel.cost.mult_adds * (16 * ceil(cin / 16) if fills else cin)
    assert work["depthwise.scalar"] == (0 if fills else kernel.cost.mult_adds)
    assert work["depthwise.half"] == 0


@pytest.mark.parametrize(("taps", "term"), [((3, 3), "stem.mult_adds"), ((7, 7), "stem.large_mult_adds")])
def test_the_first_layer_of_images(taps, term):
    kernel = conv(3, 24, taps, 2)
    work = amounts(kernel, Machine(winograd=4))
    assert (work[term], work["contraction.output"]) == (kernel.cost.mult_adds, kernel.cost.output_elements)


@pytest.mark.parametrize(("channels", "few"), [(4, True), (5, False)])
def test_what_few_channels_are(channels, few):
    g = GraphBuilder("net")
    graph = g.build(g.conv(g.input("input", (2, channels, 5, 3)), 24, 3))
    work = work_of(graph, BARE, PLAIN)
    assert ("stem.mult_adds" in work, "spatial.mult_adds" in work) == (few, not few)
    assert work["transfer.elements"] == few * 2 * channels * 15


def test_dense_layers_and_products_of_activations():
    dense = amounts(kernel_of(lambda g, x: g.linear(x, 5), 3, 7), PLAIN)
    assert (dense["dense.mult_adds"], dense["dense.weights"]) == (105, 35)
    assert (dense["contraction.input"], dense["contraction.output"]) == (21, 15)
    product = amounts(kernel_of(lambda g, x: g.matmul(x, g.input("other", (2, 7, 5))), 2, 3, 7), PLAIN)
    assert (product["matmul.mult_adds"], product["contraction.weights"]) == (210, 70)


@pytest.mark.parametrize(
    ("write", "term", "amount"),
    [
        (lambda g, x: g.max_pool(x, (3, 2), stride=3), "pool.comparisons", 2 * 4 * 3 * 2 * 6),
        (lambda g, x: g.global_avg_pool(x), "reduction.input", 2 * 4 * 77),
        (lambda g, x: g._one("ReduceMean", (x,), axes=(2, 3)), "mean.input", 2 * 4 * 77),
        (lambda g, x: g.relu(x), "elementwise.elements", 2 * 2 * 4 * 77),
        (lambda g, x: g.add(x, g.input("y", (2, 4, 1, 1))), "elementwise.elements", 2 * 2 * 4 * 77 + 8),
        (lambda g, x: g.swish(x), "transcendental.elements", 2 * 4 * 77),
        (lambda g, x: g.softmax(x), "softmax.elements", 2 * 4 * 77),
        (lambda g, x: g.local_response_norm(x), "normalization.elements", 2 * 4 * 77),
        (lambda g, x: g.concat((x, x)), "movement.elements", 2 * 8 * 77),
        (lambda g, x: g.channel_shuffle(x, 2), "movement.elements", 2 * 4 * 77),
        (lambda g, x: g.slice(x, 1, 4), "movement.elements", 2 * 3 * 77),
        (lambda g, x: g.upsample(x, 2), "rearrangement.elements", 2 * 4 * 77 * 4),
        (lambda g, x: g.transpose(x, (0, 2, 3, 1)), "rearrangement.elements", 2 * 4 * 77),
    ],
)
def test_light_kernels(write, term, amount):
    kernel = kernel_of(write, 2, 4, 11, 7)
    assert amounts(kernel, PLAIN) == {"launch.light": 1, term: amount}


def test_an_operator_of_no_kind_counts_its_mult_adds_and_elements():
    kernel = kernel_of(lambda g, x: g._one("Einsum", (x, g.input("y", (4, 5))), equation="ij,jk->ik"), 3, 4)
    assert amounts(kernel, PLAIN) == {"launch.light": 1, "other.mult_adds": 60, "other.elements": 12 + 20 + 15}


def test_views_take_nothing():
    assert amounts(kernel_of(lambda g, x: g.flatten(x), 2, 4, 3, 3), PLAIN) == {}


@pytest.mark.parametrize(("batch", "term"), [(1, "launch.group"), (2, "launch.batched_group")])
def test_launches_of_groups(batch, term):
    g = GraphBuilder("net")
    y = g.conv(g.input("input", (batch, 8, 5, 3)), 8, 3, groups=4)
    (kernel,) = fuse(g.build(y), RUNTIMES["cudnn7"])
    work = amounts(kernel, PLAIN)
    assert (work["launch.contraction"], work[term]) == (1, 3)


def epilogue(write, *shape, runtime) -> tuple[int, int]:
    """Operators that the one contraction of write(g, x) makes on its way out, and elements that these read besides."""
    g = GraphBuilder("net")
    kernels = fuse(g.build(write(g, g.input("input", shape))), RUNTIMES[runtime])
    (work,) = (amounts(kernel, PLAIN) for kernel in kernels if kernel.loops is not None)
    return work.get("epilogue.operators", 0), work.get("epilogue.input", 0)


@pytest.mark.parametrize(
    ("write", "runtime", "operators", "read"),
    [
        (lambda g, x: g.conv(x, 10, 3), "cudnn7", 0, 0),
        (lambda g, x: g.relu(g.conv(x, 10, 3)), "cudnn7", 1, 0),
        (lambda g, x: g.relu(g.conv(x, 10, 3)), "torch", 0, 0),
        (lambda g, x: g.relu(g.batch_norm(g.conv(x, 10, 3))), "cudnn7", 1, 0),
        (lambda g, x: g.batch_norm(g.conv(x, 10, 3)), "cudnn7", 0, 0),
        (lambda g, x: g.add(g.conv(x, 10, 1), g.weight("b", (10, 1, 1))), "cudnn7", 0, 0),
        (lambda g, x: g.relu(g.depthwise(x, 5)), "ncnn", 1, 0),
        (lambda g, x: g.relu(g.linear(g.flatten(x), 5)), "tflite", 1, 0),
        (lambda g, x: g.relu(g.add(g.conv(x, 4, 3), x)), "cudnn7", 0, 0),
        (lambda g, x: g.add(g.conv(x, 4, 3), x), "tensorrt", 1, 2 * 4 * 77),
        (lambda g, x: g.relu(g.add(g.conv(x, 4, 3), x)), "tensorrt", 2, 2 * 4 * 77),
    ],
)
def test_what_a_contraction_does_on_its_way_out(write, runtime, operators, read):
    """What is folded into the weights, and a bias, are none of it; nor is what another kernel does."""
    assert epilogue(write, 2, 4, 11, 7, runtime=runtime) == (operators, read)


def test_a_convolution_that_comes_fused_does_the_same_as_one_that_is_fused_here():
    def fused(g, x):
        inputs = (x, g.weight("w", (32, 32, 1, 1)), g.weight("b", (32,)), x)
        return g.node("FusedConv", inputs, {"activation": "Relu"}, domain="com.microsoft")[0]

    found = [
        epilogue(write, 2, 32, 11, 7, runtime="onnxruntime")
        for write in (fused, lambda g, x: g.relu(g.add(g.conv(x, 32, bias=True), x)))
    ]
    assert found == [(2, 2 * 32 * 77)] * 2


def test_a_kernel_in_a_loop_counts_every_run():
    g = GraphBuilder("net")
    x = g.input("input", (1, 8, 5, 3))
    weight = g.weight("w", (6, 8, 1, 1))
    once, often = (fuse(g.build(*g.node("Conv", (x, weight), repeat=n)), BARE)[-1] for n in (1, 5))
    assert amounts(often, PLAIN) == {name: 5 * amount for name, amount in amounts(once, PLAIN).items()}
    y = g.node("Conv", (x, weight), repeat=5)
    kernel = fuse(g.build(*g.node("Relu", y, repeat=5)), RUNTIMES["cudnn7"])[-1]
    assert amounts(kernel, PLAIN)["epilogue.operators"] == 5
    (relu,) = g.node("Relu", (x,), repeat=5)
    assert amounts(fuse(g.build(relu), BARE)[-1], PLAIN) == {"launch.light": 5, "elementwise.elements": 5 * 240}


def test_passes_go_over_the_elements_again():
    g = GraphBuilder("net")
    graph = g.build(g._one("Mish", (g.input("input", (1, 4, 5, 3)),)))
    (kernel,) = fuse(graph, RUNTIMES["torch"])
    assert amounts(kernel, PLAIN)["launch.light"] == 3


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("machine", [Machine(4, 0, False, 4), Machine(8, 4), Machine(32, 0, True, 2)])
def test_a_network_is_the_sum_of_its_kernels_in_known_terms(runtime, machine):
    graph = zoo.load("mobilenet_v3_small")
    kernels = fuse(graph, RUNTIMES[runtime])
    work = work_of(graph, RUNTIMES[runtime], machine)
    assert work.keys() <= TERMS.keys()
    assert all(isinstance(amount, int) and amount >= 0 for amount in work.values())
    assert (work["run"], work["transfer.elements"]) == (1, 3 * 224 * 224)
    launches = sum(kernel.launches for kernel in kernels)
    assert sum(amount for name, amount in work.items() if name.startswith("launch")) == launches
    assert work["launch.contraction"] == sum(kernel.loops is not None for kernel in kernels if kernel.kind != Kind.VIEW)


def chosen_by_size(batch, channels, width):
    """Convolutions that are counted in one way or another: by images, by channels of the input and of themselves."""
    g = GraphBuilder("net")
    x = g.conv(g.input("input", (batch, channels, 9, 6)), 2 * width, 3)
    x = g.conv(x, 2 * width, 3, groups=2)
    x = g.conv(g.conv(x, width, (5, 3), stride=2), width, 3)
    x = g.relu(g.add(g.conv(x, width, 1), x))
    x = g.concat((g.relu(g.conv(x, channels, 1)), g.depthwise(x, 3)))
    return g.build(g.linear(g.flatten(g.global_avg_pool(g.conv(x, channels, 3))), 5))


@settings(max_examples=60)
@given(
    st.sampled_from(list(RUNTIMES)),
    st.sampled_from([PLAIN, Machine(4, 0, False, 4), Machine(8, 4, False, 6), Machine(8, 4), Machine(32, 0, True, 2)]),
    st.lists(st.tuples(st.integers(1, 4), st.integers(2, 16), st.integers(2, 16)), min_size=1, max_size=5),
)
def test_a_population_has_the_amounts_of_its_networks(runtime, machine, sizes):
    columns = (Column(np.array(values)) for values in zip(*sizes, strict=True))
    together = work_of(chosen_by_size(*columns), RUNTIMES[runtime], machine)
    for i, size in enumerate(sizes):
        alone = work_of(chosen_by_size(*size), RUNTIMES[runtime], machine)
        ours = {name: int(x.values[i % len(x)]) if isinstance(x, Column) else x for name, x in together.items()}
        assert {name: x for name, x in ours.items() if x} == {name: x for name, x in alone.items() if x}


def test_every_term_that_is_fitted_has_a_prior_price():
    assert TERMS.keys() - RATES.keys() == {"transfer.elements"}
    assert RATES.keys() <= TERMS.keys()
