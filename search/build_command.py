"""costmodel build DESIGN.json [--onnx F] [--torch F] [--seed S] [--verify BACKEND [-p PLATFORM] [--threads N]]."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.cli.output import terminal_width, use_color, write
from costmodel.cli.progress import busy
from costmodel.errors import UsageError
from costmodel.platforms import Platform, find, platforms
from costmodel.predictor import COVERAGE, Estimate, quantile_of
from costmodel.report.latency import interval
from costmodel.report.numbers import short, short_bytes
from costmodel.writing import write_whole
from search.design import Design, read_record

if TYPE_CHECKING:
    from search.torch_model import ShuffleNetV2

_MOST_SEED = 2**63 - 1
_MOST_THREADS = 1024
_FAR = 1e15  # milliseconds
_MOST_PARAMS = 500_000_000  # 2 GB in fp32, what one ONNX file holds; far beyond any network of this family


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("design", metavar="DESIGN.json", help="the design, a file that `costmodel search` wrote")
    parser.add_argument("--onnx", metavar="FILE", help="write the network as an ONNX model, for one image")
    parser.add_argument("--torch", metavar="FILE", help="write its state_dict, for search.ShuffleNetV2(design)")
    parser.add_argument(
        "--seed", metavar="S", type=int, default=0, help="of the weights, which are random (default: 0)"
    )
    proof = parser.add_argument_group("proof")
    proof.add_argument(
        "--verify",
        metavar="BACKEND",
        help="measure it here, in turn with the nearest width of Table 5: onnxruntime, torch",
    )
    proof.add_argument(
        "-p", "--platform", help="with --verify: what predicts (default: the file's one platform that BACKEND can be)"
    )
    proof.add_argument("--threads", metavar="N", type=int, help="with --verify (default: the platform's, or 1)")


def run(options: argparse.Namespace) -> int:
    """Build the network, write what is asked for and say what it is; gives the exit status."""
    _check(options)
    record = read_record(options.design)
    design = Design.from_dict(record["design"], options.design)
    lines = list(_summary(options.design, record, design))
    proof = _proof(options, record, design) if options.verify else None
    outputs = {name: path for name, path in (("--onnx", options.onnx), ("--torch", options.torch)) if path is not None}
    if outputs:
        _check_size(options.design, design)
        with busy("Building"):
            contents = {name: content() for name, content in _contents(design, options.seed).items() if name in outputs}
        for name, path in outputs.items():
            _write(name, path, contents[name])
            lines.append(f"{path}: written, {short_bytes(len(contents[name]))}")
    elif not proof:
        lines.append("nothing written; --onnx FILE writes an ONNX model, --torch FILE the weights for PyTorch")
    write("".join(f"{line}\n" for line in lines), None)
    if proof:
        write(f"\n{proof()}", None)
    return 0


def _proof(options: argparse.Namespace, record: dict[str, Any], design: Design) -> Callable[[], str]:
    """What measures the design beside its prediction and gives that as text. Raises UsageError for what cannot be."""
    from search.verify import backend_named, backend_of, verify
    from search.verify_report import render_text

    platform = find(options.platform) if options.platform else _measurable(options.verify, record)
    if platform is not None and platform.runtime != options.verify:
        raise UsageError(
            f"-p {options.platform}: it is of {platform.runtime}, and --verify measures {options.verify}; give a "
            "platform of that"
        )
    threads = options.threads or (1 if platform is None else platform.threads)
    if platform is not None and platform.threads != threads:
        raise UsageError(f"--threads {threads}: {platform.id} has {platform.threads}; leave --threads out")
    _check_size(options.design, design)
    backend = backend_named(options.verify, threads) if platform is None else backend_of(platform)
    known = _predicted(options.design, record)
    coverage = known[platform.id].coverage if platform is not None and platform.id in known else COVERAGE
    if platform is not None:
        quantile_of(platform, coverage)  # one that the profile does not have

    def measure() -> str:
        with busy("Measuring"):
            found = verify(design, platform, backend=backend, threads=threads, coverage=coverage)
        return render_text(found, terminal_width(), use_color())

    return measure


def _measurable(backend: str, record: dict[str, Any]) -> Platform | None:
    """The one platform of a design file that a backend's measurements are of; None where there is none, or several."""
    predicted, shipped = record.get("predicted", {}), platforms()
    found = [platform for name in predicted if name in shipped and (platform := find(name)).runtime == backend]
    return found[0] if len(found) == 1 else None


