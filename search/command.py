"""costmodel search --budget PLATFORM=3ms -o DESIGN.json."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from costmodel.analysis import analyze
from costmodel.cli.inputs import budget_limits, size
from costmodel.cli.output import terminal_width, use_color, write
from costmodel.cli.progress import busy
from costmodel.errors import UsageError
from costmodel.platforms import Platform
from costmodel.pricing import budgets_of, resolve
from costmodel.writing import write_whole
from search.capacity import DEFAULT, EFFECTIVENESS, NAMES, Capacity, capacity_of, law_note
from search.comparison import fronts, gains, standards
from search.design import Design
from search.evaluate import Evaluator
from search.exact import ENUMERABLE, exact, fastest, pareto
from search.limits import Limits
from search.report import Outcome, render_json, render_text
from search.requirements import breaches
from search.result import Candidate, Result, candidates, design_record
from search.space import STEP, Option, Space, default_space, parse_options

TRIALS = 1000
PICTURES = (".svg", ".png")
_LARGEST_STEP = 32
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
    output = parser.add_argument_group("output")
    output.add_argument("-o", "--output", metavar="DESIGN.json", help="write the best design to this file")
    output.add_argument(
        "--format", choices=("text", "json"), default="text", help="of what is printed; text is the default"
    )
    output.add_argument("--top", type=size, default=5, metavar="N", help="designs that are told (default: 5)")
    output.add_argument(
        "--plot",
        metavar="FILE",
        help="also draw fronts and history: a file that ends in .svg or .png (needs matplotlib)",
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
    engine.add_argument("--seed", type=int, default=0, metavar="S", help="optuna: the same seed gives the same result")
    engine.add_argument(
        "--storage",
        metavar="URL",
        help="optuna: where trials are kept, so that the same command goes on, and on other machines joins: "
        "journal:FILE, sqlite:///FILE or postgresql://...",
    )
    engine.add_argument(
        "--study", metavar="NAME", help="optuna: its name in the storage (default: one for these settings)"
    )
    engine.add_argument("--workers", type=size, metavar="N", help="optuna: processes on this machine (default: 1)")


def run(options: argparse.Namespace) -> int:
    """Search, print, and write the best design; gives the exit status."""
    question = _question(options)
    _check_outputs(options)
    started = time.perf_counter()
    with busy("Searching"):
        result = _searched(options, question)
        seconds = time.perf_counter() - started
        if not result.best:
            raise UsageError(_infeasible(question))
        outcome = _outcome(options, question, result, seconds)
    if options.output:
        record = design_record(result.best[0], question.evaluator.capacity.name, search=_provenance(options, outcome))
        write(json.dumps(record, indent=1, ensure_ascii=False) + "\n", options.output)
    if options.plot:
        _plot(outcome, options.plot)
    if options.format == "json":
        write(render_json(outcome), None)
    else:
        write(render_text(outcome, terminal_width(), use_color()), None)
    _tell(options, question, result)
    return 0


@dataclass(frozen=True)
class _Question:
    evaluator: Evaluator
    limits: Limits
    required: tuple[str, ...]


def _question(options: argparse.Namespace) -> _Question:
    """What is to be found. Raises UsageError for options that name nothing, and for a space without designs."""
    named = resolve(options.platform)
    budgets = budgets_of(budget_limits(options), named)
    platforms = resolve([*(platform for platform, _ in budgets), *named])
    if not platforms and options.max_params is None and options.max_mult_adds is None:
        raise UsageError("nothing limits the design; give --budget PLATFORM=3ms, or --max-params or --max-mult-adds")
    capacity = capacity_of(options.capacity)
    space = _space(options, platforms)
    evaluator = Evaluator(space, platforms, capacity, batch=options.batch, coverage=options.confidence)
    limits = Limits(
        {platform.id: seconds for platform, seconds in budgets},
        options.max_params,
        options.max_mult_adds,
        options.max_effectiveness,
    )
    required = tuple(name.strip() for entry in options.require for name in entry.split(","))
    if required and not platforms:
        raise UsageError("--require: a guideline is broken on a platform; give --budget or -p")
    return _Question(evaluator, limits, required)


def _space(options: argparse.Namespace, platforms: Sequence[Platform]) -> Space:
    genes: dict[str, tuple[Option, ...]] = {}
    for entry in options.space:
        given = parse_options(entry)
        twice = next((name for name in given if name in genes), None)
        if twice:
            raise UsageError(f"--space {entry}: {twice} has options already; give them once")
        genes |= given
    widest = max((platform.machine.vector for platform in platforms), default=STEP)
    step = options.step or min(max(widest, 2), _LARGEST_STEP)
    return default_space(step, classes=options.classes, options=genes)


def _searched(options: argparse.Namespace, question: _Question) -> Result:
    if _engine(options, question.evaluator.capacity) == "exact":
        return _exact(question, options.top, options.pareto)
    from search.optuna_engine import optuna_search

    return optuna_search(
        question.evaluator,
        question.limits,
        trials=options.trials or TRIALS,
        seed=options.seed,
        sampler=options.sampler or "tpe",
        pareto=options.pareto,
        storage=options.storage,
        name=options.study,
        workers=options.workers or 1,
        top=options.top,
        require=_required(question),
    )


def _engine(options: argparse.Namespace, capacity: Capacity) -> str:
    """exact unless something asks for optuna. Raises UsageError where an option of optuna's meets exact."""
    own = [name for name in ("trials", "sampler", "storage", "study", "workers") if getattr(options, name) is not None]
    if options.engine == "exact" and own:
        raise UsageError(f"--engine exact: --{own[0]} is an option of optuna's; leave one of the two out")
    return options.engine or ("optuna" if own or capacity.amount is None else "exact")


