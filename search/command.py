"""costmodel search --budget PLATFORM=3ms -o DESIGN.json."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.analysis import analyze
from costmodel.cli.inputs import budget_limits
from costmodel.cli.output import terminal_width, use_color, write
from costmodel.cli.progress import busy
from costmodel.errors import UsageError
from costmodel.platforms import Platform
from costmodel.pricing import budgets_of, resolve
from search import outputs
from search.capacity import Capacity, capacity_of, law_note
from search.comparison import fronts, gains, standards
from search.design import Design
from search.evaluate import Evaluator
from search.exact import ENUMERABLE, exact, fastest, pareto, smallest
from search.limits import Limits
from search.options import BACKENDS, TRIALS
from search.options import add_arguments as add_arguments
from search.progress import trials_bar
from search.report import Outcome, refined_line, render_json, render_text
from search.requirements import breaches
from search.result import Candidate, Result, candidates, design_record
from search.space import STEP, Option, Population, Space, default_space, parse_options
from search.tables import MULT_ADDS, PARAMS

if TYPE_CHECKING:
    from search.refine import Round

_LARGEST_STEP = 32


def run(options: argparse.Namespace) -> int:
    """Search, print, and write the best design; gives the exit status."""
    outputs.check(options.output, options.plot, read=[*options.platform, *budget_limits(options), options.data])
    question = _question(options)
    outputs.check_picture(
        options.plot,
        shows=bool(question.evaluator.platforms) or _engine(options, question.evaluator.capacity) != "exact",
    )
    rounds: tuple[Round, ...] = ()
    if options.refine is None:
        result, seconds = _searched(options, question)
    else:
        question, result, seconds, rounds = _refined(options, question)
    with busy("Comparing with Table 5"):
        outcome = _outcome(question, result, seconds, rounds, measures=options.objective_latency == "measured")
    if options.output:
        record = design_record(result.best[0], question.evaluator.capacity.name, search=_provenance(options, outcome))
        write(json.dumps(record, indent=1, ensure_ascii=False) + "\n", options.output)
    if options.plot:
        outputs.draw(outcome, options.plot)
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
    named: tuple[str, ...]  # what the platforms are called on the command line


def _question(options: argparse.Namespace, instead: Platform | None = None) -> _Question:
    """What is to be found. instead: takes the place of the platform of its id.

    Raises UsageError for options that name nothing, and for a space without designs.
    """
    named = resolve(options.platform)
    budgets = budgets_of(budget_limits(options), named)
    platforms = resolve([*(platform for platform, _ in budgets), *named])
    platforms = tuple(instead if instead and one.id == instead.id else one for one in platforms)
    if not (budgets or options.max_params or options.max_mult_adds or (platforms and options.pareto)):
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
    called = (*budget_limits(options), *options.platform)
    return _Question(evaluator, limits, required, tuple(dict.fromkeys(called)))


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


def _searched(options: argparse.Namespace, question: _Question) -> tuple[Result, float]:
    """What the engine finds, and how long that took. Raises UsageError where nothing keeps the limits."""
    engine = _engine(options, question.evaluator.capacity)
    started = time.perf_counter()
    if engine == "exact":
        with busy("Searching"):
            result = _exact(question, options.top, options.pareto)
    else:
        result = _sampled(options, question)
    if not result.best:
        raise UsageError(_infeasible(question))
    return result, time.perf_counter() - started


def _sampled(options: argparse.Namespace, question: _Question) -> Result:
    from search.optuna_engine import optuna_search

    evaluator = question.evaluator
    trials = options.trials or TRIALS
    measured = _measured(options, question)
    with trials_bar(trials, evaluator.capacity.shown) as show:
        return optuna_search(
            evaluator,
            question.limits,
            trials=trials,
            seed=options.seed or 0,
            sampler=options.sampler or "tpe",
            pareto=options.pareto,
            storage=options.storage,
            name=options.study,
            workers=options.workers or 1,
            top=options.top,
            require=_required(question),
            measure=None if measured is None else _measurer(measured, options.batch),
            measured_platform=None if measured is None else measured.id,
            settings={"the required guidelines": list(question.required)},
            progress=show,
            notice=lambda sentence: print(f"costmodel: {sentence}", file=sys.stderr),
        )


def _measured(options: argparse.Namespace, question: _Question) -> Platform | None:
    """The platform whose latencies are measured; None where all are predicted."""
    if options.objective_latency == "predicted":
        if options.backend is not None:
            raise UsageError(f"--backend {options.backend}: nothing is measured; add --objective-latency measured")
        return None
    if options.backend is None:
        raise UsageError(f"--objective-latency measured: give --backend {' or '.join(BACKENDS)}")
    fitting = [one for one in question.evaluator.platforms if one.runtime == options.backend]
    if len(fitting) != 1:
        found = "none" if not fitting else " and ".join(one.id for one in fitting)
        raise UsageError(f"--backend {options.backend}: one platform of --budget and -p is measured by it, not {found}")
    return fitting[0]


def _measurer(platform: Platform, batch: int) -> Callable[[Design], float]:
    from search.verify import measurer

    return measurer(platform, batch=batch)


def _refined(options: argparse.Namespace, question: _Question) -> tuple[_Question, Result, float, tuple[Round, ...]]:
    """Search, measure and calibrate in rounds; the question of the last one, with the platform as it was then."""
    from search.refine import refine

    if options.data is None:
        raise UsageError(f"--refine {options.refine}: give --data DATA.csv, what the platform was calibrated from")
    measurable = [one for one in question.evaluator.platforms if one.runtime in BACKENDS]
    if len(measurable) != 1:
        found = " and ".join(one.id for one in measurable) or "none"
        raise UsageError(f"--refine: one platform of --budget and -p is measured here, not {found}")
    took = 0.0

    def search(platform: Platform) -> Result:
        nonlocal question, took
        question = _question(options, platform)
        result, seconds = _searched(options, question)
        took += seconds
        return result

    def show(done: Round) -> None:
        print(f"costmodel: {refined_line(done)}", file=sys.stderr)

    done = refine(search, measurable[0], Path(options.data), options.refine, batch=options.batch, show=show)
    if done.profile is not None:
        print(f"costmodel: wrote {done.data} and {done.profile}, the platform as it is now", file=sys.stderr)
        question = replace(question, named=_renamed(question.named, measurable[0], str(done.profile)))
    return question, done.result, took, done.rounds


def _renamed(named: Sequence[str], platform: Platform, path: str) -> tuple[str, ...]:
    """Names on the command line, each that means the platform replaced by the path of its new profile."""
    return tuple(dict.fromkeys(path if resolve([name])[0].id == platform.id else name for name in named))


def _engine(options: argparse.Namespace, capacity: Capacity) -> str:
    """exact unless something asks for optuna. Raises UsageError where an option of optuna's meets exact."""
    names = ("trials", "sampler", "seed", "storage", "study", "workers", "backend")
    own = [name for name in names if getattr(options, name) is not None]
    own += ["objective-latency"] if options.objective_latency != "predicted" else []
    if options.engine == "exact" and own:
        raise UsageError(f"--engine exact: --{own[0]} is an option of optuna's; leave one of the two out")
    return options.engine or ("optuna" if own or capacity.amount is None else "exact")