def _check(options: argparse.Namespace) -> None:
    """Raise UsageError for options that cannot be meant, before anything is built."""
    if not 0 <= options.seed <= _MOST_SEED:
        raise UsageError(f"--seed {options.seed}: it takes a whole number from 0 to 2^63 - 1")
    if not options.verify and (options.platform or options.threads is not None):
        given = "-p" if options.platform else "--threads"
        raise UsageError(f"{given}: it is for --verify; give that too, or leave {given} out")
    if options.threads is not None and not 1 <= options.threads <= _MOST_THREADS:
        raise UsageError(f"--threads {options.threads}: it takes a whole number from 1 to {_MOST_THREADS}")
    taken = {os.path.realpath(options.design): "the design"}
    for name, path in (("--onnx", options.onnx), ("--torch", options.torch)):
        if path is None:
            continue
        if path == "" or Path(path).is_dir():
            raise UsageError(f"{name} {path}: is no file; give the path of one to write")
        other = taken.setdefault(os.path.realpath(path), name)
        if other != name and (not Path(path).exists() or Path(path).is_file()):
            raise UsageError(f"{name} {path}: is {other}'s own file; give another")


def _check_size(path: str, design: Design) -> None:
    params = design.graph().cost.params
    if isinstance(params, int) and params > _MOST_PARAMS:
        raise UsageError(f"{path}: its {short(params)} parameters take more than 2 GB; give a design of fewer channels")


def _contents(design: Design, seed: int) -> dict[str, Callable[[], bytes]]:
    """How each file is made, of one network."""
    from search import built  # says what to install where torch is missing

    network: ShuffleNetV2 = built(design, seed)
    from search.exporting import onnx_bytes, state_bytes

    return {"--onnx": lambda: onnx_bytes(network), "--torch": lambda: state_bytes(network)}


def _write(option: str, path: str, content: bytes) -> None:
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)  # a pipe or a device: nothing to keep whole
        else:
            write_whole(Path(os.path.realpath(target)), content)  # a link stays a link
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{option} {path}: cannot be written ({reason}); give another file") from error


def _summary(path: str, record: dict[str, Any], design: Design) -> Iterator[str]:
    """What the network is, and the latencies that the file predicts for it."""
    graph = design.graph()
    mult_adds, params = graph.cost.mult_adds, graph.cost.params
    yield (
        f"{path}: {short(mult_adds)} mult-adds, {short(params)} parameters, "
        f"{design.resolution}x{design.resolution} pixels, {design.classes} classes"
    )
    yield f"the same for other commands: {graph.name}"
    predicted = _predicted(path, record)
    said = record.get("mult_adds", mult_adds)
    if said != mult_adds:
        sys.stderr.write(
            f"costmodel: {path}: its mult_adds are {said!r}, its design has {mult_adds}; it was edited, and its "
            "latencies are of another design: they are left out\n"
        )
        predicted = {}
    for platform, estimate in predicted.items():
        yield f"predicted on {platform}: {interval(estimate)}"


def _predicted(path: str, record: dict[str, Any]) -> dict[str, Estimate]:
    """The latencies that a design file has. Raises UsageError for those that are none."""
    predicted = record.get("predicted", {})
    if not isinstance(predicted, dict):
        raise UsageError(f"{path}: its predicted is {predicted!r}; it takes an object with a latency a platform")
    return {str(platform): _estimate(path, platform, latency) for platform, latency in predicted.items()}


def _estimate(path: str, platform: str, latency: Any) -> Estimate:
    if not isinstance(latency, dict):
        raise UsageError(
            f"{path}: its predicted {platform} is {latency!r}; it takes an object with latency_ms, low_ms, high_ms"
        )
    numbers = {"latency_ms": None, "low_ms": None, "high_ms": None, "coverage": COVERAGE, **latency}
    for name in ("latency_ms", "low_ms", "high_ms", "coverage"):
        number, most = numbers[name], 1.0 if name == "coverage" else _FAR
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= most:
            raise UsageError(
                f"{path}: its predicted {platform} has {name} {number!r}; it takes a number from 0 to {most:g}"
            )
    seconds, low, high = (float(numbers[name]) / 1e3 for name in ("latency_ms", "low_ms", "high_ms"))
    return Estimate(seconds, low, high, float(numbers["coverage"]))
