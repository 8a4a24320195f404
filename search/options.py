"""The options of `costmodel search`."""

from __future__ import annotations

import argparse
import re

from costmodel.cli.inputs import size
from search.capacity import DEFAULT, EFFECTIVENESS, NAMES

TRIALS = 1000
BACKENDS = ("onnxruntime", "torch")
_MOST_TOLD = 1000

_ENGINES = ("exact", "optuna")
_SAMPLERS = ("tpe", "nsga2")
_COUNT = re.compile(r"([0-9]{1,15}(?:[.][0-9]{1,9})?)([kMG]?)")
_TIMES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.epilog = (
        "The design file that -o writes is what `costmodel build` makes a PyTorch network from; the name that it gives "
        "the network, zoo:shufflenet_v2_design,..., is one that every other verb takes."
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--budget",
        action="append",
        default=[],
        metavar="PLATFORM=3ms",
        help="a latency that the design keeps (us, ms, s) with the upper end of its interval; may be given again, for "
        "other platforms",
    )
    limits.add_argument(
        "-p", "--platform", action="append", default=[], metavar="PLATFORM", help="predict for it too, without a budget"
    )
    limits.add_argument(
        "--confidence",
        type=_share,
        default=0.9,
        metavar="SHARE",
        help="of networks whose latency the intervals hold: 0.5, 0.8, 0.9 (the default) or 0.95",
    )
    limits.add_argument("--max-params", type=_count, metavar="N", help="parameters, such as 2.3M")
    limits.add_argument("--max-mult-adds", type=_count, metavar="N", help="mult-adds of a run, such as 150M")
    limits.add_argument(
        "--max-effectiveness",
        type=_bound,
        default=EFFECTIVENESS,
        metavar="X",
        help="depth by width of each stage, as DeepMAD bounds it; `none` for no bound (default: "
        f"{EFFECTIVENESS:.3g}, the largest of Table 5)",
    )
    limits.add_argument(
        "--require", action="append", default=[], metavar="G1,G2", help="guidelines of which it may break none"
    )
    limits.add_argument("--batch", type=size, default=1, metavar="N", help="images of a run (default: 1)")
    _add_space(parser)
    _add_engine(parser)
    proof = parser.add_argument_group("refining")
    proof.add_argument(
        "--refine",
        type=size,
        metavar="N",
        help="measure the best designs on this machine, calibrate with them and search again, up to N rounds or until "
        "prediction and clock agree",
    )
    proof.add_argument("--data", metavar="DATA.csv", help="the measurements that the platform was calibrated from")
    output = parser.add_argument_group("output")
    output.add_argument("-o", "--output", metavar="DESIGN.json", help="write the best design to this file")
    output.add_argument(
        "--format", choices=("text", "json"), default="text", help="of what is printed; text is the default"
    )
    output.add_argument("--top", type=_rank, default=5, metavar="N", help="designs that are told (default: 5)")
    output.add_argument(
        "--plot",
        metavar="FILE",
        help="also draw fronts and history: a page to click through where the file ends in .html, a picture where it "
        "ends in .svg or .png (these two need matplotlib)",
    )
    output.add_argument("--pareto", action="store_true", help="tell the whole front of capacity and latency too")


def _add_space(parser: argparse.ArgumentParser) -> None:
    space = parser.add_argument_group("space")
    space.add_argument(
        "--capacity",
        default=DEFAULT,
        metavar="NAME",
        help=f"what stands in for accuracy: {', '.join(NAMES)}, or your own module:function (default: {DEFAULT})",
    )
    space.add_argument(
        "--space",
        action="append",
        default=[],
        metavar="GENE=OPTIONS",
        help="other options than usual, as numbers with commas or from:to:step: channels2 ratio2 units2 kernel2 se2 "
        "(and 3, 4, or without a number for all stages), stem, head, resolution, residual, act; may be given again",
    )
    space.add_argument(
        "--step",
        type=size,
        metavar="N",
        help="channels of a branch are multiples of it (default: what fills the platforms' vectors)",
    )
    space.add_argument("--classes", type=size, default=1000, metavar="N", help="that the network tells apart")


def _add_engine(parser: argparse.ArgumentParser) -> None:
    engine = parser.add_argument_group("engine")
    engine.add_argument(
        "--engine",
        choices=_ENGINES,
        help="exact proves its optimum and is the default; optuna samples, for a capacity that is no sum over a "
        "network, or over several machines: the default with one of the options below",
    )
    engine.add_argument("--trials", type=size, metavar="N", help=f"optuna: designs to try (default: {TRIALS})")
    engine.add_argument("--sampler", choices=_SAMPLERS, help="optuna: tpe is the default")
    engine.add_argument(
        "--seed", type=int, metavar="S", help="optuna: the same seed gives the same result (default: 0)"
    )
    engine.add_argument(
        "--storage",
        metavar="URL",
        help="optuna: where trials are kept, so that the same command goes on, and on other machines joins: "
        "journal:FILE, sqlite:///FILE or postgresql://...",
    )
    engine.add_argument(
        "--study", metavar="NAME", help="optuna: its name in the storage (default: one for these settings)"
    )
    engine.add_argument(
        "--objective-latency",
        choices=("predicted", "measured"),
        default="predicted",
        help="optuna: measured builds each trial's design and times it on this machine, as the latency of the platform "
        "whose runtime is --backend",
    )
    engine.add_argument("--backend", choices=BACKENDS, help="what measures (with --objective-latency measured)")
    engine.add_argument("--workers", type=size, metavar="N", help="optuna: processes on this machine (default: 1)")


def _rank(text: str) -> int:
    if (number := size(text)) > _MOST_TOLD:
        raise argparse.ArgumentTypeError(f"{text} is too many designs to tell; give at most {_MOST_TOLD}")
    return number


def _share(text: str) -> float:
    if not re.fullmatch(r"0?[.][0-9]{1,4}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a share; give a number between 0 and 1, such as 0.9")
    return float(text)


def _count(text: str) -> int:
    fits = _COUNT.fullmatch(text)
    number = round(float(fits[1]) * _TIMES[fits[2]]) if fits else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count; give a number, such as 2300000 or 2.3M")
    return number


def _bound(text: str) -> float | None:
    if text == "none":
        return None
    if not re.fullmatch(r"[0-9]{0,6}[.]?[0-9]{1,6}", text) or float(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no bound; give a number above 0, or none")
    return float(text)
