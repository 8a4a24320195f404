"""How far two measurements of the same networks agree.

python benchmarks/agreement.py first.csv second.csv
python benchmarks/agreement.py                        the shipped sweep, and a second one of the same machine
python benchmarks/agreement.py --smoke                the same
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration.dataset import read

HERE = Path(__file__).parent
FIRST = HERE.parent / "calibration" / "data" / "onnxruntime_epyc.csv"
SECOND = HERE / "data" / "onnxruntime_epyc_again.csv"
SHOWN = 8  # networks that differ most


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="How far two measurements of the same networks agree.")
    parser.add_argument("first", type=Path, nargs="?", default=FIRST)
    parser.add_argument("second", type=Path, nargs="?", default=SECOND)
    parser.add_argument("--smoke", action="store_true", help="the shipped measurements, as without files")
    options = parser.parse_args(arguments)
    first, second = (
        {(sample.network, sample.batch): sample.latency for sample in read(path).samples}
        for path in (options.first, options.second)
    )
    both = [key for key in first if key in second]
    differences = np.array([second[key] / first[key] - 1 for key in both])
    sizes = np.abs(differences)
    print(f"{len(both)} networks in both, of {len(first)} and {len(second)}")
    print(f"difference: median {np.median(sizes):.1%}, nine in ten at most {np.quantile(sizes, 0.9):.1%}")
    for index in np.argsort(-sizes)[:SHOWN]:
        network, batch = both[index]
        print(f"  {differences[index]:+7.1%}  {network}{f' batch {batch}' if batch > 1 else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
