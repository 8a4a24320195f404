"""A check for a terminal or a pipe."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from costmodel.guidelines import RULES, Finding, Saving, Severity, Waiver, totals
from costmodel.report import latency
from costmodel.report.check import Check, Fold, clusters, folds
from costmodel.report.coverage import assumption_lines, coverage_line, reason_lines
from costmodel.report.latency import milliseconds
from costmodel.report.names import plain
from costmodel.report.rows import inputs
from costmodel.report.savings import as_sentence, signed_milliseconds
from costmodel.report.tables import NARROWEST, Name, table, to_text

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}
NOTHING = 0.0005  # of the time: what is shown as 0.0 %
_TOGETHER = ("together save", "together cost")
_TIED = "\N{NO-BREAK SPACE}"  # between a number and its unit


def render(check: Check, width: int | None = None, color: bool = False, *, everything: bool = False) -> str:
    """The check as text.

    width: columns of the terminal, sentences wrapped at it; None for a pipe, where a sentence is a line. color: with
    ANSI styles. everything: each note, each waived finding, and findings of one kind, one by one.
    """
    page = None if width is None else max(width, NARROWEST)
    order = {node.name: index for index, node in enumerate(check.analysis.operators)}
    found = sorted(check.review.findings, key=lambda finding: order[finding.operators[0].name])
    notes = [] if everything else [finding for finding in found if finding.severity is Severity.NOTE]
    told = [finding for finding in found if everything or finding.severity is not Severity.NOTE]
    names = latency.labels([platform.id for platform in check.analysis.platforms])
    parts: list[RenderableType] = [*_head(check), Text(), *_verdict(check, page)]
    for entry in folds(told) if everything else clusters(told):
        parts += [Text(), *_entry(entry, names, page)]
    parts += _notes(check, notes, names, page)
    parts += _waivers(check, page, everything)
    parts += [Text(), *(Text(line) for line in _endings(check, page))]
    return to_text(Group(*parts), width, color)


def _head(check: Check) -> list[RenderableType]:
    """The model, its input, and for each platform the latency and what all findings save together."""
    analysis = check.analysis
    word = "input" if len(analysis.graph.inputs) == 1 else "inputs"
    times = latency.times(analysis)
    odds = latency.summary(times).heads[2].removesuffix(" between")
    result = table("platform", "latency\nms", f"{odds}\nbetween", "to save\nms", f"{odds}\nbetween", "share")
    for platform, prediction, saving in zip(analysis.platforms, analysis.predictions, check.review.totals, strict=True):
        took = prediction.latency
        result.add_row(
            Name(plain(platform.id)),
            milliseconds(took.seconds),
            f"{milliseconds(took.low)} to {milliseconds(took.high)}",
            signed_milliseconds(saving.seconds),
            _between(saving) if saving.seconds else "",
            _percent(saving.share),
        )
    head: list[RenderableType] = [
        Text(plain(analysis.model), "bold"),
        Text(f"{word}  {plain(inputs(analysis))}"),
        Text(),
        result,
    ]
    return [*head, *(Text(latency.budget_line(budget)) for budget in analysis.budgets)]


def _verdict(check: Check, page: int | None) -> list[Text]:
    """How many findings of which severity; without any, what was looked at."""
    found, options = check.review.findings, check.options
    if not found:
        where = _listed([plain(platform.id) for platform in check.analysis.platforms])
        left = " left" if check.review.waived else ""
        line = (
            f"No findings{left}: nothing{' else' if left else ''} that {_listed(check.rules, 'or')} would change saves "
            f"{100 * options.note_at:g} % or more of the time on {where}."
        )
        return [Text(part, "bold green") for part in _wrapped(line, page)]
    levels = ((Severity.ERROR, options.error_at), (Severity.WARNING, options.warning_at), (Severity.NOTE, None))
    counts: list[str] = []
    for level, at in levels:
        count = sum(finding.severity is level for finding in found)
        if count:
            whole = "" if counts else " of the time"
            reach = "" if at is None else f" ({100 * at:g} %{whole} or more)"
            counts.append(f"{count} {level.value}{'' if count == 1 else 's'}{reach}")
    line = (
        f"{_listed(counts)}. To save: an estimate of what all together save; of those that change the same operator, "
        "the one that saves most."
    )
    return [Text(part) for part in _wrapped(line, page)]


def _entry(entry: Fold, names: dict[str, str], page: int | None) -> list[RenderableType]:
    """A finding, or several of one kind: what, where, why, what instead, what that saves."""
    kinds = folds(entry.findings)
    first = kinds[0].first
    where = _places(entry.findings) if len(kinds) == 1 else f"in {len(entry.findings)} places"
    head = f"{first.severity.value} {first.guideline}"
    opening, *rest = _wrapped(f"{head} {where}", page, hang=2)
    lines = [Text.assemble((head, STYLES[first.severity]), (opening[len(head) :], "bold"))]
    lines += [Text(line, "bold") for line in rest]
    such = len({finding.message for finding in entry.findings}) > 1
    message = f"{_place(first)}: {plain(first.message)}." if such else as_sentence(first.message)
    lines += [Text(line) for line in _wrapped(message, page, 2, 2)]
    at = f", at {_place(first)}" if len({finding.suggestion for finding in entry.findings}) > 1 else ""
    lines += [Text(line) for line in _wrapped(f"Instead{at}: {plain(first.suggestion)}.", page, 2, 2)]
    if first.source:
        lines += [Text(line, "dim") for line in _wrapped(f"from {plain(first.source)}", page, 2, 2)]
    if len(kinds) == 1:
        verbs = ("saves", "costs") if len(entry.findings) == 1 else _TOGETHER
        return [*lines, *_savings(entry.savings, names, verbs)]
    return [*lines, *_savings(entry.savings, names, _TOGETHER), Text(), _parts(kinds, names, page)]


def _parts(kinds: Sequence[Fold], names: dict[str, str], page: int | None) -> RenderableType:
    """What findings of one kind save, in a row each; shares alone where a terminal is too narrow for more."""
    shares_only = page is not None and page < 40 + 20 * len(names)
    heads = [plain(name) for name in names.values()]
    result = table("place", *(latency.on_lines(f"{head} share", 13).removesuffix("\nshare") for head in heads))
    places = [_places(kind.findings, short=True) for kind in kinds]
    for kind, place in zip(kinds, places, strict=True):
        if places.count(place) > 1:
            place = f"{place}: {plain(kind.findings[0].operators[0].name)}"
        cells = (
            _percent(saving.share)
            if shares_only
            else f"{signed_milliseconds(saving.seconds)} ms{_percent(saving.share):>8}"
            for saving in kind.savings
        )
        result.add_row(place, *cells)
    return Padding(result, (0, 0, 0, 4), expand=False)


def _places(findings: Sequence[Finding], *, short: bool = False) -> str:
    """Where equal findings are, in the order of execution: the first and the last place, how many, how much each."""
    places = list(dict.fromkeys(_place(finding) for finding in findings))
    if len(findings) == 1:
        return places[0]
    shown = ", ".join(places) if len(places) < 3 else f"{places[0]} ... {places[-1]}"
    if short:
        return f"{shown} ({len(findings)})"
    return f"{shown} ({len(findings)} places, {_percent(max(finding.share for finding in findings))} each)"


def _place(finding: Finding) -> str:
    """A finding's place; where that is but the first operator, with how many others."""
    others = len(finding.operators) - 1
    if finding.place != finding.operators[0].name or not others:
        return plain(finding.place)
    return f"{plain(finding.place)} and {others} other{'' if others == 1 else 's'}"


