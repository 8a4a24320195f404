"""Where an operator comes from: its module path and its line of Python, where the exporter wrote them."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

# What writer.py writes: a node's module and source as they are.
MODULE, SOURCE = "costmodel.module", "costmodel.source"
_SCOPES = "pkg.torch.onnx.name_scopes"
_TRACE = "pkg.torch.onnx.stack_trace"
_WEIGHT = ".weight"
_FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')
_INSTALLED = re.compile(r".*/(?:site|dist)-packages/")


def origin(node: Any) -> tuple[str, str]:
    """(module path, file:line) of a NodeProto; "" for what is not known.

    torch's exporter writes both as metadata; its older TorchScript exporter, and others, write the
    module path as the node's name. A model that was written from a graph has what the graph had.
    """
    scopes = trace = source = ""
    own: str | None = None
    for entry in node.metadata_props:
        if entry.key == _SCOPES:
            scopes = entry.value
        elif entry.key == _TRACE:
            trace = entry.value
        elif entry.key == MODULE:
            own = entry.value
        elif entry.key == SOURCE:
            source = entry.value
    if own is not None:
        module = own
    elif not scopes:
        module = _module_of_name(node.name)
    elif len(node.input) > 1 and node.input[1].endswith(_WEIGHT):
        # A conv with a folded batch norm carries the norm's scopes; its weight keeps the conv's name.
        module = node.input[1].removesuffix(_WEIGHT)
    else:
        module = _module_of_scopes(scopes)
    return module, source_line(trace) if trace else source


def _module_of_scopes(text: str) -> str:
    """ "['', 'stage2', 'stage2.0', 'conv2d']" -> "stage2.0": the last scope is the operator itself."""
    scopes = re.findall(r"'([^']*)'", text)
    return scopes[-2] if len(scopes) > 1 else ""


def _module_of_name(name: str) -> str:
    """ "/stage2/stage2.0/branch1/branch1.0/Conv" -> "stage2.0.branch1.0"."""
    parts = name.strip("/").split("/")[:-1]
    path: list[str] = []
    for part in parts:
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    return ".".join(path)


@lru_cache(maxsize=4096)
def source_line(trace: str) -> str:
    """file:line of the last frame of the user's project in a Python stack trace.

    Frames of installed packages are the user's only if there is no other; torch's own never are. The
    path is made relative: to the working directory, or to the folder that packages are installed in.
    """
    frames = _FRAME.findall(trace)
    outside = [frame for frame in frames if not _INSTALLED.match(frame[0]) and not _is_python_itself(frame[0])]
    packages = [frame for frame in frames if "/torch/" not in frame[0] and not _is_python_itself(frame[0])]
    chosen = (outside or packages)[-1:]
    return "".join(f"{_relative(path)}:{line}" for path, line in chosen)


def _is_python_itself(path: str) -> bool:
    return path.startswith("<") or (path.startswith(sys.base_prefix) and not _INSTALLED.match(path))


def _relative(path: str) -> str:
    installed = _INSTALLED.match(path)
    if installed:
        return path[installed.end() :]
    try:
        return Path(path).relative_to(Path.cwd()).as_posix()
    except ValueError:
        return Path(path).name
