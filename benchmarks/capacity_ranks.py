"""What each capacity is worth: how it orders networks whose ImageNet top-1 is published, and the law fitted again.

    python benchmarks/capacity_ranks.py             the tables of docs/capacity.md
    python benchmarks/capacity_ranks.py --smoke     the same: it takes a second or two

`data/published_accuracy.csv` has the figures with their sources. Networks without a reference the zoo cannot build;
those called _ssld were taught by a larger network, which no count can see: they are left out. Mult-adds and entropy
are of the zoo's networks. Parameters are as published: of the MobileNets V3 whose width is not 1, the zoo's last
hidden layer has another width than the published ones.
"""

from __future__ import annotations

import argparse
import csv
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.optimize import curve_fit
from scipy.stats import kendalltau, spearmanr

from costmodel import zoo
from costmodel.graph import Graph
from search.capacity import capacity_of
from search.top1_law import EXPONENT, FLOOR, SCALE, law_top1

PUBLISHED = Path(__file__).parent / "data" / "published_accuracy.csv"
FAMILY = "megvii-model/ShuffleNet-Series"
LAW_FROM = 40.0  # millions of mult-adds: of the smallest design of Table 5
LAW_NETWORKS = tuple(f"ShuffleNetV2 {width}x" for width in (0.5, 1.0, 1.5, 2.0))
EQUAL = 1.2  # mult-adds of a pair that counts as equal: up to this ratio
LEVELS = (18, 40, 90, 140, 200, 320, 570)  # millions: where the networks are, near the paper's 40, 140, 300 and 500
NEAR = 0.1  # of a level: mult-adds that count as equal to it
SHOWN = {
    "entropy": "entropy",
    "params": "params",
    "mult_adds": "mult_adds, top1_law",
    "theirs": "(DeepMAD's own sum)",
}


@dataclass(frozen=True)
class Row:
    """A published network. reference: of the zoo, or empty. top1, error: percent. mult_adds, params: as published."""

    source: str
    name: str
    reference: str
    mult_adds: float
    params: float
    error: float

    @property
    def top1(self) -> float:
        return 100 - self.error

    @property
    def is_family(self) -> bool:
        """Whether the ShuffleNets' authors trained it."""
        return self.source.startswith(FAMILY)

    @property
    def series(self) -> str:
        """Networks that differ in width only."""
        return re.split(r"_x\d| \d", self.name)[0]


@dataclass(frozen=True)
class Scored:
    """A published network and what capacities say of it, by name."""

    row: Row
    scores: Mapping[str, float]

    @property
    def mult_adds(self) -> float:
        return self.scores["mult_adds"]


Pairs = list[tuple[Scored, Scored]]
LAW_GROUPS: Mapping[str, Callable[[Row], bool]] = {
    "what it was fitted on": lambda row: row.name in LAW_NETWORKS,
    "the same designs, trained by PaddleClas": lambda row: (
        row.series == "ShuffleNetV2" and not row.is_family and row.mult_adds > LAW_FROM
    ),
    "ShuffleNet V2 of width 0.25 and 0.33": lambda row: (
        row.series == "ShuffleNetV2" and not row.is_family and row.mult_adds <= LAW_FROM
    ),
    "ShuffleNet V1": lambda row: row.name.startswith("ShuffleNetV1"),
    "ShuffleNet V2+": lambda row: row.name.startswith("ShuffleNetV2+"),
    "other mobile networks": lambda row: not row.is_family and row.series != "ShuffleNetV2",
}


