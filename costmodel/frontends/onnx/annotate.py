"""Write metadata into the nodes of a serialised ONNX model, and copy everything else untouched.

A weight is never parsed: the protobuf wire format is walked from field to field by their lengths alone (as wire.py
does), which gives pieces of the file to copy and, between them, the few bytes that are new: entries of metadata, and
the lengths of the messages around them. The copy goes through a small buffer, so that a model of any size takes no
more memory than its graph.

Data outside the file stay there. Their places are relative to the model's folder, and runtimes take none outside of
it, so that such a model can only be written to the folder that it came from.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from costmodel.errors import ModelError, UsageError
from costmodel.frontends.onnx.file import read_model
from costmodel.frontends.onnx.metadata import MODULE, SOURCE
from costmodel.frontends.onnx.ordering import graphs_of
from costmodel.frontends.onnx.wire import encode, skip, varint
from costmodel.writing import whole

PREFIX = "costmodel."
Entries = Mapping[str, str]
Piece = bytes | tuple[int, int]  # new bytes, or a range of the file

_EXTERNAL = 1  # TensorProto.DataLocation
_BYTES = 2  # the wire type of messages and strings
_GRAPH, _MODEL_METADATA = 7, 14  # of a ModelProto
_NODE = 1  # of a GraphProto
_NODE_METADATA = 9  # of a NodeProto
_KEY, _VALUE = 1, 2  # of a StringStringEntryProto
_KEPT = {MODULE.encode(), SOURCE.encode()}  # say where a node comes from, and are read back
_BUFFER = 2**20  # bytes that are copied at a time
_ZEROS = bytes(_BUFFER)


def read_nodes(path: str | os.PathLike[str]) -> Sequence[Any]:
    """The NodeProtos of the main graph of the model at path, in the file's order. Raises ModelError as load does."""
    return read_model(path).graph.node  # type: ignore[no-any-return]


def annotate(
    source: str | os.PathLike[str], target: str | os.PathLike[str], nodes: Sequence[Entries | None], model: Entries
) -> None:
    """Copy the model at source to target, with these entries in its nodes' metadata and its own.

    nodes: for each node of the main graph, in the file's order; None for one to leave without. Entries that an
    earlier call wrote, with PREFIX before their names, go; all other metadata stays. target may be source.
    Raises ModelError for a file that is no ONNX model, UsageError where target cannot be written or is in another
    folder than data that the model keeps outside itself.
    """
    name, out = os.fspath(source), os.fspath(target)
    _check_target(name, out)
    with Path(name).open("rb") as file:
        pieces = _pieces(file, name, nodes, model)
        try:
            with whole(Path(os.path.realpath(out))) as written:
                for piece in pieces:
                    _copy(piece, file, written)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"-o {out}: cannot be written ({reason}); give another file") from error


def _check_target(source: str, target: str) -> None:
    if os.path.isdir(target):
        raise UsageError(f"-o {target}: is a directory; give a file in it, such as {_offered(target, source)}")
    if os.path.exists(target) and not os.path.isfile(target):
        raise UsageError(f"-o {target}: is not a regular file, so that no model can be kept there; give another")
    _check_external(source, target)


def _offered(folder: str, source: str) -> str:
    """A file in the folder that may be written without losing anything."""
    path = Path(folder, os.path.basename(source))
    while path.exists():
        path = path.with_name(f"{path.stem}.annotated{path.suffix}")
    return str(path)


def _check_external(name: str, out: str) -> None:
    """Raise UsageError where the model at `name` has data beside it that it would not have beside `out`."""
    folder = os.path.dirname(name) or "."
    same = os.path.realpath(folder) == os.path.realpath(os.path.dirname(out) or ".")
    for location in _locations(read_model(name)):
        data = os.path.join(folder, location)
        if os.path.realpath(data) == os.path.realpath(out):
            raise UsageError(f"-o {out}: {name} has its weights there, which would be lost; give another file")
        if not same:
            raise UsageError(
                f"-o {out}: {name} has weights in {location!r} beside it, and a model finds only what is in its own "
                f"folder; write it there, with -o {_offered(folder, out)}"
            )


def _locations(model: Any) -> Iterator[str]:
    """Where the data lie that are not in the file."""
    held = [*_tensors(model.graph), *(tensor for f in model.functions for tensor in _tensors_of(f.node))]
    for tensor in held:
        if tensor.data_location == _EXTERNAL:
            yield from (entry.value for entry in tensor.external_data if entry.key == "location")


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _tensors_of(graph.node)


