"""How a network is written, named and built.

A network is one builder function, `function(g, x, *, classes=1000, width=1.0) -> output`: it gets a
GraphBuilder, the input image, and its options as keyword-only parameters with typed defaults (the
kinds are in options.py). The signature is the documentation. `batch` and `resolution` belong to every
network and are handled here. A reference names a network with options: `zoo:mobilenet_v2,width=0.75`.
"""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, get_args

import numpy as np

from costmodel.builder import GraphBuilder
from costmodel.columns import Column
from costmodel.dims import is_symbolic
from costmodel.errors import ShapeError, UsageError
from costmodel.graph import Graph, TensorSpec
from costmodel.zoo.families import FAMILIES, MODULES
from costmodel.zoo.options import Option, clip, option_of, show_value

PREFIX = "zoo:"

Outputs = TensorSpec | tuple[TensorSpec, ...]
Builder = Callable[..., Outputs]

# What a network answers: the one kind of things that an image shows, as (batch, classes); where which things are;
# or nothing, being a part of a network that was measured by itself.
Task = Literal["classification", "detection", "block"]
TASKS: tuple[Task, ...] = get_args(Task)

_PACKAGE = "costmodel.zoo"


@dataclass(frozen=True, slots=True)
class Network:
    """A registered network.

    summary: the first line of its function's docstring. options: all that may follow its name. task: see Task.
    channels: of the input image, or the name of the option that gives them.
    smallest, multiple: each side of the input is at least the one (with the options' defaults) and a multiple
    of the other.
    """

    name: str
    summary: str
    options: tuple[Option, ...]
    task: Task
    channels: int | str
    smallest: int
    multiple: int
    function: Builder = field(repr=False)

    @property
    def family(self) -> str:
        """What it belongs to, with the sources: the first line of its module's docstring."""
        module = sys.modules.get(self.function.__module__)
        return (inspect.getdoc(module) or self.function.__module__).partition("\n")[0].rstrip(".")

    @property
    def description(self) -> str:
        """Its function's docstring: the summary, and what its options mean."""
        return inspect.getdoc(self.function) or ""


_NETWORKS: dict[str, Network] = {}


def network(
    name: str,
    *,
    task: Task = "classification",
    resolution: int | tuple[int, int] = 224,
    channels: int | str = 3,
    smallest: int = 1,
    multiple: int = 1,
) -> Callable[[Builder], Builder]:
    """Register a function as the builder of the network called `name`.

    resolution: of the input unless a reference says otherwise: one size, or (height, width).
    The others are as in Network.
    Registering a name twice raises ValueError naming both places.
    """

    def register(function: Builder) -> Builder:
        home = MODULES.get(name)
        if home and function.__module__ != f"{_PACKAGE}.{home}":
            _load(home)  # it has the name already
        if name in _NETWORKS:
            first = _place(_NETWORKS[name].function)
            raise ValueError(f"network {name!r} is registered in {first} and in {_place(function)}")
        parameters = inspect.signature(function).parameters.values()
        own = tuple(option_of(p) for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)
        shared = (Option("batch", "Dim", 1), Option("resolution", "resolution", resolution))
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        _NETWORKS[name] = Network(name, summary, (*shared, *own), task, channels, smallest, multiple, function)
        return function

    return register


def _place(function: Builder) -> str:
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def _load(family: str) -> None:
    import_module(f"{_PACKAGE}.{family}")


def networks() -> Iterator[Network]:
    """Every registered network, by name; loads all families."""
    for family in FAMILIES:
        _load(family)
    return (_NETWORKS[name] for name in sorted(_NETWORKS))


def find(name: str) -> Network:
    """The network called `name`. Raises UsageError, with the names nearest to it, where there is none."""
    if name not in _NETWORKS and name in MODULES:
        _load(MODULES[name])
    if name not in _NETWORKS:
        known = [network.name for network in networks()]  # perhaps one that the table of families has not
        if name not in known:
            missing = f"{clip(name)}: no network has this name" if name else "NAME: no network is named"
            raise UsageError(f"{PREFIX}{missing}; {_near(name, known)}`costmodel zoo` lists all")
    return _NETWORKS[name]


