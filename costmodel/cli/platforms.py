"""costmodel platforms [show PLATFORM | schema]."""

from __future__ import annotations

import argparse
import json

from costmodel.cli.output import terminal_width, use_color, write
from costmodel.errors import UsageError

ACTIONS = ("list", "show", "schema")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=ACTIONS,
        default="list",
        help="list (the default); show: everything about one; schema: the JSON Schema of profiles",
    )
    parser.add_argument(
        "platform",
        nargs="?",
        metavar="PLATFORM",
        help="for show: an id, a unique beginning of one, or the path of a profile",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (the default) or json")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")


def run(options: argparse.Namespace) -> int:
    """List platforms, show one, or print the schema; gives the exit status."""
    if (options.platform is None) == (options.action == "show"):
        reason = (
            "no platform is named" if options.platform is None else f"{options.platform}: only show takes a platform"
        )
        raise UsageError(f"platforms {options.action}: {reason}; `costmodel platforms show PLATFORM` shows one")
    rendered = _schema() if options.action == "schema" else _rendered(options)
    write(rendered, options.output)
    return 0


def _rendered(options: argparse.Namespace) -> str:
    from costmodel import platforms
    from costmodel.report import platforms as report

    to_terminal = options.output is None
    width, color = (terminal_width(), use_color()) if to_terminal else (None, False)
    if options.action == "show":
        platform = platforms.find(options.platform)
        return platforms.dumps(platform) if options.format == "json" else report.render_one(platform, width, color)
    known = [platforms.find(id) for id in platforms.platforms()]
    if options.format == "json":
        return report.render_json(known)
    return report.render_list(known, width, color)


def _schema() -> str:
    """The schema of profiles that the predictor's terms and the runtimes of this version make."""
    from costmodel.kernels import RUNTIMES, Kind
    from costmodel.platforms import form
    from costmodel.predictor import TERMS

    document = form.with_vocabulary(TERMS, RUNTIMES, (kind.value for kind in Kind))
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
