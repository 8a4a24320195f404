"""The analytical cost model of convolutional networks: exact counts and estimated latencies, operator by operator.

>>> import costmodel
>>> costmodel.analyze("zoo:shufflenet_v2,width=1.0").totals.mult_adds
144907992
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costmodel.analysis import Analysis, analyze
    from costmodel.builder import GraphBuilder
    from costmodel.cost import Cost
    from costmodel.errors import CostModelError, ModelError, UsageError
    from costmodel.graph import Graph, Node, TensorSpec
    from costmodel.platforms import Platform, load_profile
    from costmodel.predictor import Estimate, Prediction
    from costmodel.pricing import Budget
    from costmodel.views import Row

__all__ = [
    "Analysis",
    "Budget",
    "Cost",
    "CostModelError",
    "Estimate",
    "Graph",
    "GraphBuilder",
    "ModelError",
    "Node",
    "Platform",
    "Prediction",
    "Row",
    "TensorSpec",
    "UsageError",
    "analyze",
    "load_profile",
]

_HOMES = {
    "Analysis": "analysis",
    "analyze": "analysis",
    "GraphBuilder": "builder",
    "Cost": "cost",
    "CostModelError": "errors",
    "ModelError": "errors",
    "UsageError": "errors",
    "Graph": "graph",
    "Node": "graph",
    "TensorSpec": "graph",
    "Platform": "platforms",
    "load_profile": "platforms",
    "Estimate": "predictor",
    "Prediction": "predictor",
    "Budget": "pricing",
    "Row": "views",
}


def __getattr__(name: str) -> Any:
    """Load a public name's module when the name is first used: importing costmodel itself is free."""
    if name not in _HOMES:
        raise AttributeError(f"module 'costmodel' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"costmodel.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
