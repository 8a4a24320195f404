"""costmodel measure --backend onnxruntime|torch [--threads N] [--budget 10min] -o DATA.csv [MODEL ...]."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from calibration import networks
from calibration.measure.backend import Backend
from calibration.measure.campaign import Item, Outcome, measure
from calibration.measure.machine import machine
from calibration.measure.onnxruntime import OnnxRuntime
from calibration.measure.profile import WELL_MATCHED
from calibration.measure.progress import progress
from calibration.measure.store import Store
from calibration.measure.torch import Torch
from calibration.measure.visits import COVERED, floor
from costmodel.cli.output import write
from costmodel.errors import UsageError
from costmodel.zoo import PREFIX
from costmodel.zoo.options import clip

BACKENDS: dict[str, Callable[[argparse.Namespace], Backend]] = {
    "onnxruntime": lambda options: OnnxRuntime(options.threads, options.seed),
    "torch": lambda options: Torch(
        options.device,
        options.threads,
        precision=options.precision,
        channels_last=options.channels_last,
        cuda_graph=options.cuda_graph,
        seed=options.seed,
    ),
}
PRECISIONS = ("fp32", "fp16")

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_LONGEST = 24 * 3600.0
_LONGEST_REASON = 400  # characters; a runtime may print a whole graph
_LARGEST = {"threads": 1024, "batch": 65536}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument(
        "models",
        metavar="MODEL",
        nargs="*",
        help="what to measure: zoo:NAME[,key=value...] or a .onnx file; a designed set of stacks and networks if none",
    )
    parser.add_argument("--backend", choices=tuple(BACKENDS), required=True, help="the runtime that is measured")
    parser.add_argument(
        "-o", "--output", metavar="DATA.csv", required=True, help="the data CSV, for costmodel calibrate"
    )
    parser.add_argument("--threads", type=_whole("threads"), default=1, metavar="N", help="of the runtime (default: 1)")
    parser.add_argument(
        "--batch", type=_whole("batch"), metavar="N", help="images a run (default: the model's own, or 1)"
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="fp32", help="of weights and activations; fp16 with torch only"
    )
    parser.add_argument(
        "--budget",
        type=seconds,
        default="10min",
        metavar="TIME",
        help="wall-clock time for DATA.csv in all, such as 90s or 10min (default: 10min)",
    )
    parser.add_argument(
        "--seed", type=_whole("seed"), default=0, metavar="S", help="of the designed set, the order and the weights"
    )
    parser.add_argument(
        "--kernels",
        action="store_true",
        help="also read the time of each kernel from ONNX Runtime's profiler, into DATA.kernels.csv, for calibrate",
    )
    torch = parser.add_argument_group("with torch")
    torch.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where it runs (default: cpu)")
    torch.add_argument("--channels-last", action="store_true", help="images and filters with their channels innermost")
    torch.add_argument("--cuda-graph", action="store_true", help="record a run's launches once and replay them")


def run(options: argparse.Namespace) -> int:
    """Measure, and say how that went; gives the exit status: 2 where the runtime refused a network."""
    _check(options)
    target = Path(options.output)
    items = _items(options, target.parent)
    backend = BACKENDS[options.backend](options)
    settings = {
        "backend": options.backend,
        "mode": _mode(options),
        "threads": 0 if options.device == "cuda" else options.threads,
        "precision": options.precision,
        "seed": options.seed,
        "items": {item.network: item.batch for item in items},
        **{f"checksum of {item.network}": _checksum(item.path) for item in items if item.path},
    }
    with Store(target, settings) as store:
        store.begin(machine(backend.name, backend.versions, backend.blocks))
        try:
            with progress(sys.stderr) as show:
                outcome = measure(
                    items, backend, store,
                    budget=options.budget, seed=options.seed, clock=perf_counter, kernels=options.kernels, show=show,
                )  # fmt: skip
        except KeyboardInterrupt:
            reached = len(store.rows())
            _say(f"stopped: {target} has {reached} of {len(items)} networks; the same command goes on from there")
            return 130
        write(_summary(store, outcome, options), None)
    for network, reason in outcome.refused.items():
        _say(f"costmodel: {network}: {backend.name} does not run it: {_cut(reason)}; leave it out, or export it anew")
    return 2 if outcome.refused else 0


def seconds(text: str) -> float:
    """A duration such as 90s, 10min or 1.5h in seconds, for argparse."""
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?(s|min|h)", text.strip())
    if not found or not 0 < (duration := float(found[1]) * _UNITS[found[2]]) <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{clip(text)!r} is no duration up to a day; write 90s, 10min or 2h")
    return duration


def _whole(name: str) -> Callable[[str], int]:
    """A reader of whole numbers for argparse; the seed may be 0."""
    lowest, highest = (0, 2**31 - 1) if name == "seed" else (1, _LARGEST[name])

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,10}", text, re.ASCII) or not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError(f"{clip(text)!r} is no whole number from {lowest} to {highest}")
        return int(text)

    return read


def _check(options: argparse.Namespace) -> None:
    """Refuse options that the backend does not have."""
    asked = (
        ("--precision fp16", options.precision == "fp16", options.backend == "torch", "--backend torch"),
        ("--device cuda", options.device == "cuda", options.backend == "torch", "--backend torch"),
        ("--channels-last", options.channels_last, options.backend == "torch", "--backend torch"),
        ("--kernels", options.kernels, options.backend == "onnxruntime", "--backend onnxruntime"),
        ("--cuda-graph", options.cuda_graph, options.device == "cuda", "--device cuda"),
    )
    for option, is_given, is_possible, needed in asked:
        if is_given and not is_possible:
            raise UsageError(f"{option}: only {needed} can do that; give it too, or leave {option} out")


def _mode(options: argparse.Namespace) -> str:
    """How the backend runs networks, where that is not its usual way: "cuda, channels last, CUDA graph"."""
    words = {"cuda": options.device == "cuda", "channels last": options.channels_last, "CUDA graph": options.cuda_graph}
    return ", ".join(word for word, is_so in words.items() if is_so)


def _items(options: argparse.Namespace, folder: Path) -> list[Item]:
    """What is to be measured, each network once. Raises CostModelError for a name that means nothing."""
    if not options.models:
        from calibration.sweep import sweep

        return [Item(network, options.batch or 1) for network in sweep(options.seed)]
    items: dict[str, Item] = {}
    for model in options.models:
        item = _item(model, options.batch, folder)
        if items.setdefault(item.network, item).batch != item.batch:
            raise UsageError(f"{model}: it is given at two batches; a DATA.csv is of one each: give another -o for it")
    return list(items.values())


def _item(model: str, batch: int | None, folder: Path) -> Item:
    if not model.startswith(PREFIX):
        if not model.endswith(".onnx") or not os.path.isfile(model):
            raise UsageError(f"{clip(model)}: no such model; write zoo:NAME, or the path of a .onnx file")
        path, own = networks.resolve(os.path.abspath(model), folder, batch, "")
        return Item(Path(os.path.relpath(path, folder)).as_posix(), own, path)
    network, stated = networks.resolve(model, folder, None, "")
    if stated > 1 and batch not in (None, stated):
        raise UsageError(f"{model}: its batch is {stated} and --batch says {batch}; keep one of them")
    return Item(network, batch or stated)


def _checksum(path: str) -> str:
    """Of a model file: one that was exported anew is another network."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def _summary(store: Store, outcome: Outcome, options: argparse.Namespace) -> str:
    """What was measured, how well, and what to do with it."""
    reached = len(store.rows())
    lines = [
        f"{store.target}: {reached} of {len(store.settings['items'])} networks measured, {len(store.visits)} visits"
    ]
    if (agreement := floor(store.visits)) is not None:
        lines.append(
            f"repeatability: {COVERED:.0%} of the networks within {agreement:.1%} "
            "(first half of the visits against the second)"
        )
    if store.profiles:
        lines += _kernels(store)
    if outcome.noisy:
        lines.append(f"noisy: {_named(outcome.noisy)}")
    if outcome.few:
        lines.append(f"fewer calm visits than wanted: {_named(outcome.few)}")
    if outcome.unreached:
        lines.append(f"not reached: {_named(outcome.unreached)}")
    if outcome.goes_on:
        lines.append("with a larger --budget the same command goes on")
    if reached:
        lines += ["next:", f"  {shlex.join(_following(store, options))}"]
    return "\n".join(lines) + "\n"