def read_published() -> list[Row]:
    """All rows but those of distilled networks."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        rows = [
            Row(
                line["source"],
                line["published_name"],
                line["network"],
                float(line["mult_adds_millions"]),
                float(line["params_millions"]),
                float(line["top1_error_pct"]),
            )
            for line in csv.DictReader(file)
        ]
    return [row for row in rows if not row.name.endswith("_ssld")]


def score(row: Row) -> Scored:
    graph = zoo.load(row.reference)
    scores = {"params": row.params, "theirs": cumulative_entropy(graph)}
    for name in ("entropy", "mult_adds"):
        amount = capacity_of(name).amount
        assert amount is not None
        scores[name] = float(amount(graph.nodes, graph.tensors))
    return Scored(row, scores)


def cumulative_entropy(graph: Graph) -> float:
    """DeepMAD's own sum, as near as a graph without marked stages tells it: five stages by resolution, each with its
    last map and with the convolutions of all earlier ones."""
    side = graph.tensors[graph.inputs[0]].shape[2]
    widths, ends = [0.0] * 5, [0.0] * 5
    for node in graph.nodes:
        shape = graph.tensors[node.outputs[0]].shape
        if len(shape) != 4 or shape[2] == 1:
            continue
        stage = min(4, max(0, math.ceil(math.log2(side / shape[2]) - 1e-9) - 1))
        ends[stage] = math.log(math.prod(shape[1:]))
        if node.op_type == "Conv":
            widths[stage] += math.log(math.prod(graph.tensors[node.inputs[1]].shape[1:]))
    weights = (1, 1, 1, 1, 8)
    return sum(w * end * total for w, end, total in zip(weights, ends, np.cumsum(widths), strict=True))


def correlations(networks: Sequence[Scored], name: str) -> tuple[float, float]:
    """Kendall's tau and Spearman's rho of a capacity with top-1."""
    scores = [network.scores[name] for network in networks]
    top1 = [network.row.top1 for network in networks]
    return float(kendalltau(scores, top1)[0]), float(spearmanr(scores, top1)[0])


def same_series(networks: Sequence[Scored]) -> Pairs:
    """Pairs of networks that differ in width only."""
    return [(a, b) for a, b in combinations(networks, 2) if a.row.series == b.row.series]


def equal_mult_adds(networks: Sequence[Scored]) -> Pairs:
    """Pairs of networks with equal mult-adds."""
    return [
        (a, b)
        for a, b in combinations(networks, 2)
        if max(a.mult_adds, b.mult_adds) <= EQUAL * min(a.mult_adds, b.mult_adds)
    ]


def pair_tau(pairs: Pairs, name: str) -> float:
    """Kendall's tau of chosen pairs: those that a capacity orders right minus those that it orders wrong, of all."""
    signs = [np.sign(a.scores[name] - b.scores[name]) * np.sign(a.row.top1 - b.row.top1) for a, b in pairs]
    return float(np.mean(signs)) if signs else math.nan


def show_ranks(family: Sequence[Scored], mobile: Sequence[Scored]) -> None:
    groups = {"ShuffleNets": family, "mobile networks": mobile}
    for title, networks in groups.items():
        print(f"{title}: {len(networks)} networks; {len(same_series(networks))} pairs of one series,")
        print(f"  {len(equal_mult_adds(networks))} pairs whose mult-adds differ by a factor of {EQUAL} at most")
    print()
    print(f"{'':26}{'ShuffleNets':>17}{'mobile networks':>37}")
    print(f"{'':26}" + "".join(f"{word:>9}" for word in ("tau", "rho", "tau", "rho", "series", "equal")))
    for name, label in SHOWN.items():
        figures = (
            *correlations(family, name),
            *correlations(mobile, name),
            pair_tau(same_series(mobile), name),
            pair_tau(equal_mult_adds(mobile), name),
        )
        print(f"{label:26}" + "".join(f"{figure:9.2f}" for figure in figures))
    print("tau, rho: Kendall's, Spearman's with top-1; series, equal: tau over those pairs")


def show_spread(mobile: Sequence[Scored]) -> None:
    print(f"Top-1 at equal mult-adds (mobile networks, at most {NEAR:.0%} more or less)")
    print(f"{'mult-adds (M)':>13}{'networks':>10}{'spread':>8}  from, to")
    for level in LEVELS:
        near = [network for network in mobile if abs(network.mult_adds / level / 1e6 - 1) <= NEAR]
        low, high = (pick(near, key=lambda network: network.row.top1) for pick in (min, max))
        spread = high.row.top1 - low.row.top1
        print(f"{level:13}{len(near):10}{spread:8.1f}  {low.row.name}, {high.row.name}")


def fit_law(rows: Sequence[Row]) -> tuple[float, float, float]:
    """floor, scale and exponent of error = floor + scale x (millions of mult-adds)^-exponent, by least squares."""

    def law(millions: np.ndarray, floor: float, scale: float, exponent: float) -> np.ndarray:
        return floor + scale * millions**-exponent

    own = [row for row in rows if row.name in LAW_NETWORKS]
    constants, _ = curve_fit(law, [row.mult_adds for row in own], [row.error for row in own], p0=(15.0, 100.0, 0.4))
    floor, scale, exponent = map(float, constants)
    return floor, scale, exponent


def show_law(rows: Sequence[Row]) -> None:
    floor, scale, exponent = fit_law(rows)
    print(f"top1_law: error = {FLOOR} + {SCALE} M^-{EXPONENT}; fitted: {floor:.2f} + {scale:.1f} M^-{exponent:.3f}")
    print("published error minus the law's, points")
    for title, chosen in LAW_GROUPS.items():
        points = [row.top1 - float(law_top1(row.mult_adds * 1e6)) for row in rows if chosen(row)]
        print(f"  {title:44}{len(points):3} networks {-max(points):+6.2f} to {-min(points):+.2f}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="How capacities order networks with published accuracies.")
    parser.add_argument("--smoke", action="store_true", help="the same: it takes a second or two")
    parser.parse_args(arguments)
    rows = read_published()
    networks = [score(row) for row in rows if row.reference]
    family = [network for network in networks if network.row.is_family]
    mobile = [network for network in networks if not network.row.is_family]
    show_ranks(family, mobile)
    print()
    show_spread(mobile)
    print()
    show_law(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
