"""Pages of the Python reference: what a package makes public, for mkdocstrings to render from its docstrings."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib import import_module
from types import ModuleType

from generators.page import Page, paragraphs, prose, table

FOLDER = "reference/python"

_PACKAGES = (
    "costmodel",
    "costmodel.platforms",
    "costmodel.guidelines",
    "costmodel.explaining",
    "costmodel.comparing",
    "costmodel.reuse",
    "costmodel.zoo",
    "costmodel.frontends.onnx",
    "search",
    "search.space",
    "search.evaluate",
    "search.limits",
    "search.exact",
    "search.capacity",
    "calibration.dataset",
    "calibration.calibrate",
)
_INDEX = """# Python

What can be imported, with what each value means: shape, unit, and the errors that are raised.
[In Python and in notebooks](../../python.md) shows how it is used. Seconds, bytes and elements everywhere; a latency
has its interval.

{rows}
What is not on these pages may change without notice.
"""


def pages() -> Iterator[Page]:
    """The list, and a page a package."""
    yield Page(f"{FOLDER}/index.md", "Packages", _index)
    for package in _PACKAGES:
        yield Page(f"{FOLDER}/{package}.md", package, partial(_package, package))


def public(package: str) -> list[str]:
    """The functions of a package that are for users, then its classes, each with its package before it.

    By their names alone, in capitals those of constants: some cannot be loaded without torch.
    """
    module = import_module(package)
    names = getattr(module, "__all__", None) or _defined(module)
    kept = sorted((name for name in names if not name.isupper()), key=lambda name: (name[0].isupper(), name.lower()))
    return [f"{package}.{name}" for name in kept]


def _defined(module: ModuleType) -> list[str]:
    """What a module defines itself and does not hide."""
    own = (name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__)
    return [name for name in own if not name.startswith("_")]


def _index() -> str:
    rows = []
    for package in _PACKAGES:
        words = prose(paragraphs(import_module(package).__doc__ or "")[0])
        rows.append((f"[`{package}`]({package}.md)", words))
    return _INDEX.format(rows=table(("package", ""), rows))


def _package(package: str) -> str:
    """A page whose first directive is the package itself, without its members, and then one for each of these."""
    alone = f"::: {package}\n    options:\n      members: false\n      heading_level: 1\n"
    return "\n".join([alone, *(f"::: {name}\n    options:\n      heading_level: 2\n" for name in public(package))])
