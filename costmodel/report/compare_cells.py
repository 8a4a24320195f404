"""A comparison in words and cells: what text and Markdown share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from costmodel.comparing import Change, Comparison, Delay, Difference, Layer, State, Verdict
from costmodel.dims import Dim
from costmodel.report.latency import Cells, milliseconds, on_lines
from costmodel.report.latency import labels as labels_of
from costmodel.report.names import plain
from costmodel.report.numbers import exact, short

SHOWN = 20  # rows of a table of layers, unless more are asked for

SECTIONS = {
    State.CHANGED: "Changed",
    State.REMOVED: "Removed",
    State.ADDED: "Added",
    State.FOLLOWS: "Not touched, but what they read has another size",
}
_MOST_TYPES = 6  # of operators that are named
_SAME = "0"


def headline(comparison: Comparison) -> str:
    """What the two networks are to each other, in a sentence."""
    counts = {state: len(comparison.of(state)) for state in State}
    same = counts[State.SAME]
    if comparison.verdict is Verdict.SAME:
        mult_adds = exact(comparison.after.totals.mult_adds)
        return f"Same: {_layers(same)}, each in both with the same sizes, {mult_adds} mult-adds in all."
    if comparison.verdict is Verdict.UNRELATED:
        sizes = [same + counts[State.CHANGED] + counts[State.FOLLOWS] + counts[s] for s in (State.REMOVED, State.ADDED)]
        return (
            f"Different networks: of {sizes[0]} and {sizes[1]} layers {same} are the same; the rest has too little in "
            "common to be compared layer by layer."
        )
    touched = [(State.CHANGED, "changed"), (State.REMOVED, "removed"), (State.ADDED, "added")]
    parts = [f"{counts[state]} {word}" for state, word in touched if counts[state]]
    follow = counts[State.FOLLOWS]
    if follow:
        parts.append(f"{follow} {'has' if follow == 1 else 'have'} other sizes{' because of that' if parts else ''}")
    return f"Different: {', '.join(parts) or 'the inputs'}; {_layers(same)} {'is' if same == 1 else 'are'} the same."


def _layers(count: int) -> str:
    return "1 layer" if count == 1 else f"{count} layers"


def input_lines(comparison: Comparison) -> list[str]:
    """The networks' inputs that differ, a sentence each."""
    return [plain(f"Input: {change.before or 'none'} → {change.after or 'none'}.") for change in comparison.inputs]


def spelled_line(comparison: Comparison) -> str:
    """What is written in another way and changes no layer; empty where nothing is, and for unrelated networks."""
    if comparison.verdict is Verdict.UNRELATED:
        return ""
    parts = []
    for sign, word in ((-1, "without"), (1, "with")):
        types = sorted((-abs(more), op) for op, more in comparison.spelled.items() if more * sign > 0)
        named = [f"{-count} {plain(op)}" for count, op in types[:_MOST_TYPES]]
        if named:
            parts.append(f"{word} {', '.join(named)}{', ...' if len(types) > _MOST_TYPES else ''}")
    if comparison.renamed:
        parts.append(f"{_layers(comparison.renamed)} {'has' if comparison.renamed == 1 else 'have'} other names")
    return f"Written differently, which changes no layer: {'; '.join(parts)}." if parts else ""


def totals(comparison: Comparison) -> Cells:
    """Counts before and after, as analyze has them."""
    before, after = comparison.before.totals, comparison.after.totals
    known = comparison.of(State.SAME, State.CHANGED, State.FOLLOWS)
    layers = [len(known) + len(comparison.of(state)) for state in (State.REMOVED, State.ADDED)]
    operators = [len(one.operators) for one in (comparison.before, comparison.after)]
    rows: tuple[tuple[str, Dim, Dim], ...] = (
        ("mult-adds", before.mult_adds, after.mult_adds),
        ("parameters", before.params, after.params),
        ("memory access (elements)", before.memory_access, after.memory_access),
        ("bytes", before.bytes, after.bytes),
        ("layers", layers[0], layers[1]),
        ("operators", operators[0], operators[1]),
    )
    return Cells(
        ("as written", "before", "after", "difference", ""),
        tuple((name, short(one), short(other), signed(one, other), percent(one, other)) for name, one, other in rows),
    )


def signed(before: Dim, after: Dim) -> str:
    """The difference of two counts to four digits, with its sign."""
    assert isinstance(before, int)
    assert isinstance(after, int)
    if before == after:
        return _SAME
    return f"{'+' if after > before else '-'}{short(abs(after - before))}"


