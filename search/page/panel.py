"""All of one design: its stages, its counts, its latencies, its name and what to do with it.

The page has the best design as markup; of every entry data.py has the texts that stand in the same slots, so that
designs.js shows any of them.
"""

from __future__ import annotations

from collections.abc import Callable

from costmodel.predictor import Estimate
from costmodel.report.html.markup import Markup, join, tag
from costmodel.report.latency import milliseconds
from costmodel.report.numbers import exact
from search.page.shown import Entry, Shown, roles_text
from search.page.stages import drawing, legend
from search.report import capacity_text, condition_texts


def panel(shown: Shown) -> Markup:
    """The best design, in slots that a script fills anew; its buttons are there with the script only."""
    entry = shown.best
    texts = iter(slots(shown, entry))

    def slot(name: str) -> Markup:
        return tag(name, next(texts), class_="slot")

    return tag(
        "aside",
        slot("h3"),
        tag("p", slot("span"), class_="muted"),
        tag("p", slot("span"), id="limits", class_=_class(entry)) if has_limits(shown) else None,
        _latencies(shown, slot),
        tag("dl", *(tag("div", tag("dt", name), slot("dd")) for name in _counts(shown)), class_="facts"),
        drawing(entry.candidate.design),
        legend(),
        _code("Network, as every command takes it", slot, "the network's name"),
        *(_code(said, slot, f"the command {command}") for said, (command, _) in _commands(shown).items()),
        tag("p", tag("button", "Save design file", id="save", type="button"), " ", _SAVED, class_="muted script"),
        id="design",
        aria_label="The chosen design",
    )


_SAVED = join(["for ", tag("code", "costmodel build"), ", which makes the PyTorch network"])


def _code(said: str, slot: Callable[[str], Markup], name: str) -> Markup:
    copy = tag("button", "Copy", type="button", class_="copy script", aria_label=f"Copy {name}")
    return join([tag("p", said, class_="muted"), tag("p", slot("code"), copy, class_="line")])


def _latencies(shown: Shown, slot: Callable[[str], Markup]) -> Markup | None:
    if not shown.labels:
        return None
    heads = [
        tag("th", name, scope="col", class_=class_) for name, class_ in (("on", None), ("ms", "n"), ("interval", "n"))
    ]
    rows = [tag("tr", tag("th", one, scope="row"), slot("td"), slot("td")) for one in shown.labels.values()]
    said = f"Latencies, and intervals that hold {100 * shown.outcome.evaluator.coverage:g} % of them"
    return tag("table", tag("caption", said), tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="numbers")


def has_limits(shown: Shown) -> bool:
    """Whether a design can exceed a limit."""
    limits = shown.outcome.limits
    return bool(limits.budgets or limits.max_params or limits.max_mult_adds)


def _class(entry: Entry) -> str:
    return "exceeded" if entry.exceeded else "kept"


def _limits(shown: Shown, entry: Entry) -> str:
    if entry.exceeded:
        return f"Over the limits: {', '.join(entry.exceeded)}"
    return "Keeps budgets and counts" if condition_texts(shown.outcome) else "Keeps the limits"


def _counts(shown: Shown) -> tuple[str, ...]:
    return (shown.outcome.evaluator.capacity.unit, "mult-adds", "parameters", "memory access, elements")


def slots(shown: Shown, entry: Entry) -> list[str]:
    """The texts of an entry in the order of the panel's slots."""
    one = entry.candidate
    reference = shown.reference(entry)
    texts = [entry.name, roles_text(entry)]
    texts += [_limits(shown, entry)] if has_limits(shown) else []
    for platform in shown.labels:
        latency = one.latency[platform]
        texts += [milliseconds(latency.seconds), between(latency)]
    texts += [capacity_text(one.shown), *map(exact, (one.mult_adds, one.params, one.memory_access))]
    return [*texts, reference, *(f"{command} {reference}{rest}" for command, rest in _commands(shown).values())]


def between(latency: Estimate) -> str:
    """Its interval in milliseconds; of what was measured there is none."""
    low, high = milliseconds(latency.low), milliseconds(latency.high)
    return "measured" if latency.low == latency.high else f"{low} to {high}"


def _commands(shown: Shown) -> dict[str, tuple[str, str]]:
    """What to do with a design: in words -> the command before the network's name and after it."""
    rest = shown.outcome.arguments
    commands = {"What guidelines it breaks": ("costmodel check", rest)} if shown.labels else {}
    return commands | {"Look into it": ("costmodel analyze", f"{rest} --format html -o design.html")}
