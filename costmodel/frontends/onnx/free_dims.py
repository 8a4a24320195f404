"""Dims that a model leaves free: named, given, assumed, or solved from the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from typing import Any

import numpy as np

from costmodel.columns import Column
from costmodel.dims import Dim, as_dim, is_symbolic, symbol
from costmodel.errors import ModelError, UsageError
from costmodel.frontends.onnx.checks import check_text
from costmodel.frontends.onnx.protos import unwrapped

DEFAULT_LEADING, DEFAULT_SPATIAL, DEFAULT_OTHER = 1, 224, 128
_IMAGE_CHANNELS = (1, 3, 4)
LARGEST_SOLUTION = 4096
MOST_EQUALITIES = 200  # the first few settle what can be settled


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
        return f"{self.name} = {self.size} ({self.known})"


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
    """The shapes of a model's inputs, with a size for every dim that is left free."""

    def __init__(self, inputs: Iterable[Any], wishes: Wishes) -> None:
        self.free: dict[str, FreeDim] = {}
        self.shapes: dict[str, tuple[Dim, ...] | None] = {}
        self.fixed_batch: int | None = None
        self._wishes = wishes
        inputs = list(inputs)
        for value in inputs:
            check_text(value.name, *(dim.dim_param for dim in unwrapped(value.type).tensor_type.shape.dim))
        self._check_names([value.name for value in inputs])
        self.values = dict(wishes.values)
        for value in inputs:
            self.shapes[value.name] = self._shape(value)
        unused = set(wishes.dims) - set(self.free)
        if unused:
            names = ", ".join(self.free) or "none; every dim is fixed"
            raise UsageError(f"--dim {sorted(unused)[0]}: the model has no free dim of that name (free dims: {names})")
        if wishes.strict and (assumed := self.assumed()):
            rows = ", ".join(f"{dim.name} ({dim.where})" for dim in assumed)
            raise UsageError(f"the model leaves dims free: {rows}; give each with --dim NAME=SIZE or --shape")

    def assumed(self) -> list[FreeDim]:
        """The free dims that nobody gave."""
        return [dim for dim in self.free.values() if dim.known is Known.ASSUMED]

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
        known = ", ".join(inputs) or "none"
        for option, names in (("--shape", self._wishes.shapes), ("--value", self._wishes.values)):
            for name in names:
                if name not in inputs:
                    raise UsageError(f"{option} {name}: the model has no such input (inputs: {known})")

    def _shape(self, value: Any) -> tuple[Any, ...] | None:
        tensor_type = unwrapped(value.type).tensor_type
        wanted = self._wishes.shapes.get(value.name)
        if wanted is None and value.name in self.values:
            wanted = self._shape_of_value(value.name, tensor_type)
        if not tensor_type.HasField("shape"):
            return None if wanted is None else tuple(self._wanted(value.name, i, d) for i, d in enumerate(wanted))
        protos = tensor_type.shape.dim
        if len(protos) > 64:
            raise ModelError(f"input {value.name!r} has {len(protos)} dims; at most 64 make sense")
        if wanted is not None and len(wanted) != len(protos):
            raise UsageError(f"{value.name}: {len(wanted)} dims are given, the input has {len(protos)}")
        return tuple(
            self._dim(value.name, axis, proto, protos, None if wanted is None else wanted[axis])
            for axis, proto in enumerate(protos)
        )

    def _shape_of_value(self, name: str, tensor_type: Any) -> tuple[int, ...]:
        """The shape of a given value; one number is a scalar where the input is one."""
        if tensor_type.HasField("shape") and not tensor_type.shape.dim and np.size(self.values[name]) == 1:
            self.values[name] = np.reshape(self.values[name], ())
        return np.shape(self.values[name])

    def _dim(self, name: str, axis: int, proto: Any, protos: Sequence[Any], wanted: Any) -> Any:
        where = f"input {name!r}, axis {axis}"
        fixed = proto.dim_value if proto.HasField("dim_value") else None
        if axis == 0 and wanted is None and self._wishes.batch is not None:
            wanted = self._wishes.batch
            if fixed is not None and fixed > 0:
                # Inputs that are not per sample (a table, a state) keep their leading dim.
                if self.fixed_batch not in (None, fixed):
                    return fixed
                self.fixed_batch = fixed
        if fixed is not None:
            if wanted is not None:
                return self._wanted(name, axis, wanted)
            if fixed < 0:
                raise ModelError(f"{where} is {fixed}; sizes are not negative. Give the shape with --shape {name}=...")
            return fixed
        label = proto.dim_param or f"{name}.{axis}"
        if wanted is not None:
            size = self._wanted(name, axis, wanted)
            known = self.free.get(label)
            if known is not None and known.known is Known.GIVEN and known.size is not size and known.size != size:
                raise UsageError(f"dim {label!r} is given as {known.size} and, at {where}, as {size}")
            self.free[label] = FreeDim(label, where, size, Known.GIVEN)
        elif label not in self.free:
            self.free[label] = self._free(label, where, axis, protos)
        return label

    def _wanted(self, name: str, axis: int, size: Any) -> Dim:
        if isinstance(size, str):
            return symbol(size)
        return as_dim(size, f"--shape {name}: dim {axis}")

    def _free(self, label: str, where: str, axis: int, protos: Sequence[Any]) -> FreeDim:
        if label in self._wishes.dims:
            return FreeDim(label, where, as_dim(self._wishes.dims[label], f"--dim {label}"), Known.GIVEN)
        if self._wishes.symbolic:
            return FreeDim(label, where, symbol(label), Known.GIVEN)
        if axis == 0:
            return FreeDim(label, where, DEFAULT_LEADING)
        return FreeDim(label, where, DEFAULT_SPATIAL if axis in _spatial_axes(protos) else DEFAULT_OTHER)