def percent(before: Dim, after: Dim) -> str:
    """The difference of two counts in percent of the first."""
    assert isinstance(before, int)
    assert isinstance(after, int)
    return "" if before == after or not before else f"{100 * (after - before) / before:+.1f} %"


def latencies(comparison: Comparison) -> Cells:
    """What a run takes before and after, and the difference with its interval, a row a platform."""
    odds = Fraction(comparison.delays[0].coverage).limit_denominator(100)
    heads = ("platform", "before ms", "after ms", "difference", f"{odds.numerator} of {odds.denominator} between", "")
    return Cells(heads, tuple(map(_latency, comparison.delays)))


def _latency(delay: Delay) -> tuple[str, ...]:
    ends = f"{part(delay.low, delay)} to {part(delay.high, delay)}"
    share = f"{100 * delay.share:+.1f} %"
    return (
        plain(delay.platform),
        milliseconds(delay.before),
        milliseconds(delay.after),
        part(delay.seconds, delay),
        ends,
        "" if share in ("+0.0 %", "-0.0 %") else share,
    )


def undecided_line(comparison: Comparison) -> str:
    """On which platforms either network may be the faster one; empty where that is sure."""
    names = [
        plain(delay.platform)
        for delay in comparison.delays
        if part(delay.seconds, delay) != _SAME and not delay.certain
    ]
    return f"Which one is faster is not sure on {', '.join(names)}: the interval holds 0." if names else ""


def part(seconds: float, delay: Delay) -> str:
    """Milliseconds with a sign, with as many decimals as the longer run deserves; "0" where they leave nothing."""
    whole = max(delay.before, delay.after, 1e-9) * 1e3
    text = f"{seconds * 1e3:+.{min(max(3 - math.floor(math.log10(whole)), 1), 6)}f}"
    return text if float(text) else _SAME


def section(comparison: Comparison, state: State, count: int) -> Cells:
    """The layers of which that became, in the order of execution, the `count` weightiest of them.

    Those weigh most whose time differs by the largest share of a run on any platform, or else in mult-adds.
    """
    found = comparison.of(state)
    chosen = set(sorted(range(len(found)), key=lambda place: _weight(found[place], comparison.delays))[:count])
    names = labels_of([delay.platform for delay in comparison.delays])
    heads = ("layer", "what", "mult-adds", *(f"{names[delay.platform]} ms" for delay in comparison.delays))
    return Cells(heads, tuple(_row(one, comparison.delays) for place, one in enumerate(found) if place in chosen))


def narrow(heads: Sequence[str], width: int) -> tuple[str, ...]:
    """The heads with those of platforms on several lines."""
    return tuple(on_lines(head, width) if head.endswith(" ms") else head for head in heads)


def hidden(comparison: Comparison, state: State, count: int) -> int:
    """How many layers a section leaves out."""
    return max(len(comparison.of(state)) - count, 0)


def _weight(one: Difference, delays: Sequence[Delay]) -> tuple[float, int]:
    shares = (
        abs(after - before) / (max(delay.before, delay.after) or 1.0)
        for (before, after), delay in zip(one.seconds, delays, strict=True)
    )
    return -max(shares, default=0.0), -abs(one.mult_adds)


def _row(one: Difference, delays: Sequence[Delay]) -> tuple[str, ...]:
    counts = [0 if layer is None else layer.mult_adds for layer in (one.before, one.after)]
    times = (part(after - before, delay) for (before, after), delay in zip(one.seconds, delays, strict=True))
    return (plain(one.layer.label), plain(what(one)), signed(*counts), *times)


def what(one: Difference) -> str:
    """What changed of a layer in both; what it is, of one that is in one of them only."""
    return form(one.layer) if one.before is None or one.after is None else ", ".join(map(_change, one.changes))


def _change(change: Change) -> str:
    return f"{change.fact} {change.before or 'none'} → {change.after or 'none'}"


def form(layer: Layer) -> str:
    """A layer in a few words: Conv 3x3, stride 2, depthwise, 96 channels, 1x56x56, Relu."""
    facts = {**layer.own, **layer.read}
    strides = facts.get("strides", "")
    groups = facts.get("groups", "")
    channels = " to ".join(facts[name] for name in ("channels", "channels in", "channels out") if name in facts)
    parts = (
        f"{layer.op} {facts.get('kernel', '')}".strip(),
        f"stride {strides}" if strides.strip("1x") else "",
        groups if groups == "depthwise" else f"{groups} groups" if groups not in ("", "1") else "",
        f"{channels} channels" if channels else "",
        facts.get("output") or facts.get("input", ""),
        facts.get("activation", ""),
        f"{facts['runs']} runs" if "runs" in facts else "",
    )
    return ", ".join(part for part in parts if part)
