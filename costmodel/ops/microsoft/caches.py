"""Caches of keys and values that grow by the new ones or are written in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from costmodel.dims import Dim
from costmodel.graph import TensorSpec

_SHARED = "how far a shared cache is filled is not known before the run; all of it is counted"


def known(spec: TensorSpec | None) -> Any:
    """The one element of a setting where it is known before the run, else None."""
    if spec is None or spec.value is None or spec.value.size != 1:
        return None
    return spec.value.reshape(-1)[0]


@dataclass(frozen=True, slots=True)
class Cache:
    """Keys or values of earlier steps with the new ones.

    written: length of the cache that the operator writes. met: how many keys each query meets.
    """

    written: Dim
    met: Dim
    approximate: str = ""


def cache_of(past: Dim | None, new: Dim, shared: bool, filled: Any = None) -> Cache:
    """past: length of the cache that is read, None where there is none. shared: it is written in place.
    filled: how many of its entries are in use, where that is known."""
    if past is None:
        return Cache(new, new)
    if not shared:
        return Cache(past + new, past + new)
    if filled is not None:
        return Cache(past, filled + new)
    return Cache(past, past, _SHARED)
