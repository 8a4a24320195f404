"""Mult-adds of torchvision's classification models against the figures that torchvision publishes.

    python benchmarks/torchvision_counts.py MODELS_DIR    # filled by export_torchvision.py

Prints every model and crop size with its file; exit status 1 if one differs by more than the published
figure's rounding, or is missing.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from costmodel.analysis import analyze

PUBLISHED = Path(__file__).parent / "data" / "torchvision_published.csv"
HALF_A_DIGIT = 0.0005  # G: figures are printed with three decimals


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("models", type=Path, metavar="MODELS_DIR")
    folder = parser.parse_args().models
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    bad = 0
    print(f"{'model':24}{'crop':>5}{'counted, G':>14}{'published, G':>14}{'not exact':>11}")
    for row in rows:
        path = folder / f"{row['model']}-{row['crop']}.onnx"
        label = f"{row['model']:24}{row['crop']:>5}"
        if not path.exists():
            print(f"{label}  missing: {path.name}")
            bad += 1
            continue
        analysis = analyze(path)
        counted, published = analysis.totals.mult_adds / 1e9, float(row["giga_mult_adds"])
        differs = abs(counted - published) > HALF_A_DIGIT * 1.0001
        bad += differs
        inexact = analysis.coverage.approximated + analysis.coverage.unknown
        print(f"{label}{counted:14.6f}{published:14.3f}{inexact:11}{'   differs' if differs else ''}")
    print(f"{len(rows) - bad} of {len(rows)} within the published rounding")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
