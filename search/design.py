"""A design: the widths, split ratios and depths of one ShuffleNet V2, and its JSON form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from costmodel import zoo
from costmodel.errors import UsageError
from costmodel.graph import Graph

SCHEMA = "costmodel.design/1"
ACTIVATIONS = ("relu", "hard_swish", "swish")
KERNELS = (3, 5, 7)
FIRST_STAGE = 2  # stages are counted as in Table 5, where the stem is stage 1
STAGES = 3

_NETWORK = "shufflenet_v2_design"  # of the zoo
_LARGEST = 65_536  # channels or pixels of a side; beyond, nobody means it
_DEEPEST = 1_000  # units of a stage
_WHOLE = {"stem", "head", "resolution", "classes", "channels", "branch", "units", "kernel"}
_TRUTH = {"se", "residual"}


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of Table 5: a down-sampling unit and units - 1 basic ones.

    channels: that leave each unit, an even number. branch: those of them that go through a basic unit's branch, and
    that the right branch of the down-sampling unit makes: the paper's c', half of channels there. kernel: window of
    the depthwise convolutions. se: whether units end with squeeze-excite.
    """

    channels: int
    branch: int
    units: int
    kernel: int = 3
    se: bool = False

    @property
    def ratio(self) -> float:
        """c'/c, the share of channels that a basic unit works on."""
        return self.branch / self.channels


@dataclass(frozen=True, slots=True)
class Design:
    """A ShuffleNet V2: one point of the search space.

    stem: channels of the first convolution. stages: stage 2 to 4. head: channels of conv5. resolution: pixels of a
    side of the image. residual: units of stride 1 add the branch's input to its output. act: after convolutions,
    one of ACTIVATIONS. classes: that it tells apart.
    Raises UsageError for values that no network has, naming the field and what would do.
    """

    stem: int
    stages: tuple[Stage, Stage, Stage]
    head: int
    resolution: int = 224
    residual: bool = False
    act: str = "relu"
    classes: int = 1000

    def __post_init__(self) -> None:
        _check("", self)
        if self.act not in ACTIVATIONS:
            raise UsageError(f"a design's act is {self.act!r}; there are {', '.join(ACTIVATIONS)}")
        if len(self.stages) != STAGES:
            raise UsageError(f"a design has {STAGES} stages, not {len(self.stages)}; give stage 2, 3 and 4")
        for number, stage in enumerate(self.stages, start=FIRST_STAGE):
            name = f"stage {number}: "
            _check(name, stage)
            if stage.channels % 2:
                raise UsageError(f"{name}channels is {stage.channels}; the shuffle of 2 groups needs an even number")
            if stage.branch >= stage.channels:
                raise UsageError(f"{name}branch is {stage.branch}; it takes fewer than the {stage.channels} channels")
            if stage.kernel not in KERNELS:
                raise UsageError(f"{name}kernel is {stage.kernel}; there are {', '.join(map(str, KERNELS))}")

    @property
    def reference(self) -> str:
        """The name under which every command of costmodel takes this network: `zoo:shufflenet_v2_design,...`."""
        return zoo.reference(_NETWORK, **self._options())

    @property
    def mult_adds(self) -> int:
        """Of one image."""
        return int(self.graph().cost.mult_adds)  # type: ignore[arg-type]  # its dims are ints

    def graph(self, batch: int = 1) -> Graph:
        """The network, for `batch` images."""
        return zoo.build(_NETWORK, batch=batch, **self._options())

    def _options(self) -> dict[str, Any]:
        """Of the zoo's network."""
        options: dict[str, Any] = {
            "stem_channels": self.stem,
            "head_channels": self.head,
            "residual": self.residual,
            "act": self.act,
            "classes": self.classes,
            "resolution": self.resolution,
        }
        for number, stage in enumerate(self.stages, start=FIRST_STAGE):
            half = 2 * stage.branch == stage.channels
            options |= {
                f"channels{number}": stage.channels,
                f"branch{number}": 0 if half else stage.branch,
                f"units{number}": stage.units,
                f"kernel{number}": stage.kernel,
                f"se{number}": stage.se,
            }
        return options

    def to_dict(self) -> dict[str, Any]:
        """Its JSON form; `from_dict` reads it."""
        record = asdict(self)
        record["stages"] = list(record["stages"])
        return record

    @classmethod
    def from_dict(cls, record: Any, subject: str = "design") -> Design:
        """A design from its JSON form. Raises UsageError that names the subject and the field that is wrong."""
        try:
            values = _fields_of(cls, record, "")
            stages = values["stages"]
            if not isinstance(stages, list | tuple):
                raise UsageError(f"stages is {stages!r}; it takes a list of {STAGES}")
            values["stages"] = tuple(
                Stage(**_fields_of(Stage, stage, f"stage {number}: "))
                for number, stage in enumerate(stages, start=FIRST_STAGE)
            )
            return cls(**values)
        except UsageError as error:
            raise UsageError(f"{subject}: {error}") from None


