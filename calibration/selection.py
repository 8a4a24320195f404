"""Which samples of a dataset one platform is fitted to, and whether they are enough."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from calibration.dataset import PRECISION, Dataset, Sample, with_samples
from costmodel.errors import UsageError
from costmodel.zoo.options import clip

FEWEST_NETWORKS = 2
FEW_NETWORKS = 10

_MOST_LISTED = 8


def for_platform(
    dataset: Dataset, platform: str | None = None, threads: int | None = None, precision: str | None = None
) -> Dataset:
    """The samples of one platform, one number of threads and one precision.

    What is None is not asked for; then all samples must agree in it. What a row does not state fits every wish.
    Few samples are said in the notes. Raises UsageError where samples of several platforms, numbers of threads or
    precisions are left, none fits, or all measure one network.
    """
    dataset = _of_platform(dataset, platform)
    dataset = _agreeing(dataset, "threads", "--threads", threads or None, lambda sample: sample.threads)
    wished = precision.lower() if precision else None
    if wished and not PRECISION.fullmatch(wished):
        raise UsageError(f"--precision {clip(wished)}: not a precision; write a word such as fp32, fp16 or int8")
    dataset = _agreeing(dataset, "precision", "--precision", wished, lambda sample: sample.precision)
    return _enough(dataset)


def _of_platform(dataset: Dataset, platform: str | None) -> Dataset:
    stated = list(dict.fromkeys(sample.platform for sample in dataset.samples))
    named = [name for name in stated if name]
    file = _file(dataset)
    if platform in named:
        return with_samples(dataset, [sample for sample in dataset.samples if sample.platform == platform])
    if len(stated) == 1 and not named:
        return dataset
    if len(stated) == 1:
        note = f"{file}: its rows name the platform {named[0]}; they were taken for {platform}."
        return with_samples(dataset, dataset.samples, *([note] if platform else []))
    if platform is None or len(named) < len(stated):
        blank = (
            f" and {sum(not sample.platform for sample in dataset.samples)} row(s) without one" if "" in stated else ""
        )
        wrong = f"{file}: it has rows of {_few(named)}{blank}"
        raise UsageError(f"{wrong}; a profile is of one platform: name one of them, or keep its rows only")
    longer = [name for name in named if name.startswith(platform)]
    near = longer or difflib.get_close_matches(platform, named, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? It has" if near else "it has"
    raise UsageError(f"{file}: no row is of the platform {clip(platform)!r}; {hint} {_few(named)}")


def _agreeing(
    dataset: Dataset, column: str, option: str, wished: int | str | None, value: Callable[[Sample], int | str]
) -> Dataset:
    """Samples that state the wished value, or none; all must agree where nothing is wished."""
    stated = sorted({value(sample) for sample in dataset.samples if value(sample)}, key=str)
    file = _file(dataset)
    if wished is None:
        if len(stated) > 1:
            raise UsageError(
                f"{file}: its rows differ in {column} ({_few(stated)}); a profile is of one: choose it with {option}"
            )
        return dataset
    chosen = [sample for sample in dataset.samples if value(sample) in (wished, 0, "")]
    if not chosen:
        raise UsageError(f"{file}: no row has {column} {wished}; it has {_few(stated)}: choose one with {option}")
    rest = len(dataset.samples) - len(chosen)
    note = f"{file}: {rest} row(s) of other {column} than {wished} were left out."
    return with_samples(dataset, chosen, *([note] if rest else []))


def _enough(dataset: Dataset) -> Dataset:
    count, file = len(dataset.networks), _file(dataset)
    if count < FEWEST_NETWORKS:
        rows = "its one row measures" if len(dataset.samples) == 1 else f"all {len(dataset.samples)} rows measure"
        raise UsageError(
            f"{file}: {rows} one network, {dataset.networks[0]}; that tells how fast it is and nothing about "
            f"others: measure at least one more of another make-up, better {FEW_NETWORKS}"
        )
    if count >= FEW_NETWORKS:
        return dataset
    note = (
        f"{file}: it measures {count} networks only: how kernels' times relate comes mostly from what is known "
        f"before, and the held-out error rests on {count} predictions. Measure {FEW_NETWORKS} or more."
    )
    return with_samples(dataset, dataset.samples, note)


def _file(dataset: Dataset) -> str:
    return dataset.samples[0].file if dataset.samples else "the data"


def _few(items: Sequence[object]) -> str:
    listed = ", ".join(clip(str(item)) for item in items[:_MOST_LISTED])
    return listed if len(items) <= _MOST_LISTED else f"{listed}, ... ({len(items)} in all)"
