"""The designs that a search chooses from.

A space has genes, each with its options. A population is an integer array (designs, genes) of the options' numbers, in
the order of GENES. A split ratio is a gene of its own, so that it keeps its meaning where a stage's width changes.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.errors import UsageError
from search.design import FIRST_STAGE, STAGES, WIDTHS, Design, Stage, standard

Population = npt.NDArray[np.intp]
Option = int | bool | str | Fraction
Genes = Mapping[str, tuple[Option, ...]]

STAGE_GENES = ("channels", "ratio", "units", "kernel", "se")
WHOLE_GENES = ("resolution", "residual", "act")  # what all stages share
NUMBERS = tuple(range(FIRST_STAGE, FIRST_STAGE + STAGES))
GENES = (*WHOLE_GENES, "stem", *(f"{gene}{number}" for number in NUMBERS for gene in STAGE_GENES), "head")

HALF = Fraction(1, 2)
STEP = 8  # channels of a branch, where nothing is known of the platforms' vectors

# What Table 5 varies by hand, with some room beyond both ends: channels from .. to, and units.
_CHANNELS = {2: (32, 256), 3: (64, 512), 4: (128, 1024)}
_UNITS = {2: range(2, 9), 3: range(2, 17), 4: range(2, 9)}
_WIDTHS_A_STAGE = 15  # of the default space, beside those of Table 5


@dataclass(frozen=True)
class Space:
    """Options of each gene, in ascending order, none twice.

    step: a branch has a multiple of it channels, the nearest to the ratio's share of its stage; 1/2 is exact, so that
    the designs of Table 5 can be points of any space. classes: of every design.
    Raises UsageError where a gene is missing, has no option, or one that no design has.
    """

    genes: Genes
    step: int = STEP
    classes: int = 1000

    def __post_init__(self) -> None:
        missing = [name for name in GENES if not self.genes.get(name)]
        if missing:
            raise UsageError(f"space: {missing[0]} has no options; give at least one")
        unknown = [name for name in self.genes if name not in GENES]
        if unknown:
            raise UsageError(f"space: {_unknown(unknown[0])}")
        for name in GENES:
            options = self.genes[name]
            if list(options) != sorted(set(options)):
                raise UsageError(f"space: the options of {name} are {show(options)}; give them ascending, none twice")
        if self.step < 1:
            raise UsageError(f"space: the step of a branch's channels is {self.step}; it takes a number from 1")
        for name in GENES:  # each option once, in a design that can have it
            for number in range(len(self.genes[name])):
                population = np.zeros((1, len(GENES)), np.intp)
                population[0, GENES.index(name)] = number
                self.designs(population)

    @property
    def size(self) -> int:
        """How many designs there are, counting those twice whose ratios give a branch the same channels."""
        return math.prod(len(self.genes[name]) for name in GENES)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of options of each gene."""
        return tuple(len(self.genes[name]) for name in GENES)

    def values(self, population: Population, gene: str) -> npt.NDArray[Any]:
        """(designs,) the options that a population has of a gene."""
        return np.array(self.genes[gene])[population[:, GENES.index(gene)]]

    def numbers(self, gene: str) -> npt.NDArray[np.int64]:
        """The options of a gene whose options are whole numbers."""
        return np.array(self.genes[gene], np.int64)

    def branches(self, stage: int) -> npt.NDArray[np.int64]:
        """(channels, ratios): channels of a branch of the stage, for each of the options of both genes."""
        ratios = [ratio for ratio in self.genes[f"ratio{stage}"] if isinstance(ratio, Fraction)]
        widths = self.numbers(f"channels{stage}")
        return np.array([[branch_of(int(channels), ratio, self.step) for ratio in ratios] for channels in widths])

    def designs(self, population: Population) -> list[Design]:
        """The designs of a population."""
        return [self._design(row) for row in population]

    def _design(self, row: npt.NDArray[np.intp]) -> Design:
        value: dict[str, Any] = {name: self.genes[name][number] for name, number in zip(GENES, row, strict=True)}
        second, third, fourth = (
            Stage(
                value[f"channels{number}"],
                branch_of(value[f"channels{number}"], value[f"ratio{number}"], self.step),
                value[f"units{number}"],
                value[f"kernel{number}"],
                value[f"se{number}"],
            )
            for number in NUMBERS
        )
        whole = {name: value[name] for name in WHOLE_GENES}
        return Design(value["stem"], (second, third, fourth), value["head"], classes=self.classes, **whole)

    def row(self, design: Design) -> Population | None:
        """The (genes,) option numbers of a design, None where it is no point of the space."""
        result: list[int] = []
        for name in GENES:
            stage = design.stages[int(name[-1]) - FIRST_STAGE] if name[-1].isdigit() else None
            if stage is None:
                found = [i for i, option in enumerate(self.genes[name]) if option == getattr(design, name)]
            elif name.startswith("ratio"):
                found = self._ratios(name, stage)
            else:
                found = [i for i, option in enumerate(self.genes[name]) if option == getattr(stage, name[:-1])]
            if not found:
                return None
            result.append(found[0])
        return np.array(result, np.intp) if design.classes == self.classes else None

    def _ratios(self, name: str, stage: Stage) -> list[int]:
        """Numbers of the ratios that give a stage's branch its channels, the nearest to its own first."""
        ratios = [(i, ratio) for i, ratio in enumerate(self.genes[name]) if isinstance(ratio, Fraction)]
        fitting = [(i, ratio) for i, ratio in ratios if branch_of(stage.channels, ratio, self.step) == stage.branch]
        return [i for i, ratio in sorted(fitting, key=lambda pair: abs(pair[1] - stage.ratio))]

    def random(self, count: int, seed: int) -> Population:
        """`count` designs, each option of a gene equally likely. The same seed gives the same ones."""
        generator = np.random.default_rng(seed)
        return np.column_stack([generator.integers(0, options, count) for options in self.shape]).astype(np.intp)


