"""The networks that measurements name: a reference or a path, a batch and an input's size -> a graph."""

from __future__ import annotations

import os
import re
from functools import cache, lru_cache
from pathlib import Path

from costmodel import zoo
from costmodel.errors import UsageError
from costmodel.frontends import onnx
from costmodel.graph import Graph
from costmodel.zoo.options import clip

_CACHED_GRAPHS = 4096
_SIZES = re.compile(r"[1-9][0-9]{0,8}(x[1-9][0-9]{0,8})*")


def resolve(network: str, folder: Path, batch: int | None, size: str) -> tuple[str, int]:
    """A network as it is known here, and the batch it was measured at.

    network: `zoo:NAME[,key=value...]`, or the path of a .onnx file relative to `folder`. batch: as stated beside it,
    None where it is not. size: of the input, as graph() takes it, or "".
    The first result is the shortest reference, without a batch and with the resolution that `size` asks for, or the
    path; two spellings of one network give the same. Raises CostModelError for what cannot be built.
    """
    if network.startswith(zoo.PREFIX):
        reference, stated = _without_batch(network)
        if stated is not None and batch is not None and stated != batch:
            raise UsageError(f"{network}: its batch is {stated} and the column batch says {batch}; keep one of them")
        return _shortest(reference, size), stated or batch or 1
    if not network.endswith(".onnx"):
        raise UsageError(f"{clip(network)}: not a network; write zoo:NAME or the path of a .onnx file")
    path = Path(os.path.normpath(folder / network))
    if not path.is_file():
        raise UsageError(f"{path}: no such file; a path is relative to the folder of the CSV")
    built = graph(str(path), batch, size)
    shape = built.tensors[built.inputs[0]].shape if built.inputs else None
    leading = shape[0] if shape else 1
    return str(path), leading if isinstance(leading, int) else batch or 1


@lru_cache(maxsize=_CACHED_GRAPHS)
def graph(network: str, batch: int | None = None, size: str = "") -> Graph:
    """The graph of a network at a batch.

    network: a reference or a path. batch: None for the model's own. size: of an ONNX model's input: `1x3x224x224`,
    the same without the batch, or NAME=1x3x224x224 with spaces between several; a reference has its resolution
    in itself. Raises CostModelError for what cannot be built.
    """
    if network.startswith(zoo.PREFIX):
        return zoo.load(network, batch=batch or 1)
    shapes = dict(_input_shapes(network, size, batch)) if size else {}
    return onnx.load(network, onnx.Wishes(shapes=shapes, batch=None if shapes else batch))


def is_whole(network: str) -> bool:
    """Whether a reference or a path names a whole network, and not a block or a stack of layers measured alone.

    A model file is taken to be one.
    """
    return (
        not network.startswith(zoo.PREFIX)
        or zoo.find(network.removeprefix(zoo.PREFIX).partition(",")[0]).task != "block"
    )


@cache
def _shortest(reference: str, size: str) -> str:
    if not size:
        return zoo.load(reference).name
    *leading, height, width = _sizes(size) * (1 if "x" in size else 2)
    if len(leading) > 2:
        raise UsageError(f"input is {size!r}; write 224, 480x640 or 3x480x640")
    stated = any(part.partition("=")[0].strip() == "resolution" for part in reference.split(",")[1:])
    resolution = height if height == width else (height, width)
    built = zoo.load(reference) if stated else zoo.load(reference, resolution=resolution)
    shape = built.tensors[built.inputs[0]].shape
    if shape is None or shape[2:] != (height, width) or (leading and leading[-1] != shape[1]):
        raise UsageError(
            f"{reference}: its input is {'x'.join(map(str, shape or ()))} and the column input says {size}; keep one"
        )
    return built.name


def _without_batch(reference: str) -> tuple[str, int | None]:
    """A reference without its batch, and that batch."""
    parts = reference.split(",")
    batches = [part for part in parts[1:] if part.partition("=")[0].strip() == "batch"]
    if len(batches) != 1:  # an option given twice is for the zoo to refuse
        return reference, None
    built = zoo.load(reference)  # refuses a batch that is no number
    shape = built.tensors[built.inputs[0]].shape
    stated = shape[0] if shape else None
    return ",".join(part for part in parts if part is not batches[0]), stated if isinstance(stated, int) else None


def _sizes(text: str) -> tuple[int, ...]:
    if not _SIZES.fullmatch(text):
        raise UsageError(f"input is {clip(text)!r}; write sizes such as 224, 480x640 or 1x3x224x224")
    return tuple(map(int, text.split("x")))


def _input_shapes(path: str, size: str, batch: int | None) -> list[tuple[str, tuple[int, ...]]]:
    named = [part.rpartition("=") for part in size.split()]
    if len(named) == 1 and not named[0][1]:
        plain = onnx.load(path)
        if len(plain.inputs) != 1:
            raise UsageError(
                f"{path}: it has {len(plain.inputs)} inputs; write {plain.inputs[0]}={size} for each of them"
            )
        shape = plain.tensors[plain.inputs[0]].shape
        sizes = _sizes(size)
        if shape is not None and len(sizes) == len(shape) - 1:
            sizes = (batch or 1, *sizes)
        return [(plain.inputs[0], _at_batch(sizes, batch, size))]
    return [(name, _at_batch(_sizes(text), batch, size)) for name, _, text in named]


def _at_batch(sizes: tuple[int, ...], batch: int | None, size: str) -> tuple[int, ...]:
    if batch is not None and sizes[0] != batch:
        raise UsageError(
            f"input is {size!r} and the column batch says {batch}; the first size is the batch: make them equal"
        )
    return sizes
