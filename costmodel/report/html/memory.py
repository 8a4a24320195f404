"""Memory of the activations that are alive while a network runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from costmodel.kernels import kind_of, runtime_of
from costmodel.kernels.lifetimes import LiveMemory, live_memory
from costmodel.report.html.markup import Markup, join, tag
from costmodel.report.html.parts import part_of
from costmodel.report.html.plots import Axis, percent, plot, x_axis, y_axis
from costmodel.report.html.sections import Section, figure, grid, marks, section
from costmodel.report.html.shown import Shown
from costmodel.report.numbers import exact, short, short_bytes

_HEIGHT = 180

_WHAT = (
    "Activations are alive from the kernel that writes them to the last that reads them; what a kernel takes along "
    "never leaves it. Parameters ({params}) and a runtime's own scratch come on top; a runtime that works in place "
    "needs less. Sizes are those of the model's element types."
)


@dataclass(frozen=True, slots=True)
class Step:
    """What runs at a step: its name, the part of its time, and its operators' names."""

    name: str
    part: str
    operators: tuple[str, ...]


def memory(shown: Shown) -> Section:
    """A picture for each set of kernels; platforms whose runtimes launch the same share one."""
    graph = shown.analysis.graph
    pictures: dict[tuple[tuple[str, ...], ...], tuple[list[str], Markup]] = {}
    for place, entry in enumerate(shown.times):
        kernels = [item.kernel for item in entry.prediction.kernels if item.kernel.kind != "view"]
        key = tuple(tuple(node.name for node in kernel.operators) for kernel in kernels)
        if key in pictures:
            pictures[key][0].append(entry.platform.id)
            continue
        runtime = runtime_of(entry.platform.runtime, entry.platform.machine.blocks)
        alive = live_memory(graph, [kernel.operators for kernel in kernels], prepares=runtime.prepares)
        labels = [Step(kernel.name, part_of(kernel.kind), names) for kernel, names in zip(kernels, key, strict=True)]
        pictures[key] = ([entry.platform.id], _picture(shown, f"p{place}l", alive, labels, "kernel"))
    figures = [figure(", ".join(ids), picture) for ids, picture in pictures.values()]
    if not shown.times:
        alive = live_memory(graph, [(node,) for node in graph.nodes], prepares=False)
        labels = [Step(node.name, part_of(kind_of(node, graph.tensors)[0]), (node.name,)) for node in graph.nodes]
        figures = [figure("Operator by operator", _picture(shown, "l", alive, labels, "operator"))]
    what = _WHAT.format(params=short(shown.analysis.totals.params))
    return section("memory", "Memory of live activations", grid(*figures), tag("p", what, class_="note"))


def _picture(shown: Shown, prefix: str, alive: LiveMemory, steps: Sequence[Step], word: str) -> Markup:
    if not alive.peak:
        return tag("p", "No activation has a known size.")
    peak = steps[alive.peak_step]
    row = shown.number.get(peak.name)
    where = f" (operator {row})" if row else ""
    count = len(steps)
    x, y = Axis(0.0, float(count)), Axis(0.0, alive.peak * 1.08)
    name = f"Bytes of activations alive at each {word}, peak {exact(alive.peak)}"
    marked = [
        _bar(shown, f"{prefix}{place}", steps[place], place, size, (x, y)) for place, size in enumerate(alive.steps)
    ]
    top = percent(1 - y.at(alive.peak))
    line = tag("line", class_="roof memory", x1="0", x2="100%", y1=top, y2=top)
    unsized = f" {alive.unsized} tensors of unknown shape are not counted." if alive.unsized else ""
    return join(
        [
            tag("p", f"Peak {short_bytes(alive.peak)} at {peak.name}{where}.{unsized}", class_="axis"),
            marks(plot(_HEIGHT, name, *x_axis(x), *y_axis(y, unit="B"), *marked, line), name),
            tag("p", f"{word}s in the order of execution", class_="axis below"),
        ]
    )


def _bar(shown: Shown, token: str, step: Step, place: int, size: int, axes: tuple[Axis, Axis]) -> Markup:
    x, y = axes
    return tag(
        "rect",
        class_=f"m {step.part}",
        x=percent(x.at(place)),
        width=percent(x.at(1)),
        y=percent(1 - y.at(size)),
        height=percent(y.at(size)),
        data_t=shown.links.tie(token, step.operators),
        data_o=shown.number.get(step.name),
        data_d=f"{short_bytes(size)} alive",
    )
