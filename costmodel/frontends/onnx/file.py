"""From a path to a parsed model whose weights were never read."""

from __future__ import annotations

import mmap
import os
import stat
from pathlib import Path
from typing import Any

from costmodel.errors import ModelError
from costmodel.frontends.onnx.wire import strip_weights

_REMEDY = "give the path of a .onnx file, or export it again"


def read_model(path: str | os.PathLike[str]) -> Any:
    """The ModelProto at path, without the payload of its large tensors.

    External data is neither opened nor needed. Raises ModelError where there is no readable ONNX model,
    or where external data is said to lie outside the model's folder.
    """
    name = os.fspath(path)
    stripped = _strip_file(name)
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    model = ModelProto()
    try:
        model.ParseFromString(stripped)
    except DecodeError:
        raise ModelError(f"{name}: not an ONNX model (its protobuf cannot be decoded); {_REMEDY}") from None
    if not model.HasField("graph"):
        raise ModelError(f"{name}: not an ONNX model (it has no graph); {_REMEDY}")
    return model


def _strip_file(name: str) -> bytes:
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            raise ModelError(f"{name}: is a directory; give the path of a .onnx file in it")
        if not stat.S_ISREG(mode):
            raise ModelError(f"{name}: is not a regular file; give the path of a .onnx file")
        with Path(name).open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ModelError(f"{name}: the file is empty; {_REMEDY}")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _strip(data, name)
    except FileNotFoundError:
        raise ModelError(f"{name}: no such file; give the path of a .onnx file, or zoo:NAME") from None
    except PermissionError:
        raise ModelError(f"{name}: no permission to read it; change its mode or copy it") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{name}: cannot be read ({error}); give the path of a .onnx file") from None


def _strip(data: mmap.mmap, name: str) -> bytes:
    if data[:4] == b"PK\x03\x04":  # a zip, as torch.save writes it
        raise ModelError(
            f"{name}: not an ONNX model but a zip, as PyTorch writes; export the module with "
            "torch.onnx.export(module, (image,), 'model.onnx'), or pass it to costmodel.analyze(module, shape)"
        )
    if data[4:8] == b"TFL3":
        raise ModelError(f"{name}: not an ONNX model but TFLite's; give the ONNX file that it was made from")
    try:
        return strip_weights(data)
    except ModelError as error:
        raise ModelError(f"{name}: {error}; {_REMEDY}") from None
