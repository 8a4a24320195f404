"""How an operator is written, found and applied.

An operator is one plain function. Its inputs are positional-only TensorSpecs (None for an optional
input left out), its attributes are keyword-only with ONNX's names and defaults: the signature is the
documentation. It returns a Result: the output tensors and what only the operator knows of its cost.
What is the same for all operators (elements read and written, parameters, bytes) is counted here.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from numbers import Integral
from types import CodeType
from typing import Any

from costmodel.columns import Column
from costmodel.dims import Dim, is_symbolic
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec

_OTHER_FAMILIES = "costmodel.ops.families"


@dataclass(frozen=True, slots=True)
class Result:
    """What an operator function says of one application.

    outputs: all outputs, in ONNX's order; the caller drops those that are not wanted.
    mult_adds, element_ops: as in Cost.
    reads: input position -> elements read, where that is not the whole tensor.
    writes: output position -> elements written, where that is not the whole tensor.
    params: input position -> learned elements, where that is not every element of a constant.
    free: the operator moves no data: a view, or arithmetic on shapes.
    approximate: why the counts are not exact; empty where they are.
    """

    outputs: tuple[TensorSpec, ...]
    mult_adds: Dim = 0
    element_ops: Dim = 0
    reads: Mapping[int, Dim] = field(default_factory=dict)
    writes: Mapping[int, Dim] = field(default_factory=dict)
    params: Mapping[int, Dim] = field(default_factory=dict)
    free: bool = False
    approximate: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A small application of an operator, from which its formula is printed and its laws are tested.

    inputs: one a string of dims such as "N C H W" (letters are free dims, numbers are fixed), a tuple
    of values for an input that is read as a setting, or None for one left out.
    attributes: ONNX attributes. dtypes: element types by input position, float32 elsewhere.
    """

    inputs: tuple[str | tuple[Any, ...] | None, ...]
    attributes: Mapping[str, Any]
    dtypes: Mapping[int, str]


def example(
    *inputs: str | tuple[Any, ...] | None, dtypes: Mapping[int, str] | None = None, **attributes: Any
) -> Example:
    """An Example, written as a call of the operator."""
    return Example(inputs, attributes, dtypes or {})


@dataclass(frozen=True, slots=True)
class Operator:
    """A registered operator: its function, and what its signature says."""

    op_type: str
    domain: str
    function: Callable[..., Result]
    example: Example
    summary: str
    settings: frozenset[int]
    required: int
    most: int | None
    defaults: Mapping[str, Any]
    needs: tuple[str, ...]
    takes_declared: bool
    any_shape: bool
    wholes: Mapping[str, bool]  # attributes made of whole numbers; True for a tuple of them

    @property
    def qualified_type(self) -> str:
        """The operator's type with its domain, where that is not ONNX's own."""
        return f"{self.domain}:{self.op_type}" if self.domain else self.op_type


_OPERATORS: dict[tuple[str, str], Operator] = {}


