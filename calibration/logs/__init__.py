"""Logs of other tools' benchmarks -> measurements: one file a format, and the table of formats here.

`csv` is the data CSV of costmodel's own (calibration.dataset). A format is never guessed: a file that is of another one
is refused, with what its first lines look like and which format they fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from calibration import dataset
from calibration.logs import benchmark_model, benchncnn, models, trtexec
from calibration.logs.lines import beginning, read_lines
from calibration.logs.measured import Measured
from costmodel.errors import UsageError
from costmodel.zoo.options import clip

__all__ = ["CSV", "FORMATS", "PRECISIONS", "Measured", "files", "read"]

CSV = "csv"
PRECISIONS = ("fp32", "fp16")  # that a log may be of: int8 is no platform here yet


@dataclass(frozen=True, slots=True)
class Format:
    """A tool's logs. runtime: that it times. fits: whether lines are of it. parse: of a log of one model, else None."""

    runtime: str
    fits: Callable[[Sequence[str]], bool]
    parse: Callable[[Sequence[str]], models.Timing] | None = None


_LOGS = {
    benchncnn.TOOL: Format("ncnn", benchncnn.fits),
    benchmark_model.TOOL: Format("tflite", benchmark_model.fits, benchmark_model.parse),
    trtexec.TOOL: Format("tensorrt", trtexec.fits, trtexec.parse),
}
FORMATS = (CSV, *_LOGS)


def files(name: str, words: Sequence[str]) -> tuple[str, ...]:
    """The files that the words of a command line name. Raises UsageError for words that do not fit the format."""
    form = _LOGS.get(name)
    if form is not None and form.parse is not None:
        return tuple(models.pair(word).file for word in words)
    if form is None and len(words) > 1:
        raise UsageError(f"{clip(words[1])}: the measurements are one CSV; put its rows into {clip(words[0])}")
    return tuple(words)


def read(
    name: str, words: Sequence[str], runtime: str, precision: str, threads: int | None, *, skip_bad: bool = False
) -> Measured:
    """The measurements that the words of a command line name.

    name: of FORMATS. words: one CSV; logs of benchncnn; NETWORK=LOG pairs of the others. runtime, precision, threads:
    of the platform; None where the number is not asked for. skip_bad: leave out what cannot be used.
    Raises UsageError for what is not of the format, contradicts the platform or cannot be used.
    """
    paths = files(name, words)
    if name == CSV:
        return Measured(_csv(paths[0], skip_bad))
    form = _LOGS[name]
    if runtime != form.runtime:
        raise UsageError(
            f"--from {name}: it times {form.runtime}, and --runtime says {runtime}; correct one of the two"
        )
    if precision not in PRECISIONS:
        raise UsageError(
            f"--from {name}: the platform's precision is {clip(precision)}, and logs are read for "
            f"{' and '.join(PRECISIONS)} only so far; measure one of these, or write the times into a data CSV"
        )
    for path in paths:
        _check_format(path, name)
    if form.parse is None:
        return benchncnn.read(paths, threads)
    return models.read(name, words, form.parse, skip_bad=skip_bad)


def _csv(path: str, skip_bad: bool) -> dataset.Dataset:
    try:
        return dataset.read(path, skip_bad=skip_bad)
    except UsageError:
        if other := _other_format(path, CSV):
            raise UsageError(other) from None
        raise


def _check_format(path: str, name: str) -> None:
    """Refuse a file that is no log of `name`."""
    lines = read_lines(path, name)
    if _LOGS[name].fits(lines):
        return
    raise UsageError(
        _other_format(path, name)
        or f"{path}: it is no log of {name}, nor of any format that is known here ({', '.join(FORMATS)}); it begins "
        f"{beginning(lines)}: save the whole output of {name}, with > FILE 2>&1"
    )


def _other_format(path: str, name: str) -> str:
    """What to say of a file that is of another format than `name`; "" where it is of none, or cannot be read."""
    try:
        lines = read_lines(path, name)
    except UsageError:
        return ""
    fitting = [other for other, form in _LOGS.items() if form.fits(lines)]
    header = next(line for line in lines if line.strip()).split(",")
    if not fitting and {word.strip() for word in header}.issuperset(dataset.REQUIRED):
        fitting = [CSV]
    if not fitting or name in fitting:
        return ""
    said, looks = (("a data CSV" if form == CSV else f"a log of {form}") for form in (name, fitting[0]))
    return f"{path}: it is not {said}, it begins {beginning(lines)}; it looks like {looks}: use --from {fitting[0]}"