def _required(question: _Question) -> Callable[[Design], int] | None:
    return breaches(question.required, question.evaluator.platforms) if question.required else None


def _exact(question: _Question, top: int, wants_front: bool) -> Result:
    evaluator, limits = question.evaluator, question.limits
    count = _required(question)
    accept = None if count is None else lambda design: count(design) == 0
    result = exact(evaluator, limits, top=top, accept=accept)
    if not wants_front:
        return result
    if len(evaluator.platforms) != 1 or evaluator.capacity.amount is None:
        raise UsageError(
            "--pareto: the exact front is of one platform and a capacity that is a sum; add --engine optuna"
        )
    return replace(result, front=candidates(evaluator, pareto(evaluator, evaluator.platforms[0].id, limits)))


def _outcome(options: argparse.Namespace, question: _Question, result: Result, seconds: float) -> Outcome:
    evaluator, limits = question.evaluator, question.limits
    known = standards(evaluator)
    found = fronts(evaluator, limits)
    return Outcome(
        evaluator,
        limits,
        result,
        None if result.proven else _optimum(question),
        known,
        found,
        gains(evaluator, known, found),
        _findings(result.best[0], evaluator.platforms),
        seconds,
    )


def _optimum(question: _Question) -> Candidate | None:
    """What the exact engine finds for the same question; None where it would not answer, or not soon."""
    evaluator = question.evaluator
    if question.required or (evaluator.capacity.amount is None and evaluator.space.size > ENUMERABLE):
        return None
    best = exact(question.evaluator, question.limits, top=1).best
    return best[0] if best else None


def _infeasible(question: _Question) -> str:
    """Why nothing was found: which limit no design keeps, and what the fastest design takes."""
    evaluator, limits = question.evaluator, question.limits
    reasons = []
    for platform, seconds in limits.budgets.items():
        quickest = fastest(evaluator, platform, limits)
        if quickest is None:
            return (
                f"no design has an effectiveness of at most {limits.effectiveness:g}; give a larger --max-effectiveness"
            )
        latency = candidates(evaluator, quickest)[0].latency[platform]
        if latency.high > seconds:
            reasons.append(
                f"{platform}: no design keeps {seconds * 1e3:g} ms; the fastest of the space takes "
                f"{latency.seconds * 1e3:.3g} ms, and {latency.high * 1e3:.3g} ms at the upper end of its interval"
            )
    why = reasons[0] if reasons else "no design keeps all of these limits at once"
    return f"{why}; give a larger budget, or a space with smaller designs (--space resolution=160)"


def _findings(best: Candidate, platforms: Sequence[Platform]) -> str:
    """One line on what guidelines the best design breaks, as `costmodel check` says."""
    reference = best.design.reference
    if not platforms:
        return f"Network   {reference}"
    found = analyze(reference, platform=platforms).check().findings
    count = Counter(finding.severity.value for finding in found)
    words = [f"{number} {level}{'s' * (number > 1)}" for level, number in count.items()]
    rules = ", ".join(sorted({finding.guideline for finding in found}))
    return f"Findings  {' and '.join(words) or 'none'}{f' ({rules})' if rules else ''}: costmodel check {reference}"


def _provenance(options: argparse.Namespace, outcome: Outcome) -> dict[str, Any]:
    """How a design was found: part of its file."""
    limits, evaluator = outcome.limits, outcome.evaluator
    return {
        "engine": outcome.result.engine,
        "proven": outcome.result.proven,
        "space": evaluator.space.size,
        "budgets_ms": {name: seconds * 1e3 for name, seconds in limits.budgets.items()},
        "confidence": evaluator.coverage,
        "batch": evaluator.batch,
        "max_params": limits.max_params,
        "max_mult_adds": limits.max_mult_adds,
        "max_effectiveness": limits.effectiveness,
        "seed": None if outcome.result.proven else options.seed,
    }


def _tell(options: argparse.Namespace, question: _Question, result: Result) -> None:
    """What does not belong to the data, on stderr."""
    if question.evaluator.capacity.name == "top1_law":
        print(f"costmodel: {law_note(result.best[0].design)}", file=sys.stderr)
    if options.output:
        print(f"costmodel: wrote {options.output}; costmodel build {options.output} makes the network", file=sys.stderr)


def _plot(outcome: Outcome, path: str) -> None:
    from search import plots

    content = plots.svg(outcome).encode() if path.lower().endswith(".svg") else plots.png(outcome)
    try:
        write_whole(Path(path), content)
    except OSError as error:
        raise UsageError(f"--plot {path}: cannot be written ({error.strerror or error}); give another file") from error


def _check_outputs(options: argparse.Namespace) -> None:
    """Refuse files that could not be written before the search begins."""
    for option, path in (("-o", options.output), ("--plot", options.plot)):
        if path is not None and (Path(path).is_dir() or not Path(path).resolve().parent.is_dir()):
            raise UsageError(f"{option} {path}: cannot be written (no such folder, or no file); give another file")
    if options.plot is not None and Path(options.plot).suffix.lower() not in PICTURES:
        raise UsageError(f"--plot {options.plot}: its ending is not known; end it in {' or '.join(PICTURES)}")


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
