"""python -m calibration.build_profiles: rebuild every shipped profile and prior from the shipped measurements.

    --check     rebuild into memory and compare with the files: status 1 where they differ by more than rounding
    --only ID   a platform whose id begins like this; may be repeated

The same data give the same files. Profiles of platforms with enough networks begin with general physics only, so that
their held-out errors are strict: no related platform has told anything of the network that is predicted. What related
platforms know goes into the priors, which calibrations of a few networks begin with.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from calibration import known as files
from calibration import physics
from calibration.calibrate import Identity, calibrate
from calibration.dataset import Sample, read
from calibration.features import features
from calibration.fit import Array
from calibration.machines import machine_of
from calibration.relatives import Learned, Relative, learn
from calibration.report import Report
from calibration.validate import Known
from costmodel import zoo
from costmodel.platforms import Platform, dumps
from costmodel.platforms.files import PROFILES
from costmodel.predictor import predict
from costmodel.predictor.terms import of_run
from costmodel.writing import write_whole

DATA = Path(__file__).parent / "data"

FEWEST_NETWORKS = 15
_BLOCKS = "5-fold, whole (resolution, channels in, channels out) combinations out"
_ROWS = "leave one row of Tables 1-4 out"
_FIGURE_2_BATCH = {"gtx1080ti-cudnn7-fp32": 8}  # as in Table 8
_CLOSE = 1e-4  # relative; linear algebra differs in the last bits from machine to machine
_NOTHING = 1e-6  # a share, an exponent or a logarithm that is as good as 0


@dataclass(frozen=True)
class Entry:
    """A row of platforms.csv: a platform, the file of its measurements, and what a user should know."""

    identity: Identity
    file: str
    note: str = ""

    @property
    def year(self) -> float:
        """The date of its measurements, in years; 0 where it is not known."""
        text = self.identity.date[:10]
        if not text:
            return 0.0
        day = date.fromisoformat(text if len(text) == 10 else f"{text[:4]}-01-01")
        return day.year + day.timetuple().tm_yday / 366


def entries() -> tuple[Entry, ...]:
    """Every platform that has measurements to be fitted to."""
    with open(DATA / "platforms.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    result = []
    for row in rows:
        threads = int(row["threads"] or 0)
        identity = Identity(
            row["id"],
            row["device"],
            row["runtime"],
            row["precision"],
            threads,
            "gpu" if row["processor"] == "gpu" else "cpu",
            row["runtime_version"],
            row["clock"],
            row["date"],
        )
        result.append(Entry(identity, row["file"], row["note"]))
    return tuple(result)


def samples_of(entry: Entry) -> tuple[Sample, ...]:
    """The platform's measurements, those that a profile may be fitted to."""
    return tuple(sample for sample in _file(entry.file) if sample.platform == entry.identity.id)


@cache
def _file(name: str) -> tuple[Sample, ...]:
    return read(DATA / name).samples


def shipped() -> tuple[Entry, ...]:
    """The platforms that come with the package: those with enough networks."""
    return tuple(
        entry for entry in entries() if len({sample.network for sample in samples_of(entry)}) >= FEWEST_NETWORKS
    )


class Relations:
    """What platforms of one runtime and precision know of each other."""

    def __init__(self, chosen: Sequence[Entry]) -> None:
        first = chosen[0].identity
        self.machine = machine_of(first.runtime, first.precision, first.processor)
        self.physics = physics.prior(first.processor)
        self.relatives = [
            Relative(
                entry.identity.id,
                entry.identity.device,
                entry.year,
                entry.identity.threads,
                {sample.network: sample.latency for sample in samples_of(entry)},
            )
            for entry in chosen
        ]
        samples = {sample.network: sample for entry in chosen for sample in samples_of(entry)}
        ordered = [samples[name] for name in sorted(samples)]
        rows = features(ordered, first.runtime, self.machine).amounts
        self.amounts: dict[str, Array] = {sample.network: row for sample, row in zip(ordered, rows, strict=True)}

    def learn(self, year: float, threads: int, device_out: str = "") -> Learned:
        """What is known for a platform of a date and a number of threads, without what one device has shown."""
        relatives = [relative for relative in self.relatives if relative.device != device_out]
        return learn(relatives, self.amounts, self.physics, date=year, threads=threads)

    def newest(self) -> float:
        """The date of the latest measurements."""
        return max(relative.date for relative in self.relatives)


@cache
def relations(runtime: str, precision: str) -> Relations:
    """Of all shipped platforms of a runtime and precision."""
    return Relations([e for e in shipped() if (e.identity.runtime, e.identity.precision) == (runtime, precision)])


