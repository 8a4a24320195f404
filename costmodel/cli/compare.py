"""costmodel compare A B."""

from __future__ import annotations

import argparse
import sys

from costmodel.analysis import Analysis
from costmodel.cli.inputs import add_platforms, add_sizes, analyzed, platform_names, size, tell_exceeded
from costmodel.cli.output import check_file, terminal_width, use_color, write
from costmodel.cli.settings import share_of
from costmodel.comparing import Comparison, compare
from costmodel.errors import UsageError

FORMATS = ("text", "json", "markdown", "html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.epilog = "Exit status: 0 fine; 1 B slower than --fail-on-slower allows, or over a budget; 2 bad usage."
    parser.add_argument("before", metavar="A", help="the network as it was: a .onnx file, or zoo:NAME[,key=value...]")
    parser.add_argument("after", metavar="B", help="the network as it is, likewise; budgets are for this one")
    add_sizes(parser)
    add_platforms(parser)
    parser.add_argument(
        "--fail-on-slower",
        type=_share,
        metavar="SHARE",
        help="exit status 1 if B is predicted to take longer than A by more than this share, as 5%% or 0.05, on any "
        "platform",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="text (the default); json holds every layer, html is a page to look at",
    )
    output.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")
    output.add_argument("--top", type=size, metavar="N", help="text, markdown: at most N layers in a table (20)")


def run(options: argparse.Namespace) -> int:
    """Compare and print; gives the exit status."""
    if options.fail_on_slower is not None and not platform_names(options) and not options.budget:
        raise UsageError("--fail-on-slower: no platform is predicted; name one with -p PLATFORM")
    if options.format == "html":
        check_file(options.format, options.output)
    before, after = (_analyzed(options, model) for model in (options.before, options.after))
    comparison = compare(before, after)
    write(_rendered(comparison, options), options.output)
    slower = options.fail_on_slower is not None and _tell_slower(comparison, options.fail_on_slower)
    return 1 if tell_exceeded(after) or slower else 0


def _analyzed(options: argparse.Namespace, model: str) -> Analysis:
    """One of the two; names of dims and inputs, which only files have, are not for a network of the zoo beside one."""
    chosen = argparse.Namespace(**vars(options))
    chosen.model = model
    zoo = [name.startswith("zoo:") for name in (options.before, options.after)]
    if model.startswith("zoo:") and not all(zoo):
        chosen.dim, chosen.shape, chosen.value, chosen.strict_dims = [], [], [], False
    return analyzed(chosen)


def _rendered(comparison: Comparison, options: argparse.Namespace) -> str:
    count = {} if options.top is None else {"count": options.top}
    if options.format == "json":
        from costmodel.report import compare_json

        return compare_json.render(comparison)
    if options.format == "markdown":
        from costmodel.report import compare_markdown

        return compare_markdown.render(comparison, **count)
    if options.format == "html":
        from costmodel.report import compare_html

        return compare_html.render(comparison)
    from costmodel.report import compare_text

    to_terminal = options.output is None
    return compare_text.render(
        comparison, terminal_width() if to_terminal else None, to_terminal and use_color(), **count
    )


def _tell_slower(comparison: Comparison, allowed: float) -> bool:
    """Whether the second network is too slow, with a line on stderr for each platform where it is."""
    from costmodel.report.names import plain

    slower = comparison.slower_than(allowed)
    for delay in slower:
        models = (
            f"{plain(comparison.after.model)}: {100 * delay.share:.1f} % slower than {plain(comparison.before.model)}"
        )
        print(f"costmodel: {models} on {plain(delay.platform)}, where {100 * allowed:g} % is allowed", file=sys.stderr)
    return bool(slower)


def _share(text: str) -> float:
    share = share_of(text)
    if share is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; write 5% or 0.05")
    return share