def _spatial_axes(protos: Sequence[Any]) -> tuple[int, ...]:
    """The height and width of an input that looks like images: four dims, channels first or last."""
    if len(protos) != 4:
        return ()
    channels_last = protos[3].dim_value in _IMAGE_CHANNELS and protos[1].dim_value not in _IMAGE_CHANNELS
    return (1, 2) if channels_last else (2, 3)


def solve(equalities: Iterable[tuple[Dim, Dim]], free: Sequence[FreeDim]) -> dict[str, Dim]:
    """Sizes for assumed dims under which pairs of symbolic dims agree; {} where none are found.

    Each pair is settled in turn by the one assumed dim in it, or by two that are taken as equal (a
    height and a width). The smallest size up to LARGEST_SOLUTION that fits is taken.
    """
    sizes: dict[str, Dim] = {dim.name: dim.size for dim in free}
    solved: dict[str, Dim] = {}
    for left, right in islice(dict.fromkeys(equalities), MOST_EQUALITIES):
        unknown = [n for n in _names(left) | _names(right) if n in sizes and n not in solved]
        found = _agree(left, right, sizes, sorted(unknown)) if unknown else {}
        sizes.update(found)
        solved.update(found)
    return solved


def _names(dim: Dim) -> set[str]:
    return {s.name for s in dim.free_symbols} if is_symbolic(dim) else set()  # type: ignore[union-attr]


def _agree(left: Dim, right: Dim, sizes: Mapping[str, Dim], unknown: list[str]) -> dict[str, Dim]:
    import sympy

    names = sorted(_names(left) | _names(right))
    if any(n not in sizes or isinstance(sizes[n], Column) or is_symbolic(sizes[n]) for n in names):
        return {}
    symbols: list[Any] = [symbol(n) for n in names]
    try:
        residual = sympy.lambdify(symbols, sympy.sympify(left) - sympy.sympify(right), modules="math", dummify=True)
    except SyntaxError:
        return {}  # nested deeper than Python's parser goes
    current = [sizes[n] for n in names]
    if _is_zero(residual, current):
        return {}
    for group in [*([name] for name in reversed(unknown)), unknown]:
        for size in range(1, LARGEST_SOLUTION + 1):
            if _is_zero(residual, [size if n in group else c for n, c in zip(names, current, strict=True)]):
                return dict.fromkeys(group, size)
    return {}


def _is_zero(residual: Callable[..., Any], values: Sequence[Dim]) -> bool:
    try:
        return bool(residual(*values) == 0)
    except ArithmeticError:
        return False  # a size that makes a divisor 0 is no solution