def build(entry: Entry) -> tuple[Platform, Report]:
    """The profile of a platform, and the report of its held-out error."""
    identity, samples = entry.identity, samples_of(entry)
    general = Known(physics.prior(identity.processor))
    notes = (entry.note,) if entry.note else ()
    if entry.file == "tflite_mobile_blocks.csv":
        return calibrate(
            samples, identity, lambda out: general, groups=_combination_folds(samples), method=_BLOCKS, notes=notes
        )
    if entry.file == "paper_tables1to4.csv":
        rows = [str(sample.line) for sample in samples]
        platform, report = calibrate(samples, identity, lambda out: general, groups=rows, method=_ROWS, notes=notes)
        return _with_transfer(platform), report
    return calibrate(samples, identity, lambda out: general, notes=notes)


def _with_transfer(platform: Platform) -> Platform:
    """The platform with the price of bringing data to it, from the share that Figure 2 of the paper gives to data.

    Tables 1-4 hold none of it: they run on feature maps, and their fit is best without. Whole networks run on images.
    """
    with open(DATA / "figure2_shares.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["platform"] == platform.id]
    prices = []
    for row in rows:
        graph = zoo.load(row["network"], batch=_FIGURE_2_BATCH.get(platform.id, 1))
        share = float(row["data_pct"]) / 100
        elements: Any = of_run(graph)["transfer.elements"]
        rest = predict(graph, platform).latency.seconds
        prices.append(share / (1 - share) * rest / elements)
    price = float(np.mean(prices))
    return replace(platform, coefficients={**platform.coefficients, "transfer.elements": price})


def _combination_folds(samples: Sequence[Sample]) -> list[str]:
    """One of five folds for each (resolution, channels in, channels out) that the source recorded."""
    with open(DATA / "tflite_mobile_blocks.csv", encoding="utf-8", newline="") as file:
        recorded = {line: row["combination"] for line, row in enumerate(csv.DictReader(file), start=2)}
    names = sorted({recorded[sample.line] for sample in samples})
    order = np.random.default_rng(0).permutation(len(names))
    fold = {name: str(order[index] % 5) for index, name in enumerate(names)}
    return [fold[recorded[sample.line]] for sample in samples]


def priors() -> Iterator[tuple[Path, str]]:
    """The files of what related platforms know, for platforms measured from now on."""
    for precision in ("fp32", "fp16"):
        family = relations("ncnn", precision)
        for threads in sorted({relative.threads for relative in family.relatives}):
            text = files.dumps(family.learn(family.newest(), threads))
            yield files.FOLDER / f"ncnn-{precision}-{threads}t.json", text


def main(arguments: Sequence[str] | None = None) -> int:
    """Build or check; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m calibration.build_profiles", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="platforms that begin like this")
    options = parser.parse_args(arguments)
    chosen = [e for e in shipped() if not options.only or e.identity.id.startswith(tuple(options.only))]
    wanted: list[tuple[Path, str]] = []
    for entry in chosen:
        platform, _ = build(entry)
        figures = platform.accuracy
        if figures is not None:
            print(f"{platform.id:<44} {figures.networks:>5} networks  held out {100 * figures.mape:5.1f} %", flush=True)
        wanted.append((Path(PROFILES) / f"{platform.id}.json", dumps(platform)))
    if not options.only:
        wanted.extend(priors())
    if options.check:
        return _checked(wanted, complete=not options.only)
    for path, text in wanted:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    return 0


def _checked(wanted: Sequence[tuple[Path, str]], complete: bool) -> int:
    wrong = [path for path, text in wanted if not path.is_file() or not _same(path.read_text(encoding="utf-8"), text)]
    if complete:
        known = {path for path, _ in wanted}
        there = {*Path(PROFILES).glob("*.json"), *files.FOLDER.glob("*.json")}
        wrong += sorted(there - known)
    for path in wrong:
        print(f"{path.name}: not what the measurements give; run python -m calibration.build_profiles", file=sys.stderr)
    return 1 if wrong else 0


def _same(left: str, right: str) -> bool:
    return left == right or _alike(json.loads(left), json.loads(right))


def _alike(left: object, right: object, key: str = "") -> bool:
    """Equal but for the last digits of numbers. key: under which they stand."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_alike(left[name], right[name], name) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_alike, left, right))
    if isinstance(left, float) and isinstance(right, float | int):
        nothing = 0.0 if key.endswith("seconds") else _NOTHING  # a mult-add takes 1e-10 seconds
        return math.isclose(left, right, rel_tol=_CLOSE, abs_tol=nothing)
    return left == right


if __name__ == "__main__":
    sys.exit(main())
