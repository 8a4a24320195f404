"""What following a guideline gains, as the rules price it and as the paper measured it: Tables 1 to 4, row by row.

    python benchmarks/guideline_gains.py            print the tables
    python benchmarks/guideline_gains.py --smoke    the same: it takes a few seconds

A row of the tables breaks a guideline; the row of the same mult-adds that keeps it is what to use instead. The gain
is how many times faster that one is; what is saved is the difference of the two times. "priced" is the rule's own
price of its use-instead, for each row by a fit of the platform to all other rows. The mult-adds of a row and of what
to use instead differ by up to 5 % in the paper, and not in the price.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

import costmodel
from calibration import physics
from calibration.build_profiles import Entry, samples_of, shipped
from calibration.dataset import Sample, graph
from calibration.features import features
from calibration.fit import fit
from calibration.machines import machine_of
from costmodel.guidelines import RULES, Clock, Options, chosen, review
from costmodel.platforms import Platform, find
from costmodel.predictor import predict

DEFAULTS = {  # a sample's name leaves out what the zoo's builder has by itself
    "G1": {"c1": "128", "c2": "128"},
    "G2": {"c": "128", "groups": "1"},
    "G3": {"c": "128", "fragments": "1", "arrangement": "series"},
    "G4": {"c": "128", "relu": "true", "shortcut": "true"},
}
TABLES = {"zoo:paper_g1": "G1", "zoo:paper_g2": "G2", "zoo:paper_g3": "G3", "zoo:paper_g4": "G4"}
CLOSE = 1 / 3
EVERY_PLACE = Options(note_at=0.0, min_excess=0.0, max_fragments=1, min_total=0.0)


@dataclass(frozen=True)
class Gain:
    """A row and what to use instead. Seconds measured of both, and priced: of the row, and what its rule saves.

    by_rule: whether a finding has the price; where the rule sees no block, the price is of the other row's network.
    """

    guideline: str
    row: str
    before: float
    after: float
    predicted: float
    saved: float
    by_rule: bool

    @property
    def measured_gain(self) -> float:
        return self.before / self.after

    @property
    def priced_gain(self) -> float:
        return self.predicted / (self.predicted - self.saved)

    @property
    def is_close(self) -> bool:
        """Whether the gain is within a third of the measured one."""
        return abs(self.priced_gain - self.measured_gain) <= CLOSE * self.measured_gain

    @property
    def saves_alike(self) -> bool:
        """Whether what is saved is within a third of what the measurements differ by: 0 there leaves no room."""
        return abs(self.saved - (self.before - self.after)) <= CLOSE * abs(self.before - self.after)


def paper() -> Iterator[Entry]:
    """The platforms of the tables."""
    return (entry for entry in shipped() if entry.file == "paper_tables1to4.csv")


def options_of(sample: Sample) -> dict[str, str]:
    name, *parts = sample.network.split(",")
    return DEFAULTS[TABLES[name]] | dict(part.split("=") for part in parts)


def keeps(guideline: str, options: dict[str, str]) -> bool:
    """Whether a row of a table is one to use instead."""
    return {
        "G1": lambda: options["c1"] == options["c2"],
        "G2": lambda: options["groups"] == "1",
        "G3": lambda: options["fragments"] == "1",
        "G4": lambda: options["relu"] == options["shortcut"] == "false",
    }[guideline]()


def gains(entry: Entry) -> Iterator[Gain]:
    """Every row of a platform that does not keep its table's guideline."""
    samples = samples_of(entry)
    shipped_one = find(entry.identity.id)
    machine = machine_of(entry.identity.runtime, entry.identity.precision, entry.identity.processor)
    work = features(samples, entry.identity.runtime, machine)
    seconds = np.array([sample.latency for sample in samples])
    prior = physics.prior(entry.identity.processor)
    for index, sample in enumerate(samples):
        guideline = TABLES[sample.network.partition(",")[0]]
        if keeps(guideline, options_of(sample)):
            continue
        rest = np.arange(len(samples)) != index
        own = fit(work.amounts[rest], seconds[rest], prior)
        prices = dict(zip(own.terms, own.coefficients.tolist(), strict=True))
        platform = replace(shipped_one, coefficients=prices, stretch=own.stretch)
        instead = kept(samples, sample, guideline, work.mult_adds)
        yield gain(guideline, sample, instead, platform)


def kept(samples: Sequence[Sample], sample: Sample, guideline: str, mult_adds: np.ndarray) -> Sample:
    """The row to use instead: that of the nearest mult-adds; of Table 4 the one of the same channels."""
    own = mult_adds[samples.index(sample)]
    others = [
        (abs(mult_adds[index] / own - 1), index)
        for index, other in enumerate(samples)
        if TABLES[other.network.partition(",")[0]] == guideline and keeps(guideline, options_of(other))
        if guideline != "G4" or options_of(other)["c"] == options_of(sample)["c"]
    ]
    return samples[min(others)[1]]


def gain(guideline: str, sample: Sample, instead: Sample, platform: Platform) -> Gain:
    analysis = costmodel.analyze(graph(sample), platform=platform)
    clock = Clock(platform, analysis.predictions[0])
    found = review(analysis.graph, [clock], EVERY_PLACE, chosen([guideline]))
    saved = found.totals[0].seconds
    if not found.findings:
        saved = clock.total - predict(graph(instead), platform).latency.seconds
    row = ",".join(f"{name}={value}" for name, value in options_of(sample).items())
    return Gain(guideline, row, sample.latency, instead.latency, clock.total, saved, bool(found.findings))


def show(platform: str, rows: Sequence[Gain]) -> None:
    print(f"\n{platform}\n  {'':2} {'row':38} {'measured':>9} {'priced':>7} {'saved ms':>9} {'priced':>9}")
    for one in rows:
        marks = ("" if one.is_close else " gain") + ("" if one.saves_alike else " saved")
        note = f"  off:{marks}" if marks else ""
        by = " " if one.by_rule else "*"
        saved = (one.before - one.after) * 1e3
        print(
            f"  {one.guideline} {one.row:38} {one.measured_gain:8.2f}x {one.priced_gain:6.2f}x"
            f"{by}{saved:9.3f} {one.saved * 1e3:9.3f}{note}"
        )


def summary(rows: Sequence[Gain]) -> None:
    print(f"\n  {'':10} {'rows':>5} {'faster':>7} {'gain within a third':>20} {'saved within a third':>21}")
    for name in (*RULES, "all"):
        part = [one for one in rows if name in (one.guideline, "all")]
        faster, close, alike = (sum(marks) for marks in zip(*map(marks_of, part), strict=True))
        print(f"  {name:10} {len(part):5} {faster:7} {close:20} {alike:21}")


def marks_of(one: Gain) -> tuple[bool, bool, bool]:
    return one.saved > 0, one.is_close, one.saves_alike


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What following a guideline gains: priced, and measured by the paper.")
    parser.add_argument("--smoke", action="store_true", help="the same")
    parser.parse_args(arguments)
    every = []
    for entry in paper():
        rows = list(gains(entry))
        show(entry.identity.id, rows)
        every += rows
    summary(every)
    print("\n  * no finding: convolutions in a row are a deep network; the price is of the other row's network")
    return 0


if __name__ == "__main__":
    sys.exit(main())
