"""python -m costmodel.cli.each VERB [OPTION ...] FILE.onnx ...: a verb of one model, run for each of several.

For pre-commit, which gives a hook all files of a commit at once, after the hook's own arguments.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import takewhile

from costmodel.cli import main

SUFFIX = ".onnx"


def each(arguments: Sequence[str]) -> int:
    """Run the command line once for each .onnx file at its end; gives the worst exit status, 0 without a file."""
    files = list(takewhile(lambda word: word.endswith(SUFFIX), reversed(arguments)))[::-1]
    words = arguments[: len(arguments) - len(files)]
    return max((main([*words, file]) for file in files), default=0)


if __name__ == "__main__":
    sys.exit(each(sys.argv[1:]))
