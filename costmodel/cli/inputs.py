"""The options that say which model, with which sizes, on which platforms: the same for every verb that analyzes."""

from __future__ import annotations

import argparse
import os
import re
import sys

from costmodel.analysis import Analysis, analyze
from costmodel.cli.progress import busy
from costmodel.errors import UsageError

DEFAULTS = ("gtx1080ti-cudnn7-fp32", "snapdragon810-neon-fp32-1t")  # the paper's platforms
COUNTS_ONLY = "none"

_LIMIT = re.compile(r"([0-9]{1,9}(?:[.][0-9]{1,9})?|[.][0-9]{1,9})(us|ms|s)")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def add_model(parser: argparse.ArgumentParser) -> None:
    """MODEL, and the sizes of its inputs."""
    parser.add_argument("model", metavar="MODEL", help="a .onnx file, or zoo:NAME[,key=value...]")
    add_sizes(parser)


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """What is known of the inputs, and what to do with operators that are not known."""
    inputs = parser.add_argument_group(
        "inputs",
        "An input's name is printed at the top of the text; a free dim's name at its end, with the size assumed.",
    )
    inputs.add_argument("--batch", type=size, metavar="N", help="the leading dim of every input")
    inputs.add_argument("--dim", action="append", default=[], metavar="NAME=N", help="the size of a free dim")
    inputs.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="INPUT=1x3x224x224",
        help="the whole shape of an input",
    )
    inputs.add_argument(
        "--value",
        action="append",
        default=[],
        metavar="INPUT=2,3",
        help="what an input holds, where shapes are computed from it (the size that an image is resized to, say)",
    )
    inputs.add_argument("--strict-dims", action="store_true", help="refuse free dims instead of assuming sizes")
    inputs.add_argument(
        "--unknown",
        choices=("bytes", "error"),
        default="bytes",
        help="operators not known: count bytes, or refuse",
    )


def add_platforms(parser: argparse.ArgumentParser, *, counts: bool = True) -> None:
    """The platforms to predict, their budgets, and how wide the intervals are to be.

    counts: whether the verb has something to say without a platform.
    """
    latency = parser.add_argument_group("latency")
    none = f". {COUNTS_ONLY}: not these, so only counts unless another platform is named" if counts else ""
    latency.add_argument(
        "-p",
        "--platform",
        action="append",
        default=[],
        metavar="PLATFORM",
        help="predict for it; an id, a unique beginning of one (`costmodel platforms` lists them), or the path of a "
        f"profile; may be given again. Without it: the paper's GPU and ARM{none}",
    )
    latency.add_argument(
        "--budget",
        action="append",
        default=[],
        metavar="PLATFORM=3ms",
        help="exit status 1 if the upper end of the latency's interval is above (us, ms, s); may be given again",
    )
    latency.add_argument(
        "--coverage",
        type=_coverage,
        default=0.9,
        metavar="SHARE",
        help="the share of networks whose latency the intervals are to hold: 0.5, 0.8, 0.9 (the default) or 0.95",
    )


def analyzed(options: argparse.Namespace) -> Analysis:
    """The model of the options, on their platforms where the verb has add_platforms().

    Raises UsageError for options that say nothing or do not fit the model, ModelError for a model that cannot be used.
    """
    timed = hasattr(options, "platform")
    platforms, budgets = (platform_names(options), budget_limits(options)) if timed else ([], {})
    _check_model(options.model)
    with busy(f"Analyzing {options.model}"):
        return analyze(
            options.model,
            dims=dict(_named_sizes(options.dim)),
            shapes=dict(_named_shapes(options.shape)),
            batch=options.batch,
            values=dict(_named_values(options.value)),
            strict_dims=options.strict_dims,
            unknown=options.unknown,
            platform=platforms,
            budgets=budgets,
            coverage=options.coverage if timed else 0.9,
        )


def tell_exceeded(analysis: Analysis) -> bool:
    """Whether a budget is exceeded, with a line on stderr for every one that is."""
    if not analysis.exceeded:
        return False
    from costmodel.report.latency import budget_line
    from costmodel.report.names import plain

    for budget in analysis.exceeded:
        print(f"costmodel: {plain(analysis.model)}: {budget_line(budget)}", file=sys.stderr)
    return True


def platform_names(options: argparse.Namespace) -> list[str]:
    """What -p names; the defaults where it names nothing, not even none."""
    if options.platform:
        return [name for name in options.platform if name != COUNTS_ONLY]
    from costmodel.platforms import platforms

    return [id for id in DEFAULTS if id in platforms()]


def budget_limits(options: argparse.Namespace) -> dict[str, float]:
    """Seconds by what --budget calls the platform. Raises UsageError for an entry that cannot be read."""
    result: dict[str, float] = {}
    for entry in options.budget:
        platform, equals, limit = entry.rpartition("=")
        fits = _LIMIT.fullmatch(limit)
        if not equals or not platform or fits is None:
            lower = bool(equals and platform and _LIMIT.fullmatch(limit.lower()))
            problem = f"units are in lower case, {limit.lower()}; " if lower else ""
            form = "write PLATFORM=LATENCY with us, ms or s, such as snapdragon810=30ms"
            raise UsageError(f"--budget {entry}: {problem}{form}")
        if not float(fits[1]):
            raise UsageError(f"--budget {entry}: a run takes more than {limit}; give a latency above 0")
        if platform in result:
            raise UsageError(f"--budget {entry}: {platform} has a budget already; give one a platform")
        result[platform] = float(fits[1]) * _UNITS[fits[2]]
    return result


def _coverage(text: str) -> float:
    if not re.fullmatch(r"0?[.][0-9]{1,4}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a share; give a number between 0 and 1, such as 0.9")
    return float(text)


def size(text: str) -> int:
    """A whole number from 1, as the type of an option."""
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; give a whole number from 1")
    return int(text)


def _named_sizes(entries: list[str]) -> list[tuple[str, int]]:
    result = []
    for entry in entries:
        name, equals, size = entry.rpartition("=")
        if not equals or not name or not re.fullmatch(r"[0-9]{1,18}", size):
            raise UsageError(f"--dim {entry}: write NAME=SIZE, for example --dim batch=8")
        result.append((name, int(size)))
    return result


def _named_shapes(entries: list[str]) -> list[tuple[str, tuple[int, ...]]]:
    result = []
    for entry in entries:
        name, equals, sizes = entry.rpartition("=")
        if not equals or not name or not re.fullmatch(r"[0-9]{1,18}(x[0-9]{1,18})*", sizes):
            raise UsageError(f"--shape {entry}: write INPUT=SIZES, for example --shape image=1x3x224x224")
        result.append((name, tuple(map(int, sizes.split("x")))))
    return result


def _named_values(entries: list[str]) -> list[tuple[str, list[int | float]]]:
    result = []
    for entry in entries:
        name, equals, items = entry.rpartition("=")
        try:
            values = [int(item) if re.fullmatch(r"-?[0-9]{1,18}", item) else float(item) for item in items.split(",")]
        except ValueError:
            values = []
        if not equals or not name or not values:
            raise UsageError(f"--value {entry}: write INPUT=NUMBERS, for example --value target_size=480,640")
        result.append((name, values))
    return result


def _check_model(model: str) -> None:
    """Raise UsageError for a network of the zoo whose name lacks the prefix, unless there is such a file."""
    if ":" in model or os.sep in model or model.endswith(".onnx") or os.path.exists(model):
        return
    from costmodel import zoo

    if model.partition(",")[0] in (network.name for network in zoo.networks()):
        raise UsageError(f"{model}: no such file; did you mean {zoo.PREFIX}{model}?")