def operator(
    *op_types: str,
    example: Example,
    domain: str = "",
    settings: Sequence[str] = (),
    summary: str = "",
    any_shape: bool = False,
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Register a function as the operator of one or several ONNX types.

    settings: names of inputs that only steer the operator (axes, sizes, scales of a quantisation):
        their constants are not parameters, and integers that are known are not memory access.
    summary: the formula in words; the first paragraph of the docstring when left out.
    any_shape: the function copes with inputs whose shape is unknown.
    Registering a type twice raises ValueError naming both places.
    """

    def register(function: Callable[..., Result]) -> Callable[..., Result]:
        code = function.__code__
        names = code.co_varnames[: code.co_argcount]
        keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        unknown = set(settings) - set(names)
        if unknown:
            raise ValueError(f"{_place(code)}: settings {sorted(unknown)} are not inputs of {function.__name__}")
        defaults = dict(function.__kwdefaults__ or {})
        text = summary or " ".join((function.__doc__ or "").split("\n\n")[0].split())
        for op_type in op_types:
            key = (domain, op_type)
            if key in _OPERATORS:
                first = _place(_OPERATORS[key].function.__code__)
                raise ValueError(
                    f"operator {domain or 'ai.onnx'}:{op_type} is registered in {first} and in {_place(code)}"
                )
            _OPERATORS[key] = Operator(
                op_type,
                domain,
                function,
                example,
                text,
                frozenset(i for i, name in enumerate(names) if name in settings),
                code.co_argcount - len(function.__defaults__ or ()),
                None if code.co_flags & inspect.CO_VARARGS else code.co_argcount,
                {k: v for k, v in defaults.items() if k != "declared"},
                tuple(k for k in keywords if k not in defaults and k != "declared"),
                "declared" in keywords,
                any_shape,
                {k: many for k in keywords if (many := _is_many(function, k)) is not None},
            )
        return function

    return register


def _is_many(function: Callable[..., Result], attribute: str) -> bool | None:
    """Whether an attribute is annotated as a tuple of ints (True), an int (False), or something else (None)."""
    annotation = function.__annotations__[attribute].removesuffix(" | None")
    return {"int": False, "tuple[int, ...]": True}.get(str(function.__globals__.get(annotation, annotation)))


def _place(code: CodeType) -> str:
    return f"{code.co_filename}:{code.co_firstlineno}"


def canonical_domain(domain: str) -> str:
    """A domain as it is registered: ONNX's own is "", which files may also write as ai.onnx."""
    return "" if domain == "ai.onnx" else domain


def find(op_type: str, domain: str = "") -> Operator | None:
    """The operator of that type, or None if no family registers it."""
    key = (canonical_domain(domain), op_type)
    op = _OPERATORS.get(key)
    if op is None and _OTHER_FAMILIES not in sys.modules:
        import_module(_OTHER_FAMILIES)
        op = _OPERATORS.get(key)
    return op


def operators() -> Iterator[Operator]:
    """Every operator of every family, by domain and type."""
    import_module(_OTHER_FAMILIES)
    return (_OPERATORS[key] for key in sorted(_OPERATORS))


def call(
    op: Operator,
    inputs: Sequence[TensorSpec | None],
    attributes: Mapping[str, Any],
    declared: Sequence[TensorSpec | None] = (),
) -> Result:
    """Apply an operator's function to inputs and attributes as a model gives them.

    declared: what the model says of the outputs; used only where shapes depend on data.
    Raises ShapeError for inputs or attributes that do not fit, UnknownShapeError where an output's
    shape cannot be known.
    """
    _check_inputs(op, inputs)
    keywords = {}
    defaults = op.defaults
    for name, value in attributes.items():
        if name in defaults:
            _check_type(op, name, value, defaults[name])
            keywords[name] = value
        elif name in op.needs:
            _check_type(op, name, value, None)
            keywords[name] = value
    for name in op.needs:
        if name not in keywords:
            raise ShapeError(f"attribute {name!r} is missing; {op.qualified_type} requires it")
    if op.takes_declared:
        keywords["declared"] = declared
    return op.function(*inputs, **keywords)


def _is_whole(value: Any) -> bool:
    """Whether value is an integer, or a dim of a population or of a formula."""
    return type(value) is int or isinstance(value, Integral | Column) or is_symbolic(value)


def _check_inputs(op: Operator, inputs: Sequence[TensorSpec | None]) -> None:
    if op.most is not None and len(inputs) > op.most:
        raise ShapeError(f"{len(inputs)} inputs given; {op.qualified_type} takes at most {op.most}")
    if len(inputs) < op.required:
        raise ShapeError(f"{len(inputs)} inputs given; {op.qualified_type} needs at least {op.required}")
    for i, spec in enumerate(inputs):
        if spec is None:
            if i < op.required or op.most is None:
                raise ShapeError(f"input {i} is left out; {op.qualified_type} needs it")
        elif spec.shape is None and not op.any_shape:
            raise UnknownShapeError(f"the shape of its input {spec.name!r} is unknown")


def _check_type(op: Operator, name: str, value: Any, default: Any) -> None:
    many = op.wholes.get(name)
    if many is not None:
        if all(map(_is_whole, value)) if many and isinstance(value, tuple) else not many and _is_whole(value):
            return
        kind = "ints" if many else "an int"
        raise ShapeError(f"attribute {name!r} is {value!r}; {op.qualified_type} takes {kind}")
    if default is None or type(value) is type(default) or (isinstance(default, float) and isinstance(value, int)):
        return
    raise ShapeError(f"attribute {name!r} is {value!r}; {op.qualified_type} takes {type(default).__name__}")
