"""Well-known networks as builder functions, one family a file.

To add one, write a function in the family's file; `registry.py` says how. A new file is imported here.
"""

from costmodel.zoo import (  # noqa: F401  (each registers its networks)
    mobilenet_v1,
    mobilenet_v2,
    resnet,
    shufflenet_v1,
    shufflenet_v2,
    squeezenet,
)
from costmodel.zoo.options import Option
from costmodel.zoo.registry import PREFIX, Network, build, load, network, networks

__all__ = ["PREFIX", "Network", "Option", "build", "load", "network", "networks"]
