"""costmodel ops [NAME]."""

from __future__ import annotations

import argparse
import difflib
from typing import Any

from costmodel.cli.output import terminal_width, use_color, write
from costmodel.errors import UsageError
from costmodel.ops import Operator, operators


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one operator: its formulas, printed from the code")
    parser.add_argument("--names", action="store_true", help="only the names, one a line")


def run(options: argparse.Namespace) -> int:
    """List operators, or print one's formulas; gives the exit status."""
    from costmodel.report import operators as report

    known = list(operators())
    if options.names:
        write("".join(f"{op.qualified_type}\n" for op in known), None)
        return 0
    if options.name is None:
        write(report.render_list(known, terminal_width(), use_color()), None)
        return 0
    name = options.name.lower()
    same_type = [op for op in known if name in (op.op_type.lower(), op.qualified_type.lower())]
    if not same_type:
        raise UsageError(f"ops {options.name}: no such operator; {_remedy(options.name, known)}")
    chosen = [op for op in same_type if op.qualified_type.lower() == name] or same_type
    others = [op.qualified_type for op in same_type if op not in chosen]
    text = "\n".join(report.render_formulas(op) for op in chosen)
    write(text + (f"\nOf the same name: {', '.join(others)}\n" if others else ""), None)
    return 0


def _remedy(name: str, known: list[Operator]) -> str:
    by_lower: dict[str, Any] = {op.op_type.lower(): op.op_type for op in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=3)
    return f"did you mean {', '.join(by_lower[n] for n in near)}?" if near else "`costmodel ops` lists them"
