"""The predicted timeline as a trace of Chrome's Trace Event Format, which Perfetto and chrome://tracing show.

One process, the network; one track (a thread) a platform. On a track first what a run takes beside its kernels, then
the kernels in the order of execution, one after the other: together they are the predicted latency. Times are whole
nanoseconds, the finest that viewers keep, so that neighbours meet and never overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from costmodel.analysis import Analysis
from costmodel.errors import UsageError
from costmodel.explaining.node import NodeTime, terms_of
from costmodel.guidelines import Clock
from costmodel.predictor import Estimate, KernelEstimate
from costmodel.pricing import estimate_record, latency_record
from costmodel.report.coverage import assumption_lines, coverage_line
from costmodel.report.documents import json_text
from costmodel.report.latency import Times, interval, kernel_label, note_lines, times
from costmodel.report.names import plain

SCHEMA = "costmodel.trace/1"
FIXED = "run (fixed)"

_PROCESS = 1
_FIRST_TRACK = 2  # viewers call a thread with the number of its process the main one
Event = dict[str, Any]


def render(analysis: Analysis) -> str:
    """The timeline of one run on each platform, as one JSON document.

    Raises UsageError without a platform, and for the many latencies of a population.
    """
    shown = times(analysis)
    if not shown:
        raise UsageError(f"{analysis.model}: a trace is of latencies, and no platform is predicted; name one with -p")
    events = [_named("process_name", 0, analysis.model)]
    for track, entry in enumerate(shown, _FIRST_TRACK):
        events += [
            _named("thread_name", track, f"{entry.platform.id}: {interval(entry.prediction.latency)}"),
            {"name": "thread_sort_index", "ph": "M", "pid": _PROCESS, "tid": track, "args": {"sort_index": track}},
            *_timeline(entry, track),
        ]
    document = {"traceEvents": events, "displayTimeUnit": "ms", "otherData": _other(analysis, shown)}
    return json_text(document)


def _named(what: str, track: int, name: str) -> Event:
    return {"name": what, "ph": "M", "pid": _PROCESS, "tid": track, "args": {"name": plain(name)}}


def _timeline(entry: Times, track: int) -> Iterator[Event]:
    """The slices of a track, in the order of time."""
    clock = Clock(entry.platform, entry.prediction)
    fixed = float(entry.prediction.fixed)
    passed, start = fixed, 0
    end = round(passed * 1e9)
    yield _slice(FIXED, "fixed", track, start, end, _run(entry))
    for item in entry.prediction.kernels:
        passed += float(item.estimate.seconds)
        start, end = end, round(passed * 1e9)
        yield _slice(kernel_label(item), item.kernel.kind.value, track, start, end, _kernel(clock, item))


def _slice(name: str, category: str, track: int, start: int, end: int, arguments: Event) -> Event:
    """A slice from `start` to `end` nanoseconds."""
    return {
        "name": plain(name),
        "cat": category,
        "ph": "X",
        "ts": microseconds(start),
        "dur": microseconds(end - start),
        "pid": _PROCESS,
        "tid": track,
        "args": arguments,
    }


def microseconds(nanoseconds: int) -> float:
    """Whole nanoseconds in microseconds, which give the same nanoseconds whether a viewer rounds or cuts them off.

    Perfetto has done the one and the other; cut off, 1.001 us is 1000 ns, and the slice before it would overlap.
    """
    value = nanoseconds / 1000
    return value if int(value * 1000) == nanoseconds else math.nextafter(value, math.inf)


def _run(entry: Times) -> Event:
    """What is told of the run as a whole, at the slice of what belongs to no kernel."""
    return {f"run_{name}": value for name, value in _ends(entry.prediction.latency).items()}


def _kernel(clock: Clock, item: KernelEstimate) -> Event:
    kernel = item.kernel
    cost: Any = kernel.cost
    time = NodeTime(clock.platform, clock.prediction, item, False, terms_of(clock, item), ())
    by, share = time.bound or ("nothing", 0.0)
    return {
        "kind": kernel.kind.value,
        "op": plain(kernel.op),
        "mult_adds": cost.mult_adds,
        "bytes": cost.bytes,
        "bound": by,
        "bound_share": round(share, 4),
        "share_of_run": round(time.share, 6),
        "launches": kernel.launches * kernel.repeat,
        **_ends(item.estimate),
        "operators": [plain(node.name) for node in kernel.operators],
    }


def _ends(estimate: Estimate) -> Event:
    """A latency with its interval."""
    return {**estimate_record(estimate), "coverage": estimate.coverage}


def _other(analysis: Analysis, shown: Sequence[Times]) -> Event:
    """What holds for the trace as a whole."""
    return {
        "schema": SCHEMA,
        "model": plain(analysis.model),
        "platforms": [latency_record(entry.prediction) for entry in shown],
        "coverage": coverage_line(analysis),
        "assumptions": assumption_lines(analysis),
        "notes": note_lines(analysis),
    }