def branch_of(channels: int, ratio: Fraction, step: int) -> int:
    """Channels of a branch: the multiple of step nearest to ratio x channels, and exactly half for 1/2.

    At least one step, or half of the channels where they are too few for one.
    """
    if ratio == HALF:
        return channels // 2
    nearest = step * math.floor(ratio * channels / step + HALF)
    return nearest if step <= nearest < channels else channels // 2


def default_space(step: int = STEP, *, classes: int = 1000, options: Genes | None = None) -> Space:
    """Table 5's designs and what lies between and a little beyond them.

    step: channels of a branch are multiples of it, and a stage's widths lie at least two steps apart. options: of some
    genes, instead of the default ones. Raises UsageError as Space does.
    """
    genes: dict[str, tuple[Option, ...]] = {
        "resolution": (224,),
        "residual": (False,),
        "act": ("relu",),
        "stem": (16, 24, 32),
        "head": (512, 768, 1024, 1536, 2048),
    }
    for number in NUMBERS:
        low, high = _CHANNELS[number]
        apart = 2 * step * max(1, round((high - low) / _WIDTHS_A_STAGE / (2 * step)))
        own = {standard(width).stages[number - FIRST_STAGE].channels for width in WIDTHS}
        grid = range(-(-low // apart) * apart, high + 1, apart)
        genes |= {
            f"channels{number}": tuple(sorted({*grid, *own})),
            f"ratio{number}": (Fraction(3, 8), HALF, Fraction(5, 8)),
            f"units{number}": tuple(_UNITS[number]),
            f"kernel{number}": (3,),
            f"se{number}": (False,),
        }
    return Space({**genes, **(options or {})}, step, classes)


def parse_options(text: str) -> dict[str, tuple[Option, ...]]:
    """`GENE=OPTIONS` as genes of a space: a gene without a stage's number stands for those of all stages.

    Options are values with commas between, or numbers `from:to:step`: `units=2:8:2`, `ratio3=1/2,3/4`, `se=true,false`.
    Raises UsageError naming the gene, the text and what would do.
    """
    name, equals, values = text.partition("=")
    name = name.strip()
    names = [f"{name}{number}" for number in NUMBERS] if name in STAGE_GENES else [name]
    if not equals or not values.strip():
        raise UsageError(f"{text}: no options of a gene; write GENE=OPTIONS, such as units3=4:12:2")
    if names[0] not in GENES:
        raise UsageError(f"{text}: {_unknown(name)}")
    kind = name.rstrip("0123456789")
    options: set[Option] = set()
    for part in values.split(","):
        options.update(_options(kind, part.strip().lower(), text))
    return {name: tuple(sorted(options)) for name in names}


_LONGEST_RANGE = 10_000


def _options(kind: str, part: str, text: str) -> Sequence[Option]:
    if kind == "act":
        return (part,)
    if kind in ("se", "residual"):
        if part not in ("true", "false", "1", "0"):
            raise UsageError(f"{text}: {part!r} is neither true nor false")
        return (part in ("true", "1"),)
    if kind == "ratio":
        fits = re.fullmatch(r"([0-9]{1,6})/0*([1-9][0-9]{0,5})|0?[.][0-9]{1,9}", part)
        ratio = Fraction(part) if fits else Fraction(0)
        if not 0 < ratio < 1:
            raise UsageError(
                f"{text}: {part!r} is no split ratio; it takes a share between 0 and 1, such as 1/2 or 0.375"
            )
        return (ratio,)
    match = re.fullmatch(r"(\d{1,6})(?::(\d{1,6})(?::(\d{1,6}))?)?", part)
    if match is None:
        raise UsageError(f"{text}: {part!r} is no number; write one, or from:to:step")
    first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
    numbers = range(first, last + 1, max(step, 1))
    if step == 0 or not 1 <= len(numbers) <= _LONGEST_RANGE:
        raise UsageError(f"{text}: {part!r} has no or too many numbers; write from:to:step, ascending")
    return numbers


def show(options: Sequence[Option]) -> str:
    """Options in words."""
    return ", ".join(str(option).lower() if isinstance(option, bool) else str(option) for option in options)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name[:100], (*GENES, *STAGE_GENES), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no gene {name[:80]!r}; {hint}there are: {', '.join(GENES)}"