def load(reference: str, /, **options: Any) -> Graph:
    """The network that a reference names: `zoo:NAME[,key=value...]`; `zoo:` may be left out.

    options: more of them, as build() takes them. Raises UsageError for a name, key or value that cannot be
    used, and for an option that is given twice.
    """
    name, *settings = reference.removeprefix(PREFIX).split(",")
    values: dict[str, Any] = dict(options)
    for setting in settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not equals:
            raise UsageError(f"{clip(reference)}: {clip(setting)!r} is not an option; write key=value")
        if key in values:
            raise UsageError(f"{clip(reference)}: option {clip(key)!r} is given twice; keep one")
        values[key] = value
    return build(name.strip(), **values)


def build(name: str, /, **options: Any) -> Graph:
    """The network called `name`, with options as Python values or as text.

    batch and resolution (one size, or a pair of height and width) may be ints, integer columns (one
    entry a design) or sympy symbols, and so may every option of kind Dim.
    Raises UsageError for a name, key or value that cannot be used.
    """
    chosen, values = _chosen(name, options)
    reference = _reference(chosen, values)
    batch, resolution = values.pop("batch"), values.pop("resolution")
    height, width = resolution if isinstance(resolution, tuple) else (resolution, resolution)
    if not all(_fits(chosen, side) for side in (height, width)):
        wanted = f"at least {chosen.smallest}" + f" and a multiple of {chosen.multiple}" * (chosen.multiple > 1)
        raise UsageError(f"{clip(reference)}: resolution is {show_value(resolution)}; each side is {wanted}")
    channels = values[chosen.channels] if isinstance(chosen.channels, str) else chosen.channels
    g = GraphBuilder(reference)
    try:
        output = chosen.function(g, g.input("input", (batch, channels, height, width)), **values)
    except (ShapeError, UsageError) as error:
        raise UsageError(f"{clip(reference)}: {error}") from error
    return g.build(*(output if isinstance(output, tuple) else (output,)))


def reference(name: str, /, **options: Any) -> str:
    """The shortest reference that load() takes for the network that build() makes of the same, without building it.

    Raises UsageError for a name, key or value that cannot be used; what only building finds wrong is not looked for.
    """
    return _reference(*_chosen(name, options))


def _chosen(name: str, options: Mapping[str, Any]) -> tuple[Network, dict[str, Any]]:
    """The network of a name with the values of all its options."""
    chosen = find(name.removeprefix(PREFIX))
    given = {key: _option(chosen, key).parse(value, PREFIX + chosen.name) for key, value in options.items()}
    return chosen, {option.name: given.get(option.name, option.default) for option in chosen.options}


def _reference(chosen: Network, values: Mapping[str, Any]) -> str:
    """The shortest reference to the network with these values: options at their default are left out."""
    parts = [PREFIX + chosen.name]
    for option in chosen.options:
        value = values[option.name]
        if type(value) is not type(option.default) or value != option.default:
            parts.append(f"{option.name}={show_value(value)}")
    return ",".join(parts)


def _fits(chosen: Network, side: Any) -> bool:
    """Whether the network takes images with such a side. Of a symbol it is not known, and taken for granted."""
    if is_symbolic(side):
        return True
    sides = side.values if isinstance(side, Column) else np.asarray(side)
    return bool(((sides >= chosen.smallest) & (sides % chosen.multiple == 0)).all())


def _option(chosen: Network, key: str) -> Option:
    for option in chosen.options:
        if option.name == key:
            return option
    keys = [option.name for option in chosen.options]
    raise UsageError(
        f"{PREFIX}{chosen.name}: it has no option {clip(key)!r}; {_near(key, keys)}there are: {', '.join(keys)}"
    )


def _near(given: str, known: list[str]) -> str:
    """The question whether one of the nearest names was meant, where there are any."""
    near = difflib.get_close_matches(given.lower()[:100], known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(map(repr, near))}? " if near else ""
