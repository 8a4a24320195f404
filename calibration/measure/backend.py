"""What a backend is: something that makes a network ready to run on this machine; and what all of them need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from calibration.measure.timing import Run
from costmodel.graph import Graph, TensorSpec


class RefusedError(Exception):
    """A network that the runtime cannot run; its text is the runtime's reason, in one line."""


class Ready(Protocol):
    """A network with its weights and its inputs in memory. memory: bytes that it keeps there, about."""

    @property
    def run(self) -> Run:
        """Runs it once, to the end. Raises RefusedError where it cannot."""
        ...

    @property
    def memory(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Kernels:
    """What a profiler says. Fields as in Profile; seconds are its kernels."""

    seconds: Mapping[str, float]
    operators: Mapping[str, int]
    total: float
    count: int
    runs: int


class Backend(Protocol):
    """A runtime on this machine. blocks: channels in a block of its layout here; None where it has no such layout."""

    name: str
    versions: Mapping[str, str]
    blocks: int | None

    def prepare(self, network: str, path: str, batch: int) -> Ready:
        """A network, ready to run: a reference, or where `path` is not "" the model file there.

        Raises RefusedError for a network that the runtime cannot run.
        """
        ...

    def profile(self, network: str, path: str, batch: int, runs: int) -> Kernels:
        """What the runtime's profiler says of so many runs of a network. Raises RefusedError as prepare() does."""
        ...


def random_input(tensor: TensorSpec, random: np.random.Generator) -> Any:
    """Random elements; of whole numbers zeros, which are in the range of every table that they may look up.

    Raises RefusedError for an input of no fixed size, or of a type without arithmetic.
    """
    shape = tuple(size for size in tensor.shape or () if isinstance(size, int))
    if tensor.shape is None or len(shape) < len(tensor.shape):
        raise RefusedError(f"its input {tensor} has free sizes; export it with fixed ones")
    try:
        kind = np.dtype(tensor.dtype)
    except TypeError:
        raise RefusedError(f"its input {tensor} is of a type that is not measured") from None
    return random.standard_normal(shape).astype(kind) if kind.kind == "f" else np.zeros(shape, kind)


def memory_of(graph: Graph) -> int:
    """Bytes that a network takes, about: weights twice, as stored and as kernels want them, and a few activations."""
    sizes = [(size, tensor.is_stored) for tensor in graph.tensors.values() if isinstance(size := tensor.bytes, int)]
    weights = sum(size for size, is_stored in sizes if is_stored)
    largest = max((size for size, is_stored in sizes if not is_stored), default=0)
    return 2 * weights + 4 * largest


def one_line(error: Exception) -> str:
    """What an exception says, without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
