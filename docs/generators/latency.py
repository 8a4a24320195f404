"""The page of the latency formula: terms with their prices, and amounts that come out of the code for letters."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from typing import Any

import sympy

from costmodel.builder import GraphBuilder
from costmodel.dims import symbol
from costmodel.graph import TensorSpec
from costmodel.kernels import fuse, runtime_of
from costmodel.platforms import Doubt, Machine, Stretch, find
from costmodel.predictor import TERMS, terms
from costmodel.predictor.terms import amounts
from generators.maths import formula
from generators.page import Page, paragraphs, prose, table

PLATFORMS = ("snapdragon810-neon-fp32-1t", "gtx1080ti-cudnn7-fp32")

_HEAD = """# The latency formula

[Platforms](../platforms.md#how-a-latency-is-estimated) tells how a latency is made of kernels. This page has what it is
made of: the terms, the amounts of them that a kernel has, and what a platform takes for each.

"""
_AMOUNTS = """## Amounts

What the code counts for a kernel on N images of C channels and H x W positions, made into M channels. C and M are 8 or
more here, and fill the platform's vectors; `costmodel explain MODEL NODE` has the amounts of any operator of any
network.

"""
_PRICES = """## Prices

Nanoseconds for one of each, as the profiles of the paper's two platforms have them. `costmodel platforms show ID` has
those of all others.

"""

Layer = Callable[[GraphBuilder, TensorSpec], TensorSpec]

_C, _M = symbol("C"), symbol("M")
_PLAIN = Machine()
_LAYERS: dict[str, tuple[Layer, Machine]] = {
    "1x1 convolution": (lambda g, x: g.conv(x, _M), _PLAIN),
    "3x3 convolution, as a matrix product": (lambda g, x: g.conv(x, _M, 3), _PLAIN),
    "3x3 convolution, by Winograd's F(4 x 4, 3 x 3)": (lambda g, x: g.conv(x, _M, 3), Machine(winograd=4)),
    "3x3 depthwise convolution": (lambda g, x: g.depthwise(x, 3), _PLAIN),
    "3x3 depthwise convolution of stride 2": (lambda g, x: g.depthwise(x, 3, stride=2), _PLAIN),
    "dense layer on the means": (lambda g, x: g.linear(g.flatten(g.global_avg_pool(x)), _M, bias=False), _PLAIN),
    "addition of two of these": (lambda g, x: g.add(g.max_pool(x, 1), x), _PLAIN),
    "sigmoid": (lambda g, x: g.sigmoid(x), _PLAIN),
    "3x3 max pooling of stride 2": (lambda g, x: g.max_pool(x, 3, stride=2, padding=1), _PLAIN),
    "global pooling": (lambda g, x: g.global_avg_pool(x), _PLAIN),
    "concat of two of these": (lambda g, x: g.concat([x, x]), _PLAIN),
}


def pages() -> Iterator[Page]:
    """The one page."""
    yield Page("reference/latency.md", "Latency formula", _text)


def _text() -> str:
    parts = [
        _HEAD,
        *(f"{text}\n\n" for text in _documentation(terms.__doc__)),
        _AMOUNTS,
        *_amounts(),
        _PRICES,
        _prices(),
    ]
    parts += ["## Stretch\n\n", *(f"{text}\n\n" for text in _documentation(Stretch.__doc__))]
    parts += ["## Doubt\n\n", *(f"{text}\n\n" for text in _documentation(Doubt.__doc__))]
    return "".join(parts)


def _documentation(text: str | None) -> list[str]:
    """Paragraphs and lists of a docstring."""
    result = []
    for part in (text or "").split("\n\n"):
        items = part.strip().split("\n* ")
        if items[0].startswith("* "):
            items[0] = items[0][2:]
            result.append("\n".join(f"* {prose(' '.join(item.split()))}" for item in items))
        else:
            result += [prose(one) for one in paragraphs(part, r"\n\s*\n|\n\s*(?=\w+(?:, \w+)*: )")]
    return result


def _amounts() -> Iterator[str]:
    for name, (layer, machine) in _LAYERS.items():
        rows = [(f"<code>{html.escape(term)}</code>", formula(amount)) for term, amount in _of(layer, machine).items()]
        body = "".join(f"<tr><th scope='row'>{head}</th><td>{cell}</td></tr>" for head, cell in rows)
        yield f"### {name}\n\n<div class='formulas' data-search-exclude><table class='counts'>{body}</table></div>\n\n"


def _of(layer: Layer, machine: Machine) -> dict[str, Any]:
    """The amounts of a layer's last kernel, where no choice by the number of channels is left open."""
    g = GraphBuilder("layer")
    result = layer(g, g.input("x", tuple(map(symbol, "NCHW"))))
    kernel = fuse(g.build(result), runtime_of("ncnn"))[-1]
    counted = {term: _decided(amount) for term, amount in amounts(kernel, machine).items()}
    return {term: amount for term, amount in counted.items() if amount != 0}


def _decided(amount: Any) -> Any:
    """The amount for 8 channels and more: 1 for each indicator that is min(1, channels // few)."""
    value = sympy.sympify(amount)
    return value.replace(lambda one: isinstance(one, sympy.Min) and 1 in one.args, lambda one: sympy.Integer(1))


def _prices() -> str:
    known = [find(id) for id in PLATFORMS]
    rows = [
        (f"`{term}`", prose(unit), *(_nanoseconds(platform.coefficients.get(term, 0.0)) for platform in known))
        for term, unit in TERMS.items()
    ]
    return table(("term", "for each", *(platform.device for platform in known)), rows, "llrr") + "\n"


def _nanoseconds(seconds: float) -> str:
    value = 1e9 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
