"""Dims that a model leaves free: named, given, assumed, or solved from the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np

from costmodel.dims import Dim, as_dim, equal, is_symbolic, show, symbol
from costmodel.errors import ModelError, UsageError
from costmodel.frontends.onnx.checks import check_text
from costmodel.frontends.onnx.protos import unwrapped

DEFAULT_LEADING, DEFAULT_SPATIAL, DEFAULT_OTHER = 1, 224, 128
_IMAGE_CHANNELS = (1, 3, 4)
_MOST_LISTED = 8


class Known(StrEnum):
    """How the size of a free dim came to be known."""

    GIVEN = "given"
    ASSUMED = "assumed"
    SOLVED = "fixed by the graph"


@dataclass(frozen=True, slots=True)
class FreeDim:
    """A dim that the model leaves free: its name, the input and axis where it stands first, its size."""

    name: str
    where: str
    size: Dim
    known: Known = Known.ASSUMED

    def __str__(self) -> str:
        return f"{self.name} = {self.size} ({self.where})"


def few(items: Sequence[object]) -> str:
    """The first items with commas between them, and how many there are where some are left out."""
    listed = ", ".join(map(str, items[:_MOST_LISTED]))
    return listed if len(items) <= _MOST_LISTED else f"{listed}, ... ({len(items)} in all)"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user says of a model's inputs.

    dims: sizes of named dims. shapes: whole shapes of inputs; a string is a symbol's name. batch: the
    leading dim of all inputs. strict: refuse free dims. symbolic: leave free dims as symbols.
    values: the elements of inputs that other shapes are computed from.
    """

    dims: Mapping[str, Any] = field(default_factory=dict)
    shapes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    batch: Any = None
    strict: bool = False
    symbolic: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)