def _savings(savings: Sequence[Saving], names: dict[str, str], verbs: tuple[str, str]) -> list[Text]:
    """What is saved on each platform, in columns; where it takes longer, what it costs."""
    rows = []
    for saving in savings:
        name = plain(names.get(saving.platform, saving.platform))
        if abs(saving.share) < NOTHING:
            rows.append((verbs[0], "nothing", "", "", name))
            continue
        shown = saving if saving.seconds > 0 else _turned(saving)
        amount = f"{milliseconds(shown.seconds)} ms"
        rows.append((verbs[shown is not saving], amount, _percent(shown.share), f"({_between(shown)})", name))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    return [
        Text(f"    {verb}  {amount:>{widths[1]}}  {share:>{widths[2]}}  {between:<{widths[3]}}  on {name}")
        for verb, amount, share, between, name in rows
    ]


def _turned(saving: Saving) -> Saving:
    """A saving with the other sign: what is lost."""
    return Saving(saving.platform, -saving.seconds, -saving.high, -saving.low, -saving.share, saving.coverage)


def _notes(check: Check, notes: Sequence[Finding], names: dict[str, str], page: int | None) -> list[Text]:
    """Notes in a line a guideline, with what they save together."""
    if not notes:
        return []
    lines = [Text(), Text("Notes, which --all tells one by one", "bold")]
    for id in RULES:
        of_rule = [finding for finding in notes if finding.guideline == id]
        if of_rule:
            saved = _listed([_short(saving, names) for saving in totals(of_rule, check.review.clocks)])
            lines += [Text(part) for part in _wrapped(f"{id} {_scattered(of_rule)}: {saved}", page, 2, 5)]
    return lines