def _required(question: _Question) -> Callable[[Design], int] | None:
    return (
        breaches(question.required, question.evaluator.platforms, question.evaluator.batch)
        if question.required
        else None
    )


def _exact(question: _Question, top: int, wants_front: bool) -> Result:
    evaluator, limits = question.evaluator, question.limits
    count = _required(question)
    accept = None if count is None else lambda design: count(design) == 0
    if wants_front and (len(evaluator.platforms) != 1 or evaluator.capacity.amount is None):
        raise UsageError(
            "--pareto: the exact front is of one platform and a capacity that is a sum; add --engine optuna"
        )
    result = exact(evaluator, limits, top=top, accept=accept)
    if not wants_front or not result.best:
        return result
    return replace(result, front=candidates(evaluator, pareto(evaluator, evaluator.platforms[0].id, limits)))


def _outcome(
    question: _Question, result: Result, seconds: float, rounds: tuple[Round, ...], *, measures: bool
) -> Outcome:
    """measures: whether designs were held to what was measured; the best by prediction is no optimum then."""
    evaluator, limits = question.evaluator, question.limits
    known = standards(evaluator)
    found = fronts(evaluator, limits)
    return Outcome(
        evaluator,
        limits,
        result,
        None if result.proven or measures else _optimum(question),
        known,
        found,
        gains(evaluator, known, found),
        _findings(result.best[0], evaluator),
        seconds,
        rounds,
        question.required,
        question.named,
    )


