"""The command line: one file a verb, loaded only when it is chosen.

Exit status: 0 fine; 1 findings or an exceeded budget; 2 bad usage or bad input, with one line on
stderr saying what, where and what to do. Tracebacks only with --debug.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from costmodel.errors import CostModelError

# verb -> (module that has add_arguments(parser) and run(options), one-line help)
VERBS = {
    "analyze": ("costmodel.cli.analyze", "count what a network costs: mult-adds, parameters, memory access"),
    "ops": ("costmodel.cli.ops", "list the operators that are covered, with their formulas"),
    "zoo": ("costmodel.cli.zoo", "list the networks that come with the package"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        return _run([word for word in words if word != "--debug"])
    except CostModelError as error:
        if debug:
            raise
        print(f"costmodel: {_one_line(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader has seen enough (`| head`). Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _run(words: list[str]) -> int:
    parser = _Parser(
        prog="costmodel",
        description="What a convolutional network costs, operator by operator.",
        epilog="`costmodel VERB --help` tells a verb's options. --debug, anywhere, shows tracebacks.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=_Parser)
    chosen = next((word for word in words if not word.startswith("-")), None)
    for verb, (module, summary) in VERBS.items():
        verb_parser = verbs.add_parser(verb, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if verb == chosen:
            import_module(module).add_arguments(verb_parser)
    options = parser.parse_args(words)
    if options.version:
        from importlib.metadata import version

        print(version("cnn-costmodel"))
        return 0
    if options.verb is None:
        parser.error("no verb is given")
    return int(import_module(VERBS[options.verb][0]).run(options))


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are one line and say where help is."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"costmodel: {_one_line(message)}; see `{self.prog} --help`\n")


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
