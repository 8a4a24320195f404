"""How fast a prediction is: one network, long chains, and a population of designs.

    python benchmarks/latency_speed.py
    python benchmarks/latency_speed.py --smoke        # every part once, small

The floor is building the graph. The platform is ncnn's rules with the prices of calibration/physics.py, so that every
term is priced; how long a profile takes to load is measured on a shipped one. One core.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from turns import medians

from calibration.physics import prior
from costmodel import zoo
from costmodel.builder import GraphBuilder
from costmodel.columns import Column
from costmodel.dims import Dim
from costmodel.graph import Graph
from costmodel.kernels import fuse, runtime_of
from costmodel.platforms import Doubt, Machine, Platform, find, platforms
from costmodel.predictor import predict
from costmodel.zoo.shufflenet_v2 import head, stages, stem

CHAINS = (1_000, 5_000, 20_000)
DESIGNS = 100_000
AT_ONCE = 10_000  # designs of a column; of more, its arrays would be memory that is new each time
_UNITS = (4, 8, 4)


def platform() -> Platform:
    """ncnn's rules; every term has a price."""
    known = prior("cpu")
    coefficients = dict(zip(known.terms, (np.exp(known.mean) * 1e-10).tolist(), strict=True))
    doubt = Doubt(0.1, {"pointwise": 0.1, "depthwise": 0.2}, {0.9: 1.6})
    return Platform("bench-ncnn-fp32-1t", "a bench", "ncnn", "fp32", 1, Machine(4, 0, False, 4), coefficients, doubt)


def table(title: str, times: Mapping[str, float], floor: str) -> None:
    print(f"\n{title}")
    for name, seconds in times.items():
        print(f"  {name:34} {seconds * 1e3:9.2f} ms {seconds / times[floor]:7.2f} x")


def one_network(reference: str, target: Platform, rounds: int) -> None:
    """A network whose graph and platform are loaded, and what leads there."""
    graph = zoo.load(reference)
    candidates: dict[str, Callable[[], object]] = {
        "build the graph": lambda: zoo.load(reference),
        "fuse": lambda: fuse(graph, runtime_of(target.runtime)),
        "predict (fuse included)": lambda: predict(graph, target),
    }
    shipped = platforms()
    if shipped:
        candidates["load a profile"] = lambda: find(shipped[0])
    title = f"{reference}, {len(graph.nodes)} operators (predict at most 5 ms)"
    table(title, medians(candidates, rounds), "build the graph")


def chain(length: int) -> Graph:
    """1x1 convolutions, normalisations and ReLUs, a third of the `length` nodes each."""
    g = GraphBuilder("chain")
    x = g.input("input", (1, 8, 16, 16))
    for _ in range(length // 3):
        x = g.relu(g.batch_norm(g.conv(x, 8)))
    return g.build(x)


def chains(lengths: Sequence[int], target: Platform, rounds: int) -> None:
    """Time against the number of nodes."""
    print("\nChains of convolution, normalisation and ReLU")
    for length in lengths:
        graph = chain(length)
        seconds = medians({"predict": lambda graph=graph: predict(graph, target)}, rounds)["predict"]
        print(f"  {length:7} nodes {seconds * 1e3:9.1f} ms {seconds / length * 1e6:6.1f} us a node")


def widths(count: int) -> Iterator[list[Column]]:
    """Channels of stages 2 to 4 and of conv5 for `count` designs, AT_ONCE at a time."""
    random = np.random.default_rng(0)
    values = [2 * random.integers(12, 120 * scale, count) for scale in (1, 2, 4)] + [random.integers(256, 2048, count)]
    for start in range(0, count, AT_ONCE):
        yield [Column(value[start : start + AT_ONCE]) for value in values]


def shufflenet_v2(channels: Sequence[Dim]) -> Graph:
    """ShuffleNet V2 with the channels of stages 2 to 4 and of conv5."""
    g = GraphBuilder("population")
    *plan, last = channels
    x = stages(g, stem(g, g.input("input", (1, 3, 224, 224)), 24), tuple(zip(plan, _UNITS, strict=True)))
    return g.build(head(g, x, last, 1000))


def population(count: int, target: Platform, rounds: int) -> None:
    """Designs of ShuffleNet V2, from their widths to their latencies."""
    runtime = runtime_of(target.runtime)
    start = time.perf_counter()
    for columns in widths(count):
        predict(shufflenet_v2(columns), target)
    first = time.perf_counter() - start
    times = medians(
        {
            "build the graphs": lambda: [shufflenet_v2(columns) for columns in widths(count)],
            "build and fuse": lambda: [fuse(shufflenet_v2(columns), runtime) for columns in widths(count)],
            "build, fuse and predict": lambda: [predict(shufflenet_v2(c), target).latency for c in widths(count)],
        },
        rounds,
    )
    title = f"{count} widths of ShuffleNet V2, {AT_ONCE} at once (at most 1 s)"
    table(title, {**times, "the same, first in a process": first}, "build the graphs")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="every part once, small")
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    target = platform()
    population(500 if options.smoke else DESIGNS, target, 1 if options.smoke else 3)
    for reference in ("zoo:shufflenet_v2", "zoo:resnet50", "zoo:mobilenet_v3_large"):
        one_network(reference, target, 1 if options.smoke else options.rounds)
    chains(tuple(itertools.islice(CHAINS, 1 if options.smoke else None)), target, 1 if options.smoke else 3)
    return 0


if __name__ == "__main__":
    sys.exit(main())
