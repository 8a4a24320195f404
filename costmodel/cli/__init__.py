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

from costmodel.cli.output import silence_stdout
from costmodel.errors import CostModelError, UsageError

LONGEST_MESSAGE = 2000  # characters; a name in a damaged file can have millions

# verb -> (module that has add_arguments(parser) and run(options), one-line help)
VERBS = {
    "analyze": ("costmodel.cli.analyze", "tell what a network costs: mult-adds, memory access, latency"),
    "annotate": ("costmodel.cli.annotate", "write costs and latencies into the nodes of a .onnx file, for Netron"),
    "build": ("search.build_command", "make a network of a design file: an ONNX model, weights for PyTorch"),
    "calibrate": ("calibration.command", "fit a platform to measured latencies: a data CSV, or logs, to a profile"),
    "check": ("costmodel.cli.check", "tell where a network breaks the guidelines G1 to G4, and what that costs"),
    "compare": ("costmodel.cli.compare", "tell what differs between two networks, and what that costs"),
    "explain": ("costmodel.cli.explain", "tell why a guideline holds, or why an operator takes its time"),
    "measure": ("calibration.measure.command", "time networks on this machine: rows of a data CSV, for calibrate"),
    "ops": ("costmodel.cli.ops", "list the operators that are covered, with their formulas"),
    "platforms": ("costmodel.cli.platforms", "list the platforms that latencies are predicted for, or show one"),
    "reuse": ("costmodel.cli.reuse", "tell which channels reach later blocks unchanged (feature reuse)"),
    "search": ("search.command", "find the ShuffleNet V2 that keeps a latency budget"),
    "zoo": ("costmodel.cli.zoo", "list the networks that come with the package"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        return _run([word for word in words if word != "--debug"])
    except BrokenPipeError:
        silence_stdout()  # the reader has seen enough (`| head`)
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        print(f"costmodel: {_one_line(_message(error))}", file=sys.stderr)
        return 2


def _message(error: Exception) -> str:
    if isinstance(error, CostModelError):
        return str(error)
    if isinstance(error, MemoryError):
        return "out of memory; analyze a smaller model, or on a larger machine"
    return f"internal error, {type(error).__name__}: {error}; please report it with what --debug shows"


def _run(words: list[str]) -> int:
    parser = _Parser(
        prog="costmodel",
        description="What a convolutional network costs, operator by operator.",
        epilog="`costmodel VERB --help` tells a verb's options. --debug, anywhere, shows tracebacks.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=_Parser)
    chosen = next((word for word in words if not word.startswith("-")), None)
    if chosen is not None and chosen == words[0] and chosen not in VERBS:
        raise UsageError(_no_verb(chosen))
    parsers = {}
    for verb, (module, summary) in VERBS.items():
        verb_parser = verbs.add_parser(verb, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        parsers[verb] = verb_parser
        if verb == chosen:
            import_module(module).add_arguments(verb_parser)
    options, extra = parser.parse_known_args(words)
    if extra:
        parsers.get(options.verb, parser).error(f"unrecognized arguments: {' '.join(extra)}")
    if options.version:
        print(_version())
        return 0
    if options.verb is None:
        parser.error("no verb is given")
    return int(import_module(VERBS[options.verb][0]).run(options))


def _no_verb(word: str) -> str:
    """What to say to a first word that is no verb: the nearest one, or that a model needs one before it."""
    if word.endswith(".onnx") or word.startswith("zoo:") or os.path.isfile(word):
        return f"{word}: a model, not a verb; did you mean `costmodel analyze {word}`?"
    import difflib

    from costmodel import zoo

    if word.partition(",")[0] in (network.name for network in zoo.networks()):
        return f"{word}: a network, not a verb; did you mean `costmodel analyze {zoo.PREFIX}{word}`?"
    near = difflib.get_close_matches(word[:100], VERBS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(VERBS)}"
    return f"{word}: no such verb; {hint}"


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cnn-costmodel")
    except PackageNotFoundError:
        return "unknown (run from its sources, not installed)"


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are one line and say where help is."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"costmodel: {_one_line(message)}; see `{self.prog} --help`\n")


def _one_line(message: str) -> str:
    """A message without line breaks and without control characters, which could steer a terminal."""
    line = "".join(c if c.isprintable() else " " for c in message)
    line = " ".join(line.split())
    half = LONGEST_MESSAGE // 2
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:half]} ... {line[-half:]}"