def load_design(path: str | Path) -> Design:
    """The design of a file that `costmodel search` wrote (schema costmodel.design/1).

    Raises UsageError naming the file and what is wrong in it.
    """
    return Design.from_dict(read_record(path)["design"], str(path))


def read_record(path: str | Path) -> dict[str, Any]:
    """The whole content of a design file: the design and what was predicted of it. Raises as load_design."""
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a file of `costmodel search`") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is no text, so no design; give a file of `costmodel search`") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is not JSON ({error}); give a file of `costmodel search`") from None
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise UsageError(f'{path}: its "schema" is {schema!r}; a design file has "{SCHEMA}"')
    if "design" not in record:
        raise UsageError(f'{path}: has no "design"; give a file of `costmodel search`')
    return dict(record)


def standard(width: float) -> Design:
    """ShuffleNet V2 of Table 5: width 0.5, 1.0, 1.5 or 2.0. Raises UsageError for another."""
    if width not in _TABLE_5:
        raise UsageError(f"width is {width:g}; Table 5 has {', '.join(map(str, _TABLE_5))}")
    *channels, head = _TABLE_5[width]
    second, third, fourth = (Stage(c, c // 2, units) for c, units in zip(channels, (4, 8, 4), strict=True))
    return Design(24, (second, third, fourth), head)


_TABLE_5 = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
WIDTHS = tuple(_TABLE_5)


def _check(name: str, value: Design | Stage) -> None:
    """Raise UsageError for a field of the wrong type or size."""
    for field in fields(value):
        given = getattr(value, field.name)
        largest = _DEEPEST if field.name == "units" else _LARGEST
        if field.name in _WHOLE and (type(given) is not int or not 1 <= given <= largest):
            raise UsageError(f"{name}{field.name} is {given!r}; it takes a whole number from 1 to {largest}")
        if field.name in _TRUTH and type(given) is not bool:
            raise UsageError(f"{name}{field.name} is {given!r}; it takes true or false")


def _fields_of(kind: type[Design] | type[Stage], record: Any, name: str) -> dict[str, Any]:
    """The fields of a record, none missing that has no default and none unknown."""
    if not isinstance(record, Mapping):
        raise UsageError(f"{name}is {record!r}; it takes an object with {', '.join(f.name for f in fields(kind))}")
    known = {field.name for field in fields(kind)}
    unknown = [str(key) for key in record if key not in known]
    if unknown:
        raise UsageError(f"{name}has no field {unknown[0]!r}; there are {', '.join(sorted(known))}")
    needed = {"channels", "branch", "units"} if kind is Stage else {"stem", "stages", "head"}
    missing = sorted(needed - set(record))
    if missing:
        raise UsageError(f"{name}{missing[0]} is missing")
    return dict(record)
