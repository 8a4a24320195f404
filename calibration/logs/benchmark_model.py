"""What TFLite's benchmark_model prints: one model a log.

It warms up, then runs; after both it prints a line of statistics in microseconds, and at the end the averages
(tensorflow/lite/tools/benchmark/benchmark_model.cc of tensorflow/tensorflow, commit 08df8c40; the statistics are Stat
of tensorflow/core/util/stats_calculator.h). Newer versions begin each line with `INFO: `:

    Graph: [/data/local/tmp/mobilenet_v2.tflite]
    #threads used for CPU inference: [4]
    count=15 first=49060 curr=33682 min=32825 max=49060 avg=34825.1 std=3930
    count=50 first=32891 curr=33978 min=32641 max=34005 avg=33209.4 std=450
    Inference timings in us: Init: 855, First inference: 49060, Warmup (avg): 34825.1, Inference (avg): 33209.4

The minimum of the runs is taken, as from benchncnn: what else a phone does only adds to a time. Where the statistics
are missing (a log of only the last line) it is the average, and the notes say so. Before 2020 the last line was
`Average inference timings in us: Warmup: 76605.9, Init: 9933, no stats: 66767.6`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from calibration.dataset import LARGEST_THREADS
from calibration.logs.lines import NUMBER, beginning
from calibration.logs.models import Shape, Timing, UnusableLogError
from calibration.physics import Processor

TOOL = "benchmark_model"

_SUMMARY = re.compile(rf"[Ii]nference timings in us: .*(?:Inference \(avg\)|no stats): *({NUMBER})\s*$")
_SUMMARY_BEGUN = re.compile(r"[Ii]nference timings in us: ")
_COUNT = re.compile(r"(?<!\(microseconds\): )\bcount=([0-9]+)\b(.*)$")  # not of the operators' profile
_FIELD = re.compile(rf"\b(min|curr|avg)=({NUMBER})(?=\s|$|\(all same\))")
_BEGINS = re.compile(r"Running benchmark for at least |Log parameter values verbosely|Min num runs: \[")
_PARAMETER = re.compile(r"(?:^|: |\s)([#A-Za-z][#A-Za-z ]*[A-Za-z]) *: \[([^\]]*)\]\s*$")
_THREADS = ("#threads used for CPU inference", "Num threads")
_ELSEWHERE = {"Use NNAPI": "NNAPI", "Use nnapi": "NNAPI", "Use Hexagon": "Hexagon", "Use CoreML": "Core ML"}
_WHOLE = re.compile(r"[0-9]{1,9}")
_SAME = 1e-4  # relative; the last line repeats the average that the statistics have


def fits(lines: Iterable[str]) -> bool:
    """Whether these are lines of such a log."""
    return any(pattern.search(line) for line in lines for pattern in (_SUMMARY_BEGUN, _BEGINS))


def parse(lines: Sequence[str]) -> Timing:
    """What a log says. Raises UnusableLogError for one that has no time, or several."""
    ends = [(number, match) for number, line in enumerate(lines, start=1) if (match := _SUMMARY.search(line))]
    if not ends:
        raise UnusableLogError(
            len(lines),
            f"it has no line `Inference timings in us: ... Inference (avg): ...`; it begins {beginning(lines)}",
            "let the run finish",
        )
    if len(ends) > 1:
        raise UnusableLogError(ends[1][0], f"it has {len(ends)} runs", "save each run in a log of its own")
    line, average = ends[0][0], float(ends[0][1][1])
    parameters = {match[1]: match[2] for text in lines[:line] if (match := _PARAMETER.search(text))}
    used = [name for key, name in _ELSEWHERE.items() if parameters.get(key) == "1"]
    if used:
        raise UnusableLogError(0, f"it ran on {used[0]}", "measure the CPU, or the GPU with --use_gpu=true")
    notes: list[str] = []
    fastest = _fastest(lines[:line], average)
    if fastest is None:
        notes.append("it has no statistics (count=... min=...); the average was taken, which is above the minimum.")
    if parameters.get("Enable op profiling") == "1":
        notes.append("it ran with the profiling of operators, which adds to the time; measure without it.")
    processor: Processor = "gpu" if parameters.get("Use gpu") == "1" else "cpu"
    shapes = _shapes(parameters.get("Input shapes", ""))
    return Timing(
        latency=(average if fastest is None else fastest) * 1e-6,
        line=line,
        threads=_threads(parameters) if processor == "cpu" else 0,
        batch=shapes[0][1][0] if shapes else None,
        shapes=shapes,
        processor=processor,
        notes=tuple(notes),
    )


def _fastest(lines: Sequence[str], average: float) -> float | None:
    """Microseconds of the fastest run: of the last statistics, if their average is the one of the last line."""
    for line in reversed(lines):
        if count := _COUNT.search(line):
            fields = {name: float(value) for name, value in _FIELD.findall(count[2])}
            of_all = fields.get("avg", fields.get("curr", 0.0))  # one number only where all runs took the same
            ours = abs(of_all - average) <= _SAME * average
            return fields.get("min", of_all) if ours else None
    return None


def _threads(parameters: dict[str, str]) -> int:
    """0 where no number is stated: -1 is the tool's default."""
    stated = [int(parameters[name]) for name in _THREADS if _WHOLE.fullmatch(parameters.get(name, ""))]
    return stated[0] if stated and stated[0] <= LARGEST_THREADS else 0


def _shapes(text: str) -> tuple[tuple[str, Shape], ...]:
    """`1,224,224,3` as N x C x H x W; nothing where several are stated or one of another kind."""
    sizes = text.replace(" ", "").split(",")
    if len(sizes) != 4 or not all(map(_WHOLE.fullmatch, sizes)):
        return ()
    batch, height, width, channels = map(int, sizes)
    return (("", (batch, channels, height, width)),)
