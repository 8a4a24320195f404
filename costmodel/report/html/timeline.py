"""The kernels of a run in the order of execution, each as wide as its time."""

from __future__ import annotations

from costmodel.predictor import KernelEstimate
from costmodel.report.html.markup import Markup, tag
from costmodel.report.html.parts import FIXED, part_of
from costmodel.report.html.plots import Axis, percent, plot, x_axis
from costmodel.report.html.sections import Section, figure, legend, marks, section
from costmodel.report.html.shown import Shown
from costmodel.report.latency import interval

_HEIGHT = 46


def timeline(shown: Shown) -> Section:
    """A track for each platform."""
    tracks = [_track(shown, place) for place in range(len(shown.times))]
    used = {part_of(item.kernel.kind) for entry in shown.times for item in entry.prediction.kernels}
    return section(
        "timeline",
        "Kernels in the order of execution",
        legend(used | {FIXED}),
        *tracks,
    )


def _track(shown: Shown, platform: int) -> Markup:
    entry = shown.times[platform]
    whole = float(entry.prediction.latency.seconds)
    name = f"Kernels of {entry.platform.id} over the run"
    title = f"{entry.platform.id}, milliseconds of the run"
    if whole <= 0:
        return figure(title, tag("p", "No kernel takes time: the notes above say why."))
    axis = Axis(0.0, whole * 1e3)
    fixed = float(entry.prediction.fixed)
    boxes = [_box(FIXED, 0.0, fixed / whole, None, f"input and run: {entry.part(fixed)} ms", None)]
    start = fixed
    for place, item in enumerate(entry.prediction.kernels):
        seconds = float(item.estimate.seconds)
        if seconds > 0:
            token = shown.links.tie(f"p{platform}k{place}", (node.name for node in item.kernel.operators))
            part = part_of(item.kernel.kind)
            main = shown.number.get(item.kernel.name)
            boxes.append(_box(part, start / whole, seconds / whole, token, _said(item), main))
        start += seconds
    return figure(title, marks(plot(_HEIGHT, name, *x_axis(axis), *boxes), name))


def _box(part: str, start: float, width: float, token: str | None, said: str, main: int | None) -> Markup:
    return tag(
        "rect",
        class_=f"m {part}",
        x=percent(start),
        width=percent(width),
        height="100%",
        data_t=token,
        data_o=main,
        data_d=said,
    )


def _said(item: KernelEstimate) -> str:
    """A kernel's latency; with its name where it has no operator, whose row would tell it."""
    took = f"{item.kernel.kind}, {interval(item.estimate)}"
    return took if item.kernel.operators else f"{item.kernel.op}: {took}"
