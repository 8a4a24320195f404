"""Formulas as MathML, which browsers draw themselves: no script, no font from elsewhere."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import Any

import sympy
from sympy.printing.mathml import MathMLPresentationPrinter


class _Printer(MathMLPresentationPrinter):
    """sympy's own, with the integer division of costmodel.symbols as people write it."""

    def _print_FloorDiv(self, expression: Any) -> Any:  # noqa: N802 (the printer finds it by this name)
        row, fraction = self.dom.createElement("mrow"), self.dom.createElement("mfrac")
        for part in expression.args:
            fraction.appendChild(self._print(part))
        for child in (self._sign("\N{LEFT FLOOR}"), fraction, self._sign("\N{RIGHT FLOOR}")):
            row.appendChild(child)
        return row

    def _sign(self, text: str) -> Any:
        sign = self.dom.createElement("mo")
        sign.appendChild(self.dom.createTextNode(text))
        return sign


@cache
def formula(expression: Any) -> str:
    """An expression of sympy, or a number, as an element of MathML; its text is what Python would compute."""
    value = sympy.sympify(expression)
    return _element(_Printer()._print(value).toxml(), str(expression))


def equation(name: str, expression: Any) -> str:
    """name = expression, on a line of its own."""
    right = _Printer()._print(sympy.sympify(expression)).toxml()
    return _element(f"{_name(name)}<mo>=</mo>{right}", f"{name} = {expression}", display=True)


def _element(content: str, text: str, display: bool = False) -> str:
    block = ' display="block"' if display else ""
    body = re.sub(r"\s*\n\s*", "", content)
    return f'<math{block} alttext="{html.escape(text)}"><mrow>{body}</mrow></math>'


def _name(name: str) -> str:
    """The left side of an equation, such as c2, dMAC/dc1 or L(n)."""
    over, slash, under = name.partition("/")
    if slash and "(" not in over.removesuffix(")").partition("(")[0] and not name.startswith("sign"):
        return f"<mfrac><mrow>{_name(over)}</mrow><mrow>{_name(under)}</mrow></mfrac>"
    with_index = re.fullmatch(r"(d?)([A-Za-z])(\d)(²?)", name)
    if with_index:
        d = f"<mi>{with_index[1]}</mi>" if with_index[1] else ""
        parts = f"<mi>{with_index[2]}</mi><mn>{with_index[3]}</mn>"
        return f"{d}<msubsup>{parts}<mn>2</mn></msubsup>" if with_index[4] else f"{d}<msub>{parts}</msub>"
    return f"<mi>{html.escape(name)}</mi>" if len(name) == 1 else f"<mtext>{html.escape(name)}</mtext>"
