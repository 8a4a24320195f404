"""Well-known networks as builder functions, one family a file.

To add one, write a function in the family's file; `registry.py` says how. A new file is imported here.
"""

from costmodel.zoo import (  # noqa: F401  (each registers its networks)
    alexnet,
    blazeface,
    condensenet,
    darknet,
    densenet,
    dla,
    dpn,
    efficientnet,
    esnet,
    fastestdet,
    ghostnet,
    googlenet,
    hardnet,
    hrnet,
    igcv,
    inception,
    inverted_residual,
    mixnet,
    mnasnet,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3,
    mobilenet_yolo,
    nanodet,
    nasbench201,
    nasnet,
    paper,
    peleenet,
    pphgnet,
    pplcnet,
    proxylessnas,
    regnet,
    repvgg,
    res2net,
    resnest,
    resnet,
    rexnet,
    shufflenet_v1,
    shufflenet_v2,
    squeezenet,
    ssd,
    vgg,
    vit,
    xception,
    yolo,
)
from costmodel.zoo.options import Option
from costmodel.zoo.registry import PREFIX, Network, build, load, network, networks

__all__ = ["PREFIX", "Network", "Option", "build", "load", "network", "networks"]