def _scattered(findings: Sequence[Finding]) -> str:
    """Where findings are that differ: the place, or how many from which to which."""
    if len(findings) == 1:
        return _place(findings[0])
    places = list(dict.fromkeys(plain(finding.place) for finding in findings))
    return f"{len(findings)} notes, {places[0]}" + (f" to {places[-1]}" if len(places) > 1 else "")


def _short(saving: Saving, names: dict[str, str]) -> str:
    name = plain(names.get(saving.platform, saving.platform))
    if abs(saving.share) < NOTHING:
        return f"nothing on {name}"
    return f"{signed_milliseconds(saving.seconds)} ms ({_percent(saving.share)}) on {name}"


def _waivers(check: Check, page: int | None, everything: bool) -> list[Text]:
    """Findings that are waived, and waivers that do nothing; no lines without either."""
    lines: list[Text] = []
    waived = check.review.waived
    if waived and not everything:
        count = "1 finding is" if len(waived) == 1 else f"{len(waived)} findings are"
        lines.append(Text(f"{count} waived; --all tells which and why."))
    elif waived:
        lines.append(Text("Waived", "bold"))
        for finding in waived:
            line = f"{finding.guideline} {_place(finding)}: {plain(finding.reason)}"
            lines += [Text(part) for part in _wrapped(line, page, 2, 5)]
    for waiver in check.unused:
        line = f"Waiver without a finding, which can go: {_waiver(waiver)}"
        lines += [Text(part, "yellow") for part in _wrapped(line, page, hang=2)]
    for waiver in check.expired:
        line = f"Waiver that expired on {waiver.expires}: {_waiver(waiver)}"
        lines += [Text(part, "yellow") for part in _wrapped(line, page, hang=2)]
    return [Text(), *lines] if lines else []


def _waiver(waiver: Waiver) -> str:
    given = ((name, getattr(waiver, name)) for name in ("place", "operator", "model"))
    what = " ".join(f"{name} {plain(value)}" for name, value in given if value)
    where = f" ({plain(waiver.where)})" if waiver.where else ""
    return f"{waiver.guideline} {what}{where}"


def _endings(check: Check, page: int | None) -> list[str]:
    """What the guidelines say that were broken, and how far all this can be trusted."""
    analysis = check.analysis
    broken = {finding.guideline for finding in check.review.findings}
    lines = [f"{id}: {rule.title}." for id, rule in RULES.items() if id in broken]
    if broken:
        lines += [f"`costmodel explain {min(broken)}` tells more.", ""]
    lines.append(coverage_line(analysis))
    lines += [f"  {line}" for line in reason_lines(analysis)]
    if analysis.coverage.unknown:
        lines.append("Unknown operators are not checked.")
    lines += [*assumption_lines(analysis), *latency.note_lines(analysis)]
    return [part for line in lines for part in _wrapped(line, page, hang=2)]


def _listed(words: Iterable[str], last_with: str = "and") -> str:
    """a, b and c."""
    *others, last = words
    return f"{', '.join(others)} {last_with} {last}" if others else last


def _between(saving: Saving) -> str:
    """The interval in milliseconds, to two digits: a difference is known no better."""
    return f"{_rough(saving.low)} to {_rough(saving.high)}"


def _rough(seconds: float) -> str:
    value = float(f"{seconds * 1e3:.2g}")
    size = math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{min(max(1 - size, 0), 9)}f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _wrapped(text: str, page: int | None, indent: int = 0, hang: int = 0) -> list[str]:
    """A sentence in lines of a page's width, names never cut; in one line without a page.

    indent: blanks before the first line. hang: before the others.
    """
    if page is None:
        return [" " * indent + text]
    body = text.lstrip()
    indent += len(text) - len(body)
    lines = textwrap.wrap(
        re.sub(r"(?<=\d) (?=%|ms\b)", _TIED, body),
        page,
        initial_indent=" " * indent,
        subsequent_indent=" " * max(hang, indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_TIED, " ") for line in lines] or [""]
