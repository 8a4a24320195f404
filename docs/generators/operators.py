"""Pages of the operators that are covered: one a family, with each operator's formulas from its code."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from costmodel.dims import show_shape, symbol
from costmodel.errors import CostModelError
from costmodel.ops import Operator, operators
from costmodel.ops.examples import apply_example, inputs_of
from generators.maths import formula
from generators.page import Page, anchor, escaped, paragraphs, prose, table

FOLDER = "reference/operators"

_COUNTS = {"mult_adds": "mult-adds", "element_ops": "element operations", "memory_access": "memory access"}
_INDEX = """# Operators

Each operator is one function of `costmodel/ops/`: from the shapes of its inputs and its attributes it makes the shapes
of its outputs and what they cost. The formulas on these pages come out of these functions, applied to letters: they are
what is counted, not what somebody wrote down about it. `costmodel ops Conv` prints the same.

Mult-adds
:   multiply-accumulates of the contraction, the paper's FLOPs, and nothing else.

Element operations
:   every other scalar operation: bias additions, activations, comparisons of a pooling.

Memory access
:   elements read and written: inputs, outputs and weights (Eq. 1 and 2 of the paper).

An operator that is on none of these pages is not counted as zero: it is named in the coverage line of every output.
A new one is [one function](../../extend/operator.md).
"""


def pages() -> Iterator[Page]:
    """The families, and the list of all operators before them."""
    families = _families()
    yield Page(f"{FOLDER}/index.md", "All operators", partial(_index, families))
    for module, members in families.items():
        yield Page(path_of(module), title_of(module), partial(_family, module, members))


def path_of(module: str) -> str:
    """The page of a family, which is a module of costmodel.ops; those of Microsoft are in a folder of their own."""
    return f"{FOLDER}/{module.removeprefix('costmodel.ops.').replace('.', '/').replace('_', '-')}.md"


def title_of(module: str) -> str:
    """What a family has, from the first line of its module."""
    head = re.split(r": |\. | \(com\.", _documentation(module)[0])[0].removesuffix(".")
    return head if ".microsoft." in module else head.partition(", ")[0]


def _documentation(module: str) -> list[str]:
    return paragraphs(sys.modules[module].__doc__ or module)


def _families() -> dict[str, list[Operator]]:
    """The operators by the module of their function: ONNX's own families before Microsoft's, each by name."""
    by_module: dict[str, list[Operator]] = {}
    for op in operators():
        by_module.setdefault(op.function.__module__, []).append(op)
    return dict(sorted(by_module.items(), key=lambda item: (item[0].count("."), title_of(item[0]))))


def _index(families: dict[str, list[Operator]]) -> str:
    pages_of = {op.qualified_type: path_of(module) for module, members in families.items() for op in members}
    rows = []
    for op in operators():
        link = f"{pages_of[op.qualified_type].removeprefix(f'{FOLDER}/')}#{anchor(op.qualified_type)}"
        rows.append((f"[`{op.qualified_type}`]({link})", prose(op.summary)))
    return f"{_INDEX}\n{len(rows)} operators, in {len(families)} families.\n\n{table(('operator', 'formula'), rows)}"


def _family(module: str, members: Sequence[Operator]) -> str:
    parts = [f"# {escaped(title_of(module))}\n", *(f"{prose(part)}\n" for part in _documentation(module))]
    alike = sorted(members, key=lambda op: _definition(op)[0])
    for _, group in groupby(alike, key=_definition):
        parts += _same(list(group))
    return "\n".join(parts)


def _definition(op: Operator) -> tuple[str, str, str]:
    """What operators of one formula have in common. First the name of the first of them, to sort by."""
    same = (op.function, op.summary, op.example, op.domain)
    first = next(o for o in operators() if (o.function, o.summary, o.example, o.domain) == same)
    return first.qualified_type.lower(), op.summary, op.domain


def _same(ops: Sequence[Operator]) -> Iterator[str]:
    """Operators of one formula: their names, each of which has an anchor, and the example."""
    first, *others = ops
    more = f" and {len(others)} more" if others else ""
    yield f"## {escaped(first.qualified_type)}{more} {{ #{anchor(first.qualified_type)} }}\n"
    if others:
        names = ", ".join(f"`{op.qualified_type}`{{ #{anchor(op.qualified_type)} }}" for op in others)
        yield f"The same holds for {names}.\n"
    yield f"{prose(first.summary)}\n"
    yield f"{_example(first)}\n"


def _example(op: Operator) -> str:
    try:
        inputs, applied = inputs_of(op, symbol), apply_example(op, symbol)
    except CostModelError as error:
        return f"No formula in symbols: {prose(str(error))}"
    rows = []
    for spec in inputs:
        if spec is not None:
            values = "" if spec.value is None else f" = {[*spec.value.reshape(-1)]}"
            rows.append((f"input {_code(spec.name)}", _code(f"{spec.dtype}[{show_shape(spec.shape)}]{values}")))
    rows += [(f"attribute {_code(name)}", _code(str(value))) for name, value in op.example.attributes.items()]
    rows += [("output", _code(f"{spec.dtype}[{show_shape(spec.shape)}]")) for spec in applied.outputs]
    rows += [(words, formula(getattr(applied.cost, count))) for count, words in _COUNTS.items()]
    if applied.note:
        rows.append(("note", html.escape(applied.note)))
    body = "".join(f"<tr><th scope='row'>{head}</th><td>{cell}</td></tr>" for head, cell in rows)
    return f"<div class='formulas' data-search-exclude><table class='counts'>{body}</table></div>"


def _code(text: str) -> str:
    return f"<code>{html.escape(text)}</code>"