def _kernels(store: Store) -> list[str]:
    """What the profiler told, and what of it does not count."""
    anchored = store.anchored()
    counting = [one for one in anchored if one.counts]
    rows = sum(len(one.kernels) for one in counting)
    lines = [f"{store.kernels}: {rows} kernels of {len(counting)} networks"]
    if far := [one for one in anchored if not one.counts]:
        scales = [one.scale for one in far]
        lines.append(
            f"kernels left out, whose sum is too far from the network's latency (scaled by {min(scales):.2f} to "
            f"{max(scales):.2f}): {_named(tuple(one.item for one in far))}"
        )
    told = {one.item for one in anchored}
    if missed := {one.item for one in store.profiles if one.item in told and one.matched < WELL_MATCHED}:
        share = f"less than {WELL_MATCHED:.0%} of the time"
        lines.append(f"kernels that are matched to {share}: {_named(tuple(sorted(missed)))}")
    if untold := {one.item for one in store.profiles} - told:
        lines.append(f"without a profile, or without a calm one: {_named(tuple(sorted(untold)))}")
    return lines


def _following(store: Store, options: argparse.Namespace) -> list[str]:
    """The command that makes a profile of the measurements."""
    start = store.starts[0]
    words = ["costmodel", "calibrate", str(store.target)]
    on_gpu = options.device == "cuda"
    words += ["--id", f"thismachine-{options.backend}-{options.precision}" + ("" if on_gpu else f"-{options.threads}t")]
    words += ["--runtime", options.backend, "--runtime-version", str(start["runtime_version"])]
    words += ["--processor", "gpu"] if on_gpu else []
    words += ["--blocks", str(start["blocks"])] if "blocks" in start else []
    words += ["--device", str(start["gpu" if on_gpu else "cpu"]), "--date", str(start["date"])[:10]]
    return [*words, "-o", f"{store.target.stem}.json"]


def _named(names: tuple[str, ...]) -> str:
    return f"{len(names)}, such as {names[0]}" if len(names) > 1 else names[0]


def _cut(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
