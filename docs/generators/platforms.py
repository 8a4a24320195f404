"""The page of the shipped platforms: what each was fitted from, and how far it is off on networks it had not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from costmodel.platforms import Platform, find, platforms
from generators.page import Page, escaped, table

_HEAD = """---
hide: [toc]
---

# All platforms

The {count} profiles that come with the package, by runtime. `-p` takes an id or a beginning of it that no other has;
`costmodel platforms show ID` prints everything about one, and [Platforms](../platforms.md) says what one is.

Error
:   the mean error on the networks, each of which was held out of the fit in turn. It stands beside those of a line
    through mult-adds (*of mult-adds*) and of a plane through mult-adds and memory access (*and memory*), held out the
    same way. How: [Accuracy](../accuracy.md).

Networks
:   networks, blocks or stacks of layers that were measured. Few or alike ones say little of others.

"""
_HEADS = (
    "platform and device",
    "precision",
    "threads",
    "error",
    "of mult-adds",
    "and memory",
    "networks",
    "fitted from",
)


def pages() -> Iterator[Page]:
    """The one page."""
    yield Page("reference/platforms.md", "All platforms", _text)


def _text() -> str:
    known = sorted(map(find, platforms()), key=lambda one: (one.runtime, one.id))
    parts = [_HEAD.format(count=len(known))]
    for runtime, members in groupby(known, key=lambda one: one.runtime):
        parts += [f"## {escaped(runtime)}\n\n", table(_HEADS, map(_row, members), "llrrrrrl"), "\n"]
    return "".join(parts)


def _row(platform: Platform) -> Sequence[str]:
    accuracy = platform.accuracy
    errors: tuple[str, ...] = ("", "", "", "")
    if accuracy is not None:
        shares = (accuracy.mape, accuracy.baseline_mult_adds, accuracy.baseline_memory)
        errors = (*(f"{100 * share:.1f} %" for share in shares), str(accuracy.networks))
    sources = "; ".join(
        escaped(f"{source.name} ({source.date})" if source.date else source.name) for source in platform.sources
    )
    version = f" ({platform.runtime_version})" if platform.runtime_version else ""
    return (
        f"`{platform.id}`<br>{escaped(platform.device)}",
        escaped(f"{platform.precision}{version}"),
        str(platform.threads or ""),
        *errors,
        sources,
    )
