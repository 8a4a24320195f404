"""How long a check takes beside an analysis: `costmodel check` has to stay under twice `costmodel analyze`.

    python benchmarks/check_speed.py [MODEL ...]     zoo networks by default, and chains of operators
    python benchmarks/check_speed.py --smoke         one network, once

Both predict on the paper's two platforms; medians of rounds in which they take turns. "in process" is without what a
process has to import first, "process" is the command line from its start to its end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from turns import medians

from costmodel.analysis import Analysis, analyze
from costmodel.builder import GraphBuilder
from costmodel.graph import Graph

PLATFORMS = ("gtx1080ti-cudnn7-fp32", "snapdragon810-neon-fp32-1t")
MODELS = tuple(
    f"zoo:{name}" for name in ("mobilenet_v2", "shufflenet_v2", "googlenet", "densenet121", "nasnet_a_mobile")
)
CHAINS = (5_000, 20_000)


def analysis(model: str | Graph) -> Analysis:
    return analyze(model, platform=PLATFORMS)


def checked(model: str) -> object:
    return analysis(model).check()


def chain(length: int) -> Graph:
    """Inverted residuals in a row: layers, depthwise convolutions, activations and additions."""
    g = GraphBuilder("chain")
    x = g.input("x", (1, 16, 28, 28))
    for index in range(length // 5):
        y = g.depthwise(g.relu(g.conv(x, 96, name=f"a{index}"), f"r{index}"), name=f"b{index}")
        x = g.add(x, g.conv(y, 16, name=f"c{index}"), f"d{index}")
    return g.build(x)


def command(verb: str, model: str) -> Callable[[], object]:
    words = [sys.executable, "-m", "costmodel", verb, model]
    return lambda: subprocess.run(words, capture_output=True, check=False)


def show(name: str, before: float, after: float) -> None:
    print(f"  {name:34} {before * 1e3:9.1f} {after * 1e3:9.1f} ms {after / before:6.2f} x")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="How long a check takes beside an analysis.")
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--smoke", action="store_true", help="one network, once")
    options = parser.parse_args(arguments)
    models, chains, rounds = (MODELS[:1], (), 1) if options.smoke else (options.models, CHAINS, 9)
    print(f"  {'in process':34} {'analyze':>9} {'with check':>12}")
    for model in models:
        times = medians({"analyze": partial(analysis, model), "check": partial(checked, model)}, rounds)
        show(model, times["analyze"], times["check"])
    for length in chains:
        start = time.perf_counter()
        what = analysis(chain(length))
        middle = time.perf_counter()
        what.check()
        show(f"a chain of {length:,} operators", middle - start, time.perf_counter() - start)
    print(f"  {'process':34} {'analyze':>9} {'check':>12}")
    for model in models:
        times = medians({verb: command(verb, model) for verb in ("analyze", "check")}, rounds)
        show(model, times["analyze"], times["check"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