def _tensors_of(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
        for graph in graphs_of(node):
            yield from _tensors(graph)


def _pieces(file: BinaryIO, name: str, nodes: Sequence[Entries | None], model: Entries) -> list[Piece]:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _Rewriting(data, nodes).model(model)
        except (IndexError, ModelError):
            raise ModelError(f"{name}: not an ONNX model, or it changed while it was read; try again") from None


class _Rewriting:
    """One walk over a model's bytes. The nodes' entries are used up in the order in which nodes come."""

    def __init__(self, data: mmap.mmap, nodes: Sequence[Entries | None]) -> None:
        self._data = data
        self._nodes = nodes
        self._met = 0

    def model(self, entries: Entries) -> list[Piece]:
        """The pieces of the whole file. Raises ModelError where it has not as many nodes as there are entries."""
        pieces: list[Piece] = []
        for field, start, inside, stop in self._fields(0, len(self._data)):
            if field == _GRAPH:
                self._message(pieces, start, self._graph(inside, stop))
            elif not (field == _MODEL_METADATA and self._is_ours(inside, stop)):
                _keep(pieces, start, stop)
        pieces.append(_encoded(_MODEL_METADATA, entries))
        if self._met != len(self._nodes):
            raise ModelError("another number of nodes")
        return pieces

    def _graph(self, position: int, end: int) -> list[Piece]:
        pieces: list[Piece] = []
        for field, start, inside, stop in self._fields(position, end):
            if field == _NODE:
                entries = self._nodes[self._met]
                self._met += 1
                self._message(pieces, start, self._node(inside, stop, entries))
            else:
                _keep(pieces, start, stop)
        return pieces

    def _node(self, position: int, end: int, entries: Entries | None) -> list[Piece]:
        pieces: list[Piece] = []
        for field, start, inside, stop in self._fields(position, end):
            if not (field == _NODE_METADATA and self._is_ours(inside, stop)):
                _keep(pieces, start, stop)
        if entries:
            pieces.append(_encoded(_NODE_METADATA, entries))
        return pieces

    def _message(self, pieces: list[Piece], start: int, content: list[Piece]) -> None:
        """Add a message with another content, under the tag that it had."""
        _, after_tag = varint(self._data, start)
        _keep(pieces, start, after_tag)
        pieces.append(encode(sum(map(_length, content))))
        for piece in content:
            if isinstance(piece, bytes):
                pieces.append(piece)
            else:
                _keep(pieces, *piece)

    def _is_ours(self, position: int, end: int) -> bool:
        """Whether an entry of metadata is one that we write."""
        key = b""
        for field, _, inside, stop in self._fields(position, end):
            if field == _KEY:
                key = self._data[inside:stop]
        return key.startswith(PREFIX.encode()) and key not in _KEPT

    def _fields(self, position: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """The fields of a message: number (0 where the content is no message or string), start, content, end."""
        while position < end:
            start = position
            tag, position = varint(self._data, start)
            if tag & 7 == _BYTES:
                length, inside = varint(self._data, position)
                position = inside + length
                yield tag >> 3, start, inside, position
            else:
                position = skip(self._data, position, tag & 7)
                yield 0, start, position, position
            if position > end:
                raise ModelError("a field is longer than its message")


def _keep(pieces: list[Piece], start: int, stop: int) -> None:
    """Add a range of the file, as one with the range before it where they touch."""
    last = pieces[-1] if pieces else b""
    if isinstance(last, tuple) and last[1] == start:
        pieces[-1] = (last[0], stop)
    else:
        pieces.append((start, stop))


def _length(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]


def _encoded(field: int, entries: Entries) -> bytes:
    """Entries of metadata as a repeated field of that number."""
    result = []
    for name, text in entries.items():
        entry = b"".join(
            encode(part << 3 | _BYTES) + encode(len(content)) + content
            for part, content in ((_KEY, name.encode("utf-8", "replace")), (_VALUE, text.encode("utf-8", "replace")))
        )
        result.append(encode(field << 3 | _BYTES) + encode(len(entry)) + entry)
    return b"".join(result)


def _copy(piece: Piece, file: BinaryIO, written: BinaryIO) -> None:
    if isinstance(piece, bytes):
        written.write(piece)
        return
    position, stop = piece
    file.seek(position)
    while position < stop:
        content = file.read(min(stop - position, _BUFFER))
        if not content:
            raise ModelError(f"{file.name}: became shorter while it was copied; try again")
        if content == _ZEROS:
            written.seek(len(content), os.SEEK_CUR)  # a hole stays one
        else:
            written.write(content)
        position += len(content)