def _optimum(question: _Question) -> Candidate | None:
    """What the exact engine finds for the same question; None where it would not answer, or not soon."""
    evaluator = question.evaluator
    if question.required or (evaluator.capacity.amount is None and evaluator.space.size > ENUMERABLE):
        return None
    best = exact(question.evaluator, question.limits, top=1).best
    return best[0] if best else None


def _infeasible(question: _Question) -> str:
    """Why nothing was found: a limit that no design keeps, and what the fastest or the smallest has."""
    space, platforms, limits = question.evaluator.space, question.evaluator.platforms, question.limits
    additive = capacity_of("params")  # the question's own may take a training run to tell
    batch, coverage = question.evaluator.batch, question.evaluator.coverage
    plain = Evaluator(space, platforms, additive, batch=batch, coverage=coverage)
    side = min(space.genes["resolution"])
    smaller = f"or a space with smaller designs (--space resolution={max(int(side) * 5 // 7 // 32, 1) * 32})"
    if smallest(plain, PARAMS, limits) is None:
        return f"no design has an effectiveness of at most {limits.effectiveness:g}; give a larger --max-effectiveness"
    for platform, seconds in limits.budgets.items():
        if not exact(plain, Limits({platform: seconds}, effectiveness=limits.effectiveness), top=1).best:
            latency = candidates(plain, _some(fastest(plain, platform, limits)))[0].latency[platform]
            return (
                f"{platform}: no design keeps {seconds * 1e3:g} ms; the fastest of the space takes "
                f"{latency.seconds * 1e3:.3g} ms, and {latency.high * 1e3:.3g} ms at the upper end of its interval; "
                f"give a larger budget, {smaller}"
            )
    for option, column, limit in (
        ("--max-params", PARAMS, limits.max_params),
        ("--max-mult-adds", MULT_ADDS, limits.max_mult_adds),
    ):
        least = int(plain.rows(_some(smallest(plain, column, limits)))[0][0, column])
        if limit is not None and least > limit:
            return (
                f"{option} {limit:,}: no design has so few; the smallest of the space has {least:,}; give a larger "
                "limit, or a space with smaller designs (--space stem=8 --space units=1)"
            )
    if question.required and exact(plain, limits, top=1).best:
        return f"all designs that keep the limits break {', '.join(question.required)}; drop --require, or raise limits"
    return f"no design keeps all of these limits at once; raise one of them, or give {smaller.removeprefix('or ')}"


def _some(population: Population | None) -> Population:
    assert population is not None  # some design keeps the effectiveness
    return population


def _findings(best: Candidate, evaluator: Evaluator) -> str:
    """What guidelines the best design breaks, as `costmodel check` finds it on the platforms; empty without one."""
    if not evaluator.platforms:
        return ""
    found = analyze(best.design.reference, batch=evaluator.batch, platform=evaluator.platforms).check().findings
    count = Counter(finding.severity.value for finding in found)
    words = [f"{number} {level}{'s' * (number > 1)}" for level, number in count.items()]
    rules = ", ".join(sorted({finding.guideline for finding in found}))
    return f"{' and '.join(words) or 'none'}{f' ({rules})' if rules else ''}"


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
        "seed": None if outcome.result.proven else options.seed or 0,
    }


def _tell(options: argparse.Namespace, question: _Question, result: Result) -> None:
    """What does not belong to the data, on stderr."""
    if question.evaluator.capacity.name == "top1_law":
        print(f"costmodel: {law_note(result.best[0].design)}", file=sys.stderr)
    if options.output:
        print(f"costmodel: wrote {options.output}; costmodel build {options.output} makes the network", file=sys.stderr)
