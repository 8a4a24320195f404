"""Mult-adds against memory access of every operator, whatever the platform."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.graph import Node
from costmodel.kernels import kind_of
from costmodel.report.html.markup import Markup, tag
from costmodel.report.html.parts import part_of
from costmodel.report.html.plots import Axis, clipped, line, log_axis, percent, plot, x_axis, y_axis
from costmodel.report.html.sections import Section, figure, legend, marks, section
from costmodel.report.html.shown import Shown
from costmodel.report.numbers import short

_HEIGHT = 300
_FLOOR = 0.07  # of the height: where operators without mult-adds lie
_INTENSITIES = (1, 10, 100)  # mult-adds an element whose lines are drawn
_RADIUS = 3.5


def counts(shown: Shown) -> Section | None:
    """The picture; None for a network without operators that touch memory."""
    spots = _spots(shown.analysis.operators)
    if not spots:
        return None
    x = log_axis([float(memory) for memory, _ in spots])
    computing = [float(mult_adds) for _, mult_adds in spots if mult_adds]
    y = log_axis(computing or [1.0])
    name = "Mult-adds by memory access of every operator"
    dots = [_dot(shown, number, spot, nodes, (x, y)) for number, (spot, nodes) in enumerate(spots.items())]
    upper = tag(
        "svg",
        *y_axis(y),
        *(mark for intensity in _INTENSITIES for mark in _diagonal(x, y, intensity)),
        width="100%",
        height=percent(1 - 2 * _FLOOR),
        class_="inner",
    )
    zero = tag("text", "none", class_="tick", x="0", dx="-6", y=percent(1 - _FLOOR), dy="4", text_anchor="end")
    content = plot(_HEIGHT, name, *x_axis(x), upper, zero, *dots)
    parts = {_part(shown, nodes[0]) for nodes in spots.values()}
    return section(
        "operators-plot",
        "Mult-adds against memory access",
        legend(parts),
        figure(
            "One dot an operator, or several of the same counts; its area is their number",
            tag("p", "mult-adds", class_="axis"),
            marks(content, name),
            tag("p", "memory access: elements read and written", class_="axis below"),
            note="Operators at the bottom have no mult-adds: all their time is memory access and launches.",
        ),
    )


def _spots(operators: Sequence[Node]) -> dict[tuple[int, int], list[Node]]:
    """Operators by memory access and mult-adds, those that are many first; operators that touch nothing left out."""
    result: dict[tuple[int, int], list[Node]] = {}
    for node in operators:
        memory, mult_adds = node.cost.memory_access, node.cost.mult_adds
        if isinstance(memory, int) and isinstance(mult_adds, int) and memory > 0:
            result.setdefault((memory, mult_adds), []).append(node)
    return dict(sorted(result.items(), key=lambda entry: -len(entry[1])))


def _part(shown: Shown, node: Node) -> str:
    return part_of(kind_of(node, shown.analysis.graph.tensors)[0])


def _dot(shown: Shown, number: int, spot: tuple[int, int], nodes: Sequence[Node], axes: tuple[Axis, Axis]) -> Markup:
    memory, mult_adds = spot
    token = shown.links.tie(f"c{number}", (node.name for node in nodes))
    count = f"{len(nodes)} operators, " if len(nodes) > 1 else ""
    height = (1 - axes[1].at(mult_adds)) * (1 - 2 * _FLOOR) if mult_adds else 1 - _FLOOR
    return tag(
        "circle",
        class_=f"m {_part(shown, nodes[0])}",
        cx=percent(axes[0].at(memory)),
        cy=percent(height),
        r=f"{min(_RADIUS * len(nodes) ** 0.5, 14):.1f}",
        data_t=token,
        data_o=shown.number[nodes[0].name],
        data_d=f"{count}{short(mult_adds)} mult-adds, {short(memory)} elements",
    )


def _diagonal(x: Axis, y: Axis, intensity: int) -> list[Markup]:
    """Where operators have so many mult-adds for each element."""
    ends = clipped(x, y, intensity)
    if ends is None:
        return []
    (_, (right, top)) = ends
    words = f"{intensity} an element"
    place = {"x": percent(x.at(right)), "y": percent(1 - y.at(top))}
    return [
        line(x, y, *ends, "diagonal"),
        tag("text", words, class_="label", dx="-8", dy="14", text_anchor="end", **place),
    ]
