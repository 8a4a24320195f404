"""costmodel calibrate DATA.csv --id ID --runtime R -o PROFILE.json."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration import known, report
from calibration.calibrate import Identity, calibrate
from calibration.dataset import Dataset, Sample, read
from calibration.machines import processor_of
from calibration.selection import for_platform
from calibration.validate import Known
from costmodel.cli.output import terminal_width, use_color, write
from costmodel.cli.progress import busy
from costmodel.errors import UsageError
from costmodel.kernels import RUNTIMES, runtime_of
from costmodel.platforms import dumps, save_profile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("data", metavar="DATA.csv", help="measurements: a header with network,latency_ms, a row each")
    parser.add_argument("-o", "--output", metavar="PROFILE.json", required=True, help="the profile to write")
    identity = parser.add_argument_group("the platform")
    identity.add_argument("--id", required=True, help="device-runtime-precision-threads, such as pixel7-tflite-fp32-1t")
    identity.add_argument("--runtime", required=True, metavar="R", help=f"one of {', '.join(RUNTIMES)}")
    identity.add_argument("--precision", metavar="P", help="fp32 (the default), fp16, ...; also chooses rows of it")
    identity.add_argument("--threads", type=int, metavar="N", help="of a CPU; also chooses rows with as many")
    identity.add_argument("--processor", choices=("cpu", "gpu"), help="where the runtime does not tell (default: cpu)")
    identity.add_argument("--device", default="", help="its full name, for the profile")
    identity.add_argument("--runtime-version", default="", metavar="V", help="for the profile")
    identity.add_argument("--clock", default="", help="how its frequency was governed, for the profile")
    identity.add_argument("--date", default="", help="of the measurements, for the profile")
    fitting = parser.add_argument_group("the fit")
    fitting.add_argument("--platform", metavar="NAME", help="use the rows whose column platform says so")
    fitting.add_argument(
        "--prior",
        choices=("auto", "none"),
        default="auto",
        help="auto: begin with what related platforms know (the default); none: with general physics only",
    )
    fitting.add_argument("--skip-bad", action="store_true", help="leave bad rows out and list them")
    fitting.add_argument("--report", metavar="FILE", help="predicted against measured: .html, .svg or .png")


def run(options: argparse.Namespace) -> int:
    """Fit, write the profile and print its held-out error; gives the exit status."""
    runtime = runtime_of(options.runtime).name
    _check_outputs(options)
    dataset = for_platform(
        read(options.data, skip_bad=options.skip_bad), options.platform, options.threads, options.precision
    )
    identity = _identity(options, runtime, dataset.samples)
    learned = known.before(runtime, identity.precision, identity.threads, identity.processor, options.prior)
    offsets = np.array([learned.offsets.get(sample.network, 0.0) for sample in dataset.samples])
    before = Known(learned.prior, offsets)
    with busy(f"Calibrating {identity.id}"):
        platform, held_out = calibrate(
            dataset.samples, identity, lambda out: before, method=_method(learned.relatives), notes=dataset.notes
        )
    dumps(platform)  # a profile that does not fit its form is refused before anything is written
    if options.report:
        report.write(held_out, options.report)
    save_profile(platform, options.output)
    _tell(dataset)
    write(report.text(held_out, terminal_width(), use_color()), None)
    return 0


def _check_outputs(options: argparse.Namespace) -> None:
    """Refuse what could not be written before anything is, and what would replace the measurements."""
    for option, name in (("-o", options.output), ("--report", options.report)):
        if name is None:
            continue
        path = Path(os.path.realpath(name))
        if path.is_dir():
            raise UsageError(f"{option} {name}: cannot be written (it names no file); give another file")
        if not os.access(path.parent, os.W_OK):
            why = "no right to write there" if path.parent.is_dir() else "no such folder"
            raise UsageError(f"{option} {name}: cannot be written ({why}: {path.parent}); give another file")
        if path.exists() and os.path.exists(options.data) and path.samefile(options.data):
            raise UsageError(f"{option} {name}: it holds the measurements; give another file")


def _identity(options: argparse.Namespace, runtime: str, samples: Sequence[Sample]) -> Identity:
    threads = options.threads or max(sample.threads for sample in samples)
    processor = options.processor or processor_of(runtime, 1)
    precision = options.precision or next((sample.precision for sample in samples if sample.precision), "fp32")
    return Identity(
        options.id,
        options.device or options.id.split("-")[0],
        runtime,
        precision.lower(),
        threads or (1 if processor == "cpu" else 0),
        processor,
        options.runtime_version,
        options.clock,
        options.date,
    )


def _method(relatives: Sequence[str]) -> str:
    """How to say what the report holds out where related platforms have run the same networks."""
    if not relatives:
        return ""
    return f"leave one network out; {len(relatives)} related platforms, that the fit begins with, had run most of them"


def _tell(dataset: Dataset) -> None:
    """Notices and bad rows, on stderr."""
    for note in dataset.notes:
        print(note, file=sys.stderr)
    for row in dataset.skipped:
        print(f"left out: {row}", file=sys.stderr)
