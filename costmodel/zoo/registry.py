"""How a network is written, named and built.

A network is one builder function, `function(g, x, *, classes=1000, width=1.0) -> output`: it gets a
GraphBuilder, the input image, and its options as keyword-only parameters with typed defaults (the
kinds are in options.py). The signature is the documentation. `batch` and `resolution` belong to every
network and are handled here. A reference names a network with options: `zoo:mobilenet_v2,width=0.75`.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from costmodel.builder import GraphBuilder
from costmodel.errors import ShapeError, UsageError
from costmodel.graph import Graph, TensorSpec
from costmodel.zoo.options import Option, clip, option_of, show_value

PREFIX = "zoo:"

Outputs = TensorSpec | tuple[TensorSpec, ...]
Builder = Callable[..., Outputs]


@dataclass(frozen=True, slots=True)
class Network:
    """A registered network.

    summary: the first line of its function's docstring. options: all that may follow its name.
    channels: of the input image, or the name of the option that gives them.
    """

    name: str
    summary: str
    options: tuple[Option, ...]
    channels: int | str
    function: Builder = field(repr=False)


_NETWORKS: dict[str, Network] = {}


def network(
    name: str, *, resolution: int | tuple[int, int] = 224, channels: int | str = 3
) -> Callable[[Builder], Builder]:
    """Register a function as the builder of the network called `name`.

    resolution: of the input unless a reference says otherwise: one size, or (height, width).
    channels: of the input, or the name of the option that gives them.
    Registering a name twice raises ValueError naming both places.
    """

    def register(function: Builder) -> Builder:
        if name in _NETWORKS:
            first = _place(_NETWORKS[name].function)
            raise ValueError(f"network {name!r} is registered in {first} and in {_place(function)}")
        parameters = inspect.signature(function).parameters.values()
        own = tuple(option_of(p) for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)
        shared = (Option("batch", "Dim", 1), Option("resolution", "resolution", resolution))
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        _NETWORKS[name] = Network(name, summary, (*shared, *own), channels, function)
        return function

    return register


def _place(function: Builder) -> str:
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def networks() -> Iterator[Network]:
    """Every registered network, by name."""
    return (_NETWORKS[name] for name in sorted(_NETWORKS))


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
    chosen = _find(name.removeprefix(PREFIX))
    given = {key: _option(chosen, key).parse(value, PREFIX + chosen.name) for key, value in options.items()}
    values = {option.name: given.get(option.name, option.default) for option in chosen.options}
    reference = _reference(chosen, values)
    batch, resolution = values.pop("batch"), values.pop("resolution")
    height, width = resolution if isinstance(resolution, tuple) else (resolution, resolution)
    channels = values[chosen.channels] if isinstance(chosen.channels, str) else chosen.channels
    g = GraphBuilder(reference)
    try:
        output = chosen.function(g, g.input("input", (batch, channels, height, width)), **values)
    except (ShapeError, UsageError) as error:
        raise UsageError(f"{clip(reference)}: {error}") from error
    return g.build(*(output if isinstance(output, tuple) else (output,)))


def _reference(chosen: Network, values: Mapping[str, Any]) -> str:
    """The shortest reference to the network with these values: options at their default are left out."""
    parts = [PREFIX + chosen.name]
    for option in chosen.options:
        value = values[option.name]
        if type(value) is not type(option.default) or value != option.default:
            parts.append(f"{option.name}={show_value(value)}")
    return ",".join(parts)


def _find(name: str) -> Network:
    if name in _NETWORKS:
        return _NETWORKS[name]
    if not name:
        raise UsageError(f"{PREFIX}NAME: no network is named; {_remedy(name, sorted(_NETWORKS))}")
    raise UsageError(f"{PREFIX}{clip(name)}: no network has this name; {_remedy(name, sorted(_NETWORKS))}")


def _option(chosen: Network, key: str) -> Option:
    for option in chosen.options:
        if option.name == key:
            return option
    keys = [option.name for option in chosen.options]
    raise UsageError(f"{PREFIX}{chosen.name}: it has no option {clip(key)!r}; {_remedy(key, keys)}")


def _remedy(given: str, known: list[str]) -> str:
    """What to write instead: the nearest names, and all there are."""
    near = difflib.get_close_matches(given.lower()[:100], known, n=1, cutoff=0.6)
    return f"{f'did you mean {near[0]!r}? There' if near else 'there'} are: {', '.join(known)}"
