"""What TensorRT's trtexec prints: one model a log.

It echoes its command line, says its options and its device, and ends with statistics in milliseconds
(samples/common/sampleReporting.cpp of NVIDIA/TensorRT, commit 052281f0: TensorRT 8.2 and newer):

    &&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=resnet50.onnx --shapes=input:8x3x224x224 --fp16
    [03/28/2024-07:10:11] [I] Precision: FP32+FP16
    [03/28/2024-07:10:12] [I] Selected Device: NVIDIA GeForce RTX 2080
    [03/28/2024-07:10:40] [I] GPU Compute Time: min = 3.1 ms, max = 3.9 ms, mean = 3.2 ms, median = 3.2 ms, ...

TensorRT 7 prints `GPU Compute` on a line of its own, and `min: 3.1 ms`, ..., `median: 3.2 ms` below it.

The median of the GPU's compute time is taken: a GPU's clock moves both ways, so its minimum is no undisturbed run.
Not in it are the copies of inputs and outputs (`Latency` adds them), which a program may do while the GPU computes,
and what the CPU takes to enqueue the kernels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from calibration.logs.lines import NUMBER, beginning
from calibration.logs.models import Shape, Timing, UnusableLogError

TOOL = "trtexec"

_RUNNING = re.compile(r"&&&& RUNNING TensorRT\.trtexec(?: \[TensorRT v([0-9]{3,9})\])?(?:\s+\[[^\]]*\])*\s*#?(.*)$")
_TIME = re.compile(rf"GPU Compute(?: Time)?: min = .*median = ({NUMBER}) ms")
_HEADING = re.compile(r"(?:^|\] )(GPU Compute|Host Latency|Enqueue Time)(?: Time)?:?\s*$")
_MEDIAN = re.compile(rf"(?:^|\] )median: ({NUMBER}) ms")
_FLAG = re.compile(r"--([A-Za-z0-9]+)(?:=(\S+))?")
_PRECISION = re.compile(r"\] Precision: (\S+)")
_BATCH = re.compile(r"\] Batch: ([0-9]{1,9})\s*$")
_SHAPE = re.compile(r"\] Input inference shape ?: ([^=\s]+)=([0-9]{1,9}(?:x[0-9]{1,9})*)\s*$")
_ARGUMENT = re.compile(r"([^,]+):([0-9]{1,9}(?:x[0-9]{1,9})*)(?=,|$)")  # a name may be in quotes, and have a colon
_DEVICE = re.compile(r"\] Selected Device: (\S.*?)\s*$")
_VERSION = re.compile(r"\] TensorRT version: ([0-9.]+)\s*$")
_DATE = re.compile(r"^\[([0-9]{2})/([0-9]{2})/([0-9]{4})-")
_UNSTABLE = re.compile(rf"GPU compute time is unstable, with coefficient of variance = ({NUMBER})%")
_OTHER_PRECISIONS = ("int8", "fp8", "bf16", "int4", "best")
_STREAMS = ("streams", "infStreams")


def fits(lines: Iterable[str]) -> bool:
    """Whether these are lines of such a log."""
    return any(_RUNNING.search(line) or _TIME.search(line) or _HEADING.search(line) for line in lines)


def parse(lines: Sequence[str]) -> Timing:
    """What a log says. Raises UnusableLogError for none or several times, or those of what is no platform here."""
    times = list(_times(lines))
    if not times:
        raise UnusableLogError(
            len(lines),
            f"it has no line `GPU Compute Time: ... median = ...`; it begins {beginning(lines)}",
            "let the run of TensorRT 7 or newer finish, and save its whole output",
        )
    if len(times) > 1:
        raise UnusableLogError(times[1][0], f"it has {len(times)} runs", "save each run in a log of its own")
    running = _first(_RUNNING, lines)
    flags = dict(_FLAG.findall(running[2])) if running else {}
    _check(flags)
    shapes = _shapes(flags, lines)
    version = _first(_VERSION, lines)
    device = _first(_DEVICE, lines)
    date = _first(_DATE, lines)
    line, latency = times[0]
    return Timing(
        latency=latency,
        line=line,
        precision=_precision(flags, lines),
        batch=_batch(flags, shapes, lines),
        shapes=shapes,
        processor="gpu",
        device=device[1] if device else "",
        runtime_version=version[1] if version else _from_number(running[1] if running else None),
        date=f"{date[3]}-{date[1]}-{date[2]}" if date else "",
        notes=tuple(_notes(flags, lines)),
    )


def _times(lines: Sequence[str]) -> Iterable[tuple[int, float]]:
    """Each line with a median of the GPU's compute time, and the seconds."""
    heading = ""
    for number, line in enumerate(lines, start=1):
        if title := _HEADING.search(line):
            heading = title[1]
        elif time := _TIME.search(line) or (_MEDIAN.search(line) if heading == "GPU Compute" else None):
            heading = ""
            yield number, float(time[1]) / 1e3


