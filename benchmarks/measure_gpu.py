"""One GPU measured in under eight minutes: fp32 and fp16, batch 1, 8 and 64, launched one by one and as CUDA graphs.

    python benchmarks/measure_gpu.py OUT_DIR --device-id rtx4090      needs an NVIDIA GPU and torch
    python benchmarks/measure_gpu.py OUT_DIR --smoke                  every part once, on the CPU, two small networks

Each way of running is a platform of its own. Batch 1 measures the sweep of `costmodel measure`, larger batches a few
whole networks. A CSV for each way stays in OUT_DIR, so that a run that was stopped goes on; `gpu.csv` has the rows of
all, with a platform's id in each, as calibration/data wants them.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from calibration.dataset import OPTIONAL, REQUIRED
from costmodel.writing import write_whole

NETWORKS = tuple(
    f"zoo:{name}"
    for name in (
        "shufflenet_v2", "shufflenet_v1", "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "mnasnet", "ghostnet",
        "efficientnet_b0", "squeezenet1_1", "resnet18", "resnet50", "resnext50_32x4d", "googlenet", "densenet121",
        "vgg11",
    )
)  # fmt: skip
SMALL = ("zoo:shufflenet_v2,width=0.5,resolution=64", "zoo:mobilenet_v1,width=0.25,resolution=64")
SECONDS = {1: 70, 8: 25, 64: 25}  # of each way, by batch: 8 minutes in all


@dataclass(frozen=True)
class Way:
    """A way of running networks: what `costmodel measure` is told."""

    precision: str
    batch: int
    graph: bool

    @property
    def name(self) -> str:
        return f"{self.precision}-batch{self.batch}{'-graph' if self.graph else ''}"


def ways(smoke: bool) -> Iterator[Way]:
    """Every way; CUDA graphs at batch 1 only, where launches are what a run waits for."""
    for precision in ("fp32",) if smoke else ("fp32", "fp16"):
        for batch in (1, 8) if smoke else SECONDS:
            yield Way(precision, batch, False)
            if batch == 1 and not smoke:
                yield Way(precision, batch, True)


def measure(way: Way, target: Path, smoke: bool) -> tuple[int, bool]:
    """Run the command line; gives its exit status, and whether the CSV is of this run or one that it went on with."""
    words = [sys.executable, "-m", "costmodel", "measure", "--backend", "torch", "-o", str(target)]
    words += ["--precision", way.precision, "--batch", str(way.batch), "--device", "cpu" if smoke else "cuda"]
    words += ["--budget", f"{4 if smoke else SECONDS[way.batch]}s", *(["--cuda-graph"] if way.graph else [])]
    models = SMALL if smoke else () if way.batch == 1 else NETWORKS
    print(f"{way.name}: {' '.join(words[3:])}", file=sys.stderr)
    journal = target.with_suffix(".passes.jsonl")
    before = _size(journal)
    status = subprocess.run([*words, *models], check=False).returncode
    # A start is noted in the journal; a CSV of another GPU, or of --smoke, is refused before that.
    return status, target.exists() and _size(journal) > before


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def merged(targets: dict[Way, Path], device: str) -> tuple[str, int]:
    """All rows as one CSV, sorted by platform and network, and how many they are."""
    columns = (*REQUIRED, *OPTIONAL)
    rows = []
    for way, path in targets.items():
        platform = f"{device}{'graph' if way.graph else ''}-torch-{way.precision}"
        with open(path, encoding="utf-8", newline="") as file:
            rows += [{**row, "platform": platform} for row in csv.DictReader(file)]
    rows.sort(key=lambda row: (row["platform"], row["network"], int(row["batch"])))
    lines = [",".join(columns)]
    for row in rows:
        cells = [row.get(column) or "" for column in columns]
        lines.append(",".join(f'"{cell}"' if "," in cell else cell for cell in cells))
    return "\n".join(lines) + "\n", len(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="One GPU measured in under eight minutes.")
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--device-id", default="gpu", help="what ids of platforms begin with, such as rtx4090")
    parser.add_argument("--smoke", action="store_true", help="on the CPU, two small networks")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    targets = {way: options.out / f"{way.name}.csv" for way in ways(options.smoke)}
    ended = {way: measure(way, path, options.smoke) for way, path in targets.items()}
    worst = max(status for status, _ in ended.values())
    own = {way: path for way, path in targets.items() if ended[way][1]}
    if not own:
        return worst
    text, count = merged(own, options.device_id)
    write_whole(options.out / "gpu.csv", text)
    print(f"{options.out / 'gpu.csv'}: {count} rows of {len(own)} of {len(targets)} ways of running")
    return worst


if __name__ == "__main__":
    sys.exit(main())
