"""What is refused before anything is made of it: names that are no text, data that lies outside."""

from __future__ import annotations

from typing import Any

from costmodel.errors import ModelError


def check_text(*names: str) -> None:
    """Raise ModelError for a name that is not UTF-8: protobuf gives its bytes then."""
    try:
        "".join(names)
    except TypeError:
        raise ModelError("a name in it is not text (UTF-8); the file is damaged") from None


def check_external_data(tensor: Any) -> None:
    """Raise ModelError where a tensor's data is said to lie outside the model's folder. Nothing is opened."""
    for entry in tensor.external_data:
        check_text(tensor.name, entry.key, entry.value)
        if entry.key == "location":
            parts = entry.value.replace("\\", "/").split("/")
            if ".." in parts or parts[0] == "" or ":" in parts[0]:
                raise ModelError(
                    f"tensor {tensor.name!r}: its external data {entry.value!r} is outside the model's folder, "
                    "which is never opened; save the model with its data beside it"
                )