def _check(flags: dict[str, str]) -> None:
    """Refuse runs that tell nothing of the GPU by itself, or of a precision that no platform here has."""
    for flag in _OTHER_PRECISIONS:
        if flag in flags:
            raise _other_precision(f"--{flag}")
    if "useDLACore" in flags:
        raise UnusableLogError(0, f"it ran on DLA core {flags['useDLACore']}", "run it without --useDLACore")
    for flag in _STREAMS:
        if flags.get(flag, "1") != "1":
            raise UnusableLogError(
                0, f"it ran with --{flag}={flags[flag]}, where runs wait for each other", "run it with one stream"
            )


def _other_precision(what: str) -> UnusableLogError:
    return UnusableLogError(
        0, f"it ran with {what}, and profiles of TensorRT are of fp32 or fp16 so far", "run it with --fp16 or without"
    )


def _precision(flags: dict[str, str], lines: Sequence[str]) -> str:
    """fp32, fp16, or "" where the log cannot know: an engine that was built before, or types of the model itself."""
    if "loadEngine" in flags or "stronglyTyped" in flags:
        return ""
    stated = _first(_PRECISION, lines)
    allowed = stated[1].upper().split("+") if stated else []
    for word in allowed:
        if word not in ("FP32", "FP16", "TF32"):
            raise _other_precision(f"precision {stated[1] if stated else word}")
    if "fp16" in flags or "FP16" in allowed:
        return "fp16"
    return "fp32" if flags or stated else ""


def _shapes(flags: dict[str, str], lines: Sequence[str]) -> tuple[tuple[str, Shape], ...]:
    """Of the inputs that ran; those that the engine is tuned for where no others are asked for."""
    for flag in ("shapes", "optShapes"):
        if flag in flags:
            return tuple((name.strip("'\""), _sizes(text)) for name, text in _ARGUMENT.findall(flags[flag]))
    printed = {match[1]: _sizes(match[2]) for line in lines if (match := _SHAPE.search(line))}
    return tuple(printed.items())


def _sizes(text: str) -> Shape:
    return tuple(map(int, text.split("x")))


def _batch(flags: dict[str, str], shapes: Sequence[tuple[str, Shape]], lines: Sequence[str]) -> int | None:
    """None where the model has its own: an explicit batch."""
    if shapes:
        return shapes[0][1][0]
    if re.fullmatch("[0-9]{1,9}", flags.get("batch", "")):
        return int(flags["batch"])
    printed = _first(_BATCH, lines)
    return int(printed[1]) if printed else None


def _from_number(number: str | None) -> str:
    """8601 is 8.6.1, 100200 is 10.2.0."""
    if not number:
        return ""
    width = 2 if len(number) > 4 else 1
    major, minor, patch = number[: -2 - width], number[-2 - width : -2], number[-2:]
    return f"{int(major or 0)}.{int(minor)}.{int(patch)}"


def _notes(flags: dict[str, str], lines: Sequence[str]) -> Iterable[str]:
    if unstable := _first(_UNSTABLE, lines):
        yield f"the GPU's time was unstable ({float(unstable[1]):.1f} %); lock its clock."
    if "loadEngine" in flags:
        yield "its engine was built before: that it has the precision of the --id cannot be seen."


def _first(pattern: re.Pattern[str], lines: Iterable[str]) -> re.Match[str] | None:
    return next((match for line in lines if (match := pattern.search(line))), None)
