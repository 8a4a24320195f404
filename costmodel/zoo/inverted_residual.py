"""One inverted residual block, the unit in which tables of block latencies come."""

from __future__ import annotations

from typing import Literal

from costmodel.builder import GraphBuilder
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import conv_bn, depthwise_bn, residual, squeeze_excite
from costmodel.zoo.registry import network


@network("inverted_residual", task="block", resolution=56, channels="cin")
def inverted_residual(
    g: GraphBuilder,
    x: TensorSpec,
    *,
    cin: int = 24,
    cout: int = 24,
    expand: int = 6,
    stride: int = 1,
    kernel: int = 3,
    act: Literal["relu6", "hard_swish", "swish"] = "relu6",
    se: bool = False,
) -> TensorSpec:
    """An inverted residual block of MobileNet V2 (arXiv 1801.04381, Figure 4d) or V3 (1905.02244, Figure 4).

    1x1 expansion (none where expand is 1), depthwise convolution, squeeze-excite if wanted, linear 1x1
    projection, and a shortcut at stride 1 where cin is cout.
    resolution, cin: of the input. cout: channels of the output. stride, kernel: of the depthwise convolution.
    act: after the expansion and after the depthwise convolution.
    se: after the activation, with ReLU and hard sigmoid as in MobileNet V3, squeezed to a quarter of the expanded
    channels rounded down as in nn-Meter, which measured such blocks.
    """
    y = x
    expanded = cin * expand
    if expand != 1:
        with g.scope("expand"):
            y = conv_bn(g, y, expanded, act=act)
    with g.scope("depthwise"):
        y = depthwise_bn(g, y, kernel, stride=stride, act=act)
    if se:
        y = squeeze_excite(g, y, max(1, expanded // 4), gate="hard_sigmoid")
    with g.scope("project"):
        y = conv_bn(g, y, cout, names="0 1")
    return residual(g, x, y, stride)
