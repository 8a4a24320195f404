"""From a latency budget on a platform to a ShuffleNet V2 design that keeps it, and to its PyTorch network.

Builds on `costmodel` for every count and latency; `costmodel` never imports this package.

>>> import search
>>> search.standard(1.0).graph().cost.mult_adds
144907992
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.design import Design, Stage, load_design, standard
    from search.exporting import built
    from search.space import Space, default_space
    from search.torch_model import ShuffleNetV1, ShuffleNetV2

__all__ = [
    "Design",
    "ShuffleNetV1",
    "ShuffleNetV2",
    "Space",
    "Stage",
    "built",
    "default_space",
    "load_design",
    "standard",
]

_HOMES = {
    "Design": "design",
    "ShuffleNetV1": "torch_model",
    "ShuffleNetV2": "torch_model",
    "Space": "space",
    "Stage": "design",
    "built": "exporting",
    "default_space": "space",
    "load_design": "design",
    "standard": "design",
}
_OF_TORCH = ("exporting", "torch_model")


def __getattr__(name: str) -> Any:
    """Load a public name's module when the name is first used: torch, for one, takes seconds.

    Raises UsageError where that is not installed.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'search' has no attribute {name!r}")
    from importlib import import_module

    try:
        value = getattr(import_module(f"search.{_HOMES[name]}"), name)
    except ImportError as error:
        if _HOMES[name] not in _OF_TORCH:
            raise
        from costmodel.errors import UsageError

        raise UsageError(
            f"{name} needs torch, which cannot be imported ({error}); install it: pip install 'cnn-costmodel[torch]'"
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