class InputShapes:
    """The shapes of a model's inputs, with a size for every dim that is left free.

    fixed_batch: the leading dim in the model of the inputs that take the wished batch, None where none has.
    new_batch: the batch that replaces it, None where it stays. reshaped: whether other dims that the
    model fixes were replaced, so that no shape that the file states can be trusted.
    """

    def __init__(self, inputs: Iterable[Any], wishes: Wishes) -> None:
        self.free: dict[str, FreeDim] = {}
        self.shapes: dict[str, tuple[Dim, ...] | None] = {}
        self.fixed_batch: int | None = None
        self.new_batch: Dim | None = None
        self.reshaped = False
        self._wishes = wishes
        self._given: dict[str, tuple[Dim, str]] = {}  # free dims: their size and the option that gave it
        self._rebatched: list[str] = []
        self._notes: list[str] = []
        self._unbatched: list[str] = []  # complaints that hold unless another input takes the batch
        self._takes_batch = False
        inputs = list(inputs)
        for value in inputs:
            check_text(value.name, *(dim.dim_param for dim in unwrapped(value.type).tensor_type.shape.dim))
        self._check_names([value.name for value in inputs])
        self.values = dict(wishes.values)
        for value in inputs:
            self.shapes[value.name] = self._shape(value)
        unused = set(wishes.dims) - set(self.free)
        if unused:
            names = few(list(self.free)) or "none; every dim is fixed"
            raise UsageError(
                f"--dim {sorted(unused)[0]}: the model has no free dim of that name (free dims: {names}); sizes of an "
                "input that has others are given with --shape INPUT=1x3x480x640"
            )
        if self._unbatched and not self._takes_batch:
            raise UsageError(self._unbatched[0])
        if wishes.strict and (assumed := self.assumed()):
            rows = few([f"{dim.name} ({dim.where})" for dim in assumed])
            raise UsageError(f"the model leaves dims free: {rows}; give each with --dim NAME=SIZE or --shape")

    def assumed(self) -> list[FreeDim]:
        """The free dims that nobody gave."""
        return [dim for dim in self.free.values() if dim.known is Known.ASSUMED]

    def notes(self) -> list[str]:
        """What was assumed, solved or replaced, a sentence each."""
        sizes = [dim for dim in self.free.values() if not is_symbolic(dim.size)]
        notes = []
        if assumed := [dim for dim in sizes if dim.known is Known.ASSUMED]:
            notes.append(f"Sizes assumed: {few(assumed)}; change them with --dim NAME=SIZE")
        if solved := [dim for dim in sizes if dim.known is Known.SOLVED]:
            notes.append(f"Sizes fixed by the graph: {few(solved)}")
        if self._rebatched and self.new_batch is not None:
            inputs = f"Input{'s' if len(self._rebatched) > 1 else ''} {few(self._rebatched)}"
            notes.append(
                f"{inputs}: the batch of {self.fixed_batch} in the model is replaced by {show(self.new_batch)}"
            )
        return notes + self._notes

    def resized(self, sizes: Mapping[str, Dim], known: Known) -> None:
        """Take other sizes for free dims."""
        for name, size in sizes.items():
            self.free[name] = replace(self.free[name], size=size, known=known)

    def size(self, proto: Any, axis: int) -> Dim | None:
        """The size of a dimension message of a value_info, or None where it is not known."""
        if proto.HasField("dim_value"):
            return proto.dim_value if proto.dim_value >= 0 else None
        dim = self.free.get(proto.dim_param)
        return None if dim is None else dim.size

    def shape(self, name: str) -> tuple[Dim, ...] | None:
        """The shape of an input with the sizes of now."""
        shape = self.shapes[name]
        if shape is None:
            return None
        return tuple(self.free[d].size if isinstance(d, str) else d for d in shape)

    def _check_names(self, inputs: list[str]) -> None:
        known = few(inputs) or "none"
        for option, names in (("--shape", self._wishes.shapes), ("--value", self._wishes.values)):
            for name in names:
                if name not in inputs:
                    raise UsageError(f"{option} {name}: the model has no such input (inputs: {known})")

    def _shape(self, value: Any) -> tuple[Any, ...] | None:
        tensor_type = unwrapped(value.type).tensor_type
        wanted, option = self._wishes.shapes.get(value.name), "--shape"
        if wanted is None and value.name in self.values:
            wanted, option = self._shape_of_value(value.name, tensor_type), "--value"
        if not tensor_type.HasField("shape"):
            if wanted is None:
                return None
            return tuple(_size(d, f"{option} {value.name}: dim {i}") for i, d in enumerate(wanted))
        protos = tensor_type.shape.dim
        if len(protos) > 64:
            raise ModelError(f"input {value.name!r} has {len(protos)} dims; at most 64 make sense")
        if wanted is not None and len(wanted) != len(protos):
            given = "x".join(map(str, wanted[:_MOST_LISTED])) + ("x..." if len(wanted) > _MOST_LISTED else "")
            raise UsageError(
                f"{option} {value.name}={given}: {len(wanted)} dims are given, the input has {len(protos)}"
                f"{' (' + few([_label(value.name, i, d) for i, d in enumerate(protos)]) + ')' if protos else ''}; "
                "give a size for each"
            )
        shape: list[Any] = []
        replaced: list[str] = []
        for axis, proto in enumerate(protos):
            size = self._dim(value.name, axis, protos, None if wanted is None else wanted[axis], option)
            shape.append(size)
            fixed = proto.dim_value if proto.HasField("dim_value") else None
            if fixed is not None and fixed >= 0 and not equal(size, fixed) and (wanted is not None or fixed == 0):
                replaced.append(f"{fixed} by {show(size)} (axis {axis})")
            elif fixed == 0 and wanted is None:
                self._notes.append(
                    f"Input {value.name!r} has a dim of 0, so nothing runs on it; "
                    f"give its shape with --shape {value.name}=..."
                )
        if replaced:
            self.reshaped = True
            self._notes.append(f"Input {value.name!r}: dims that the model fixes are replaced: {few(replaced)}")
        return tuple(shape)

    def _shape_of_value(self, name: str, tensor_type: Any) -> tuple[int, ...]:
        """The shape of a given value; one number is a scalar where the input is one."""
        if tensor_type.HasField("shape") and not tensor_type.shape.dim and np.size(self.values[name]) == 1:
            self.values[name] = np.reshape(self.values[name], ())
        return np.shape(self.values[name])

    def _dim(self, name: str, axis: int, protos: Sequence[Any], wanted: Any, option: str) -> Any:
        """The size of a dim that the model fixes, the label of one that it leaves free."""
        where = f"input {name!r}, axis {axis}"
        proto = protos[axis]
        fixed = proto.dim_value if proto.HasField("dim_value") else None
        if wanted is not None:
            size = _size(wanted, f"{option} {name}: dim {axis}")
            if axis == 0 and option == "--shape":
                self._check_batch(name, size, fixed)
        elif axis == 0 and self._wishes.batch is not None:
            size, option = _size(self._wishes.batch, "--batch"), "--batch"
            if fixed is not None and fixed > 0:
                return self._batched(name, fixed, size)
            self._takes_batch = True
        elif fixed is None:
            label = _label(name, axis, proto)
            if label not in self.free:
                self.free[label] = self._free(label, where, axis, protos)
            return label
        elif fixed < 0:
            raise ModelError(f"{where} is {fixed}; sizes are not negative. Give the shape with --shape {name}=...")
        else:
            return fixed
        if fixed is not None:
            return size
        label = _label(name, axis, proto)
        self._give(label, size, option if option == "--batch" else f"{option} {name}")
        self.free[label] = FreeDim(label, where, size, Known.GIVEN)
        return label

    def _batched(self, name: str, fixed: int, size: Dim) -> Dim:
        """A fixed leading dim where a batch is wished for."""
        # Inputs that are not per sample (a table, a state) keep their leading dim.
        if self.fixed_batch not in (None, fixed):
            return fixed
        self.fixed_batch, self._takes_batch = fixed, True
        if not equal(size, fixed):
            self.new_batch = size
            self._rebatched.append(repr(name))
        return size

    def _check_batch(self, name: str, size: Dim, fixed: int | None) -> None:
        """Refuse a leading dim in --shape beside another --batch."""
        batch = self._wishes.batch
        if batch is None:
            return
        batch = _size(batch, "--batch")
        if equal(size, batch):
            self._takes_batch = True
            return
        complaint = (
            f"input {name!r}: its leading dim is given as {show(size)} with --shape {name} "
            f"and as {show(batch)} with --batch; give it one size"
        )
        if fixed is None or not equal(size, fixed):
            raise UsageError(complaint)
        self._unbatched.append(complaint)  # the model's own size: an input that is not per sample

    def _give(self, label: str, size: Dim, option: str) -> None:
        """Refuse a second size for a free dim."""
        if label in self._wishes.dims:
            self._given.setdefault(label, (as_dim(self._wishes.dims[label], f"--dim {label}"), f"--dim {label}"))
        known, earlier = self._given.setdefault(label, (size, option))
        if not equal(known, size):
            raise UsageError(
                f"dim {label!r} is given as {show(known)} and as {show(size)}, with {earlier} and with {option}; "
                "give it one size"
            )

    def _free(self, label: str, where: str, axis: int, protos: Sequence[Any]) -> FreeDim:
        if label in self._wishes.dims:
            return FreeDim(label, where, as_dim(self._wishes.dims[label], f"--dim {label}"), Known.GIVEN)
        if self._wishes.symbolic:
            return FreeDim(label, where, symbol(label), Known.GIVEN)
        if axis == 0:
            return FreeDim(label, where, DEFAULT_LEADING)
        return FreeDim(label, where, DEFAULT_SPATIAL if axis in _spatial_axes(protos) else DEFAULT_OTHER)


def _label(name: str, axis: int, proto: Any) -> str:
    """A dim's name or, of one that is fixed, its size."""
    if proto.HasField("dim_value"):
        return str(proto.dim_value)
    return proto.dim_param or f"{name}.{axis}"


def _size(size: Any, what: str) -> Dim:
    return symbol(size) if isinstance(size, str) else as_dim(size, what)


def _spatial_axes(protos: Sequence[Any]) -> tuple[int, ...]:
    """The height and width of an input that looks like images: four dims, channels first or last."""
    if len(protos) != 4:
        return ()
    channels_last = protos[3].dim_value in _IMAGE_CHANNELS and protos[1].dim_value not in _IMAGE_CHANNELS
    return (1, 2) if channels_last else (2, 3)
