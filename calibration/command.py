"""costmodel calibrate DATA.csv --id ID --runtime R -o PROFILE.json, and the same from a benchmark's logs."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from calibration import known, logs, report
from calibration.calibrate import Identity, calibrate
from calibration.dataset import Dataset, Sample, graph
from calibration.features import strange_kernels
from calibration.logs import Measured
from calibration.machines import BLOCKS, PROCESSORS, has_blocks, processor_of
from calibration.physics import Processor
from calibration.report import Report
from calibration.selection import FEW_NETWORKS, for_platform
from calibration.validate import Known
from costmodel.cli.output import terminal_width, use_color, write
from costmodel.cli.progress import busy
from costmodel.errors import UsageError
from costmodel.graph import Counting
from costmodel.kernels import RUNTIMES, runtime_of
from costmodel.platforms import Platform, dumps, save_profile

_SLOWEST = 1e7  # mult-adds a second; a microcontroller does more
_FASTEST: dict[Processor, float] = {"cpu": 1e13, "gpu": 1e15}
_STRANGE = 0.05  # of the kernels: a few are fused otherwise in another version
_FAR_OFF = 5.0  # times the measured latency, or as many times less


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument(
        "data",
        metavar="DATA",
        nargs="+",
        help="measurements: a CSV with a header with network,latency_ms and a row each; or what --from says",
    )
    parser.add_argument(
        "--from",
        dest="format",
        choices=logs.FORMATS,
        default=logs.CSV,
        help="what DATA is: a data CSV (the default); logs of ncnn's benchncnn; NETWORK=LOG for each log of TFLite's "
        "benchmark_model or TensorRT's trtexec, such as zoo:mobilenet_v2=mbv2.txt",
    )
    parser.add_argument("-o", "--output", metavar="PROFILE.json", required=True, help="the profile to write")
    identity = parser.add_argument_group("the platform")
    identity.add_argument("--id", required=True, help="device-runtime-precision-threads, such as pixel7-tflite-fp32-1t")
    identity.add_argument("--runtime", required=True, metavar="R", help=f"one of {', '.join(RUNTIMES)}")
    identity.add_argument("--precision", metavar="P", help="as in the id; also chooses rows of it")
    identity.add_argument("--threads", type=int, metavar="N", help="of a CPU, as in the id; also chooses rows")
    identity.add_argument("--processor", choices=("cpu", "gpu"), help="where the runtime does not tell (default: cpu)")
    identity.add_argument(
        "--blocks",
        type=int,
        choices=BLOCKS,
        help="with onnxruntime: channels in a block of its layout, which costmodel measure tells: 16 with AVX-512 (the "
        "default), 8 on other x86-64, 0 on ARM",
    )
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
    precision, threads = _as_named(options, runtime)
    measured = logs.read(options.format, options.data, runtime, precision, threads, skip_bad=options.skip_bad)
    dataset = for_platform(measured.dataset, options.platform, threads, precision)
    identity = _identity(options, runtime, precision, threads, dataset.samples, measured)
    learned = known.before(runtime, identity.precision, identity.threads, identity.processor, options.prior)
    offsets = np.array([learned.offsets.get(sample.network, 0.0) for sample in dataset.samples])
    before = Known(learned.prior, offsets)
    with busy(f"Calibrating {identity.id}"):
        platform, held_out = calibrate(
            dataset.samples,
            identity,
            lambda out: before,
            method=_method(learned.relatives),
            notes=_few(dataset),
        )
    dumps(platform)  # a profile that does not fit its form is refused before anything is written
    held_out = _naming(held_out, measured.origin)
    if options.report:
        report.write(held_out, options.report)
    save_profile(platform, options.output)
    _tell(
        dataset,
        [*_assumed(identity, dataset.samples), *_doubtful(platform, dataset.samples, held_out, identity.processor)],
    )
    write(report.text(held_out, terminal_width(), use_color()), None)
    return 0


def _check_outputs(options: argparse.Namespace) -> None:
    """Refuse what could not be written before anything is, and what would replace the measurements."""
    measurements = logs.files(options.format, options.data)
    for option, name in (("-o", options.output), ("--report", options.report)):
        if name is None:
            continue
        path = Path(os.path.realpath(name))
        if path.is_dir():
            raise UsageError(f"{option} {name}: cannot be written (it names no file); give another file")
        if not os.access(path.parent, os.W_OK):
            why = "no right to write there" if path.parent.is_dir() else "no such folder"
            raise UsageError(f"{option} {name}: cannot be written ({why}: {path.parent}); give another file")
        if path.exists() and any(os.path.exists(data) and path.samefile(data) for data in measurements):
            raise UsageError(f"{option} {name}: it holds the measurements; give another file")


def _as_named(options: argparse.Namespace, runtime: str) -> tuple[str, int | None]:
    """Precision and threads as the id says, or the options. Raises UsageError where they or the runtime differ."""
    words = options.id.split("-")
    own_threads = int(words.pop()[:-1]) if re.fullmatch(r"[0-9]{1,4}t", words[-1]) else None
    if len(words) < 3:
        raise UsageError(
            f"--id {options.id}: it names no platform; write device-runtime-precision-threads, "
            "such as pixel7-tflite-fp32-1t, or without threads for a GPU"
        )
    said = (("--runtime", runtime, words[-2]), ("--precision", options.precision, words[-1]))
    for option, given, own in (*said, ("--threads", options.threads, own_threads)):
        if given is not None and own is not None and str(given).lower() != str(own):
            raise UsageError(f"--id {options.id}: it says {own} where {option} says {given}; correct one of the two")
    return words[-1], options.threads or own_threads


def _identity(
    options: argparse.Namespace,
    runtime: str,
    precision: str,
    threads: int | None,
    samples: Sequence[Sample],
    measured: Measured,
) -> Identity:
    """Who the platform is; what no option says is what its log says."""
    if options.processor and measured.processor not in (None, options.processor):
        raise UsageError(
            f"--processor {options.processor}: {measured.origin} is of a {measured.processor}; correct one of the two"
        )
    processor = options.processor or measured.processor or processor_of(runtime)
    if processor not in PROCESSORS[runtime]:
        raise UsageError(f"--processor {processor}: {runtime} runs on a {PROCESSORS[runtime][0]}; leave it out")
    if options.blocks is not None and not has_blocks(runtime, precision):
        raise UsageError(f"--blocks {options.blocks}: {runtime} in {precision} works in no such blocks; leave it out")
    threads = threads or max(sample.threads for sample in samples)
    return Identity(
        options.id,
        options.device or measured.device or options.id.split("-")[0],
        runtime,
        precision,
        threads or (1 if processor == "cpu" else 0),
        processor,
        options.runtime_version or measured.runtime_version,
        options.clock or measured.clock,
        options.date or measured.date,
        options.blocks,
    )


def _naming(held_out: Report, origin: str) -> Report:
    """The report with the logs that were measured, if the measurements are of logs."""
    if not origin:
        return held_out
    figures = held_out.accuracy
    return replace(held_out, accuracy=replace(figures, method=f"{origin}; {figures.method}"))


def _few(dataset: Dataset) -> tuple[str, ...]:
    """What who is given the profile is told of its measurements."""
    count = len(dataset.networks)
    return (f"fitted to {count} networks only",) if count < FEW_NETWORKS else ()


def _method(relatives: Sequence[str]) -> str:
    """How to say what the report holds out where related platforms have run the same networks."""
    if not relatives:
        return ""
    return f"leave one network out; {len(relatives)} related platforms, that the fit begins with, had run most of them"


def _assumed(identity: Identity, samples: Sequence[Sample]) -> Iterator[str]:
    """What had to be assumed: of the processor its blocks, of ONNX models sizes and what unknown operators take."""
    if identity.blocks is None and has_blocks(identity.runtime, identity.precision):
        yield (
            f"{identity.id}: taken for a processor with AVX-512, on which {identity.runtime} works in blocks of 16 "
            "channels; say --blocks 8 for other x86-64, --blocks 0 for ARM."
        )
    for sample in samples:
        if sample.network.endswith(".onnx"):
            model = graph(sample)
            yield from (f"{sample.network}: {note}" for note in model.notes)
            unknown = {node.qualified_type for node in model.nodes if node.counting is Counting.UNKNOWN}
            if unknown:
                yield f"{sample.network}: not known and timed by their elements: {', '.join(sorted(unknown))}."


def _doubtful(platform: Platform, samples: Sequence[Sample], held_out: Report, processor: Processor) -> Iterator[str]:
    """What looks as if the measurements were not what they should be, or not enough."""
    rate = 1.0 / platform.coefficients["pointwise.mult_adds"]
    if not _SLOWEST < rate < _FASTEST[processor]:
        yield f"{platform.id}: it would do {rate:.1e} mult-adds a second; check the unit of latency_ms."
    for row in held_out.rows:
        if not 1 / _FAR_OFF < row.predicted / row.measured < _FAR_OFF:
            yield (
                f"{row.network}: {row.measured * 1e3:.4g} ms measured, {row.predicted * 1e3:.4g} ms predicted from the "
                "others; check its row and its unit."
            )
    strange = strange_kernels(samples, platform.runtime, platform.machine)
    if strange > _STRANGE * sum(len(sample.kernels) for sample in samples):
        yield (
            f"{platform.id}: {strange} of the kernels have names that no kernel of {platform.runtime} has here; check "
            "--runtime and --blocks."
        )
    figures = held_out.accuracy
    if figures.mape > min(figures.baseline_mult_adds, figures.baseline_memory):
        yield (
            f"{platform.id}: a plain line does better on networks that it has not seen; measure more networks before "
            "you trust the profile."
        )


def _tell(dataset: Dataset, doubtful: Sequence[str]) -> None:
    """Notices and bad rows, on stderr."""
    for note in (*dataset.notes, *doubtful):
        print(note, file=sys.stderr)
    for row in dataset.skipped:
        print(f"left out: {row}", file=sys.stderr)
