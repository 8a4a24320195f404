"""costmodel platforms [list [WORD...] | show PLATFORM | schema]."""

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
        metavar="{list,show,schema}",
        default="list",
        help="list (the default); show: everything about one; schema: the JSON Schema of profiles",
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="for list: only platforms whose id has every word in it; for show: an id, a unique beginning of one, or "
        "the path of a profile",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (the default) or json")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")


def run(options: argparse.Namespace) -> int:
    """List platforms, show one, or print the schema; gives the exit status."""
    action, words = options.action, options.words
    if action not in ACTIONS:
        raise UsageError(_no_action(action))
    if action == "show" and len(words) != 1:
        reason = f"{' '.join(words)}: one platform at a time" if words else "no platform is named"
        raise UsageError(f"platforms show: {reason}; `costmodel platforms show PLATFORM` shows one")
    if action == "schema" and words:
        raise UsageError(f"platforms schema {' '.join(words)}: there is one schema for all; leave out the words")
    rendered = _schema() if action == "schema" else _rendered(options)
    write(rendered, options.output)
    return 0


def _no_action(word: str) -> str:
    """What to say to a word that is no action: very likely it is a platform, or a part of its id."""
    from costmodel.platforms import find

    try:
        find(word)
    except UsageError:
        import difflib

        near = difflib.get_close_matches(word[:100], ACTIONS, n=1)
        hint = f"platforms {near[0]}" if near else f"platforms list {word}" if _chosen([word]) else ""
        remedy = f"did you mean `costmodel {hint}`?" if hint else f"there are: {', '.join(ACTIONS)}"
        return f"platforms {word}: no such action; {remedy}"
    return f"platforms {word}: a platform, not an action; did you mean `costmodel platforms show {word}`?"


def _chosen(words: list[str]) -> list[str]:
    """The ids that have every word in them."""
    from costmodel.platforms import platforms

    return [id for id in platforms() if all(word.lower() in id for word in words)]


def _rendered(options: argparse.Namespace) -> str:
    from costmodel import platforms
    from costmodel.report import platforms as report

    to_terminal = options.output is None
    width, color = (terminal_width(), use_color()) if to_terminal else (None, False)
    if options.action == "show":
        platform = platforms.find(options.words[0])
        return platforms.dumps(platform) if options.format == "json" else report.render_one(platform, width, color)
    known = [platforms.find(id) for id in _chosen(options.words)]
    if options.words and not known:
        words = " ".join(options.words)
        raise UsageError(f"platforms list {words}: no id has every word in it; `costmodel platforms` lists all")
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
