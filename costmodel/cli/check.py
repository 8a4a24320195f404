"""costmodel check MODEL."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from costmodel.cli.inputs import COUNTS_ONLY, add_model, add_platforms, analyzed, platform_names, tell_exceeded
from costmodel.cli.output import terminal_width, use_color, write
from costmodel.cli.progress import busy
from costmodel.cli.settings import FAIL_ON, LEVELS, RULE_OPTIONS, Settings, check_option, settings_near, share_of
from costmodel.errors import UsageError
from costmodel.guidelines import Options, Severity, Waiver, chosen, load_waivers, waive
from costmodel.report.check import Check

FORMATS = ("text", "json", "github", "sarif")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.epilog = (
        "Exit status: 0 fine; 1 findings at or above --fail-on, or a budget exceeded; 2 bad usage. A project's "
        "settings stand in [tool.costmodel] of its pyproject.toml; what is given here wins."
    )
    add_model(parser)
    add_platforms(parser, counts=False)
    findings = parser.add_argument_group("findings", "A share is a part of the network's time, as 5% or 0.05.")
    for name, what in (("--select", "only"), ("--ignore", "not")):
        what += " these guidelines; may be given again"
        findings.add_argument(name, action="append", metavar="G1,G3", help=what)
    findings.add_argument("--fail-on", choices=FAIL_ON, help="from what on the exit status is 1 (default: error)")
    defaults = Options()
    for name in LEVELS:
        level = name.removesuffix("_at")
        findings.add_argument(
            f"--{level}-at",
            type=_share,
            metavar="SHARE",
            help=f"a finding that saves this share of the time on a platform is {_article(level)} "
            f"(default: {getattr(defaults, name) * 100:g}%%)" + ("; below it is none" if level == "note" else ""),
        )
    shown = ", ".join(f"{name}={getattr(defaults, name):g}" for name in RULE_OPTIONS)
    findings.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help=f"an option of a rule; there are, with their defaults: {shown}",
    )
    findings.add_argument("--waivers", metavar="FILE", help="a TOML file of findings that are accepted, with reasons")
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=FORMATS, default="text", help="text is the default")
    output.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")
    output.add_argument("--all", action="store_true", help="text: one by one, notes and what is waived too")


def run(options: argparse.Namespace) -> int:
    """Check and print; gives the exit status."""
    settings = settings_near(Path.cwd())
    thresholds = _thresholds(options, settings)
    rules = tuple(rule.id for rule in chosen(*_guidelines(options, settings)))
    waivers = [waiver for waiver in _waivers(options, settings) if waiver.guideline in rules]
    options.platform = options.platform or list(settings.platform)
    if not platform_names(options) and not options.budget:
        raise UsageError(f"-p {COUNTS_ONLY}: findings are weighed by their price; name a platform, or leave out -p")
    analysis = analyzed(options)
    today = date.today()
    with busy(f"Checking {options.model}"):
        review = analysis.check(thresholds, select=rules)
        review, unused = waive(review, waivers, analysis.model, today)
    expired = tuple(one for one in waivers if one.expired(today) and one.concerns(analysis.model))
    check = Check(analysis, review, thresholds, rules, unused, expired)
    write(_rendered(check, options), options.output)
    return _verdict(check, options.fail_on or settings.fail_on or "error")


def _rendered(check: Check, options: argparse.Namespace) -> str:
    if options.format == "json":
        from costmodel.report import check_json

        return check_json.render(check)
    if options.format == "github":
        from costmodel.report import github

        return github.render(check)
    if options.format == "sarif":
        from costmodel.report import sarif

        return sarif.render(check)
    from costmodel.report import check_text

    to_terminal = options.output is None
    width, color = terminal_width() if to_terminal else None, to_terminal and use_color()
    return check_text.render(check, width, color, everything=options.all)


def _verdict(check: Check, fail_on: str) -> int:
    """The exit status, with a line on stderr for each reason that it is not 0."""
    from costmodel.report.names import plain

    exceeded = tell_exceeded(check.analysis)
    if fail_on == "never":
        return 1 if exceeded else 0
    count = sum(finding.severity.rank <= Severity(fail_on).rank for finding in check.review.findings)
    if count:
        what = "1 finding" if count == 1 else f"{count} findings"
        scope = f"of severity {fail_on}" if fail_on == "error" else f"of severity {fail_on} or above"
        print(f"costmodel: {plain(check.analysis.model)}: {what} {scope}", file=sys.stderr)
    return 1 if count or exceeded else 0


def _guidelines(options: argparse.Namespace, settings: Settings) -> tuple[Sequence[str], Sequence[str]]:
    """Names to keep to and to leave out; each from the command line where it is given there."""
    return _listed(options.select) or settings.select, _listed(options.ignore) or settings.ignore


def _listed(entries: list[str] | None) -> list[str]:
    return [name.strip() for entry in entries or () for name in entry.split(",")]


def _waivers(options: argparse.Namespace, settings: Settings) -> tuple[Waiver, ...]:
    path = Path(options.waivers) if options.waivers is not None else settings.waivers
    return () if path is None else load_waivers(path)


def _thresholds(options: argparse.Namespace, settings: Settings) -> Options:
    given = {name: getattr(options, name) for name in LEVELS if getattr(options, name) is not None}
    return Options(**{**settings.thresholds, **given, **dict(map(_rule_option, options.set))})


def _rule_option(entry: str) -> tuple[str, float]:
    name, equals, number = entry.partition("=")
    if not equals or not name:
        raise UsageError(f"--set {entry}: write NAME=NUMBER, for example --set min_excess=0.1")
    check_option(name, "--set")
    if not re.fullmatch(r"[0-9]{1,9}|[0-9]{0,9}[.][0-9]{1,9}", number):
        raise UsageError(f"--set {entry}: {number!r} is no number; write {name}={getattr(Options(), name):g}")
    return name, int(number) if number.isdigit() else float(number)


def _share(text: str) -> float:
    share = share_of(text)
    if share is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; write 5% or 0.05")
    return share


def _article(level: str) -> str:
    return f"an {level}" if level[0] in "aeiou" else f"a {level}"
