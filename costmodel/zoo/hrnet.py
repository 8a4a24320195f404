"""HRNet for classification (Wang et al., TPAMI 2020, arXiv 1908.07919).

Layers are named as in timm's hrnet_w18.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn, resize_like, whole_channels
from costmodel.zoo.registry import network
from costmodel.zoo.resnet import PLAIN, Style, basic_block, bottleneck

_MODULES = {2: 1, 3: 4, 4: 3}  # modules of the stages with 2, 3 and 4 resolutions (Section 4)
_BLOCKS = 4  # residual blocks of each branch of a module
_HEAD = (32, 64, 128, 256)  # inner channels of the head's bottlenecks (Figure 11)


def _down(g: GraphBuilder, x: TensorSpec, channels: Dim, names: str) -> TensorSpec:
    return conv_bn(g, x, channels, 3, stride=2, names=names)


def fuse(g: GraphBuilder, branches: list[TensorSpec]) -> list[TensorSpec]:
    """Figure 3: each resolution gets the sum of all of them, brought to its shape.

    Lower resolutions come by 1x1 convolution and nearest up-sampling, higher ones by 3x3 convolutions of stride 2.
    """
    outputs = []
    for target, base in enumerate(branches):
        total = base
        for source, x in enumerate(branches):
            with g.scope(f"{target}.{source}"):
                if source > target:
                    x = conv_bn(g, x, channels_of(base), names="0 1")
                    x = resize_like(g, x, base, name="2")
                for step in range(target - source):
                    last = step == target - source - 1
                    with g.scope(str(step)):
                        x = _down(g, x, channels_of(base if last else x), "0 1" if last else "0 1 2")
            if source != target:
                total = g.add(total, x)
        outputs.append(g.relu(total))
    return outputs


def _module(g: GraphBuilder, branches: list[TensorSpec], style: Style) -> list[TensorSpec]:
    done = []
    for index, x in enumerate(branches):
        for block in range(_BLOCKS):
            with g.scope(f"branches.{index}.{block}"):
                x = basic_block(g, x, whole_channels(x), 1, style)
        done.append(x)
    with g.scope("fuse_layers"):
        return fuse(g, done)


def _stem(g: GraphBuilder, x: TensorSpec, style: Style) -> TensorSpec:
    x = _down(g, x, 64, "conv1 bn1 act1")
    x = _down(g, x, 64, "conv2 bn2 act2")
    for index in range(4):
        with g.scope(f"layer1.{index}"):
            x = bottleneck(g, x, 64, 1, style)
    return x


def _head(g: GraphBuilder, branches: list[TensorSpec], style: Style) -> TensorSpec:
    """Figure 11: bottlenecks widen each resolution; 3x3 convolutions of stride 2 add them up, from high to low."""
    total: TensorSpec | None = None
    for index, (x, inner) in enumerate(zip(branches, _HEAD, strict=True)):
        with g.scope(f"incre_modules.{index}.0"):
            x = bottleneck(g, x, inner, 1, style, True)
        if total is not None:
            with g.scope(f"downsamp_modules.{index - 1}"):
                total = _down(g, total, 4 * inner, "0 1 2")
            total = g.add(x, total)
        else:
            total = x
    assert total is not None
    with g.scope("final_layer"):
        return conv_bn(g, total, 2048)


def hrnet(g: GraphBuilder, x: TensorSpec, classes: Dim, width: int, style: Style = PLAIN) -> TensorSpec:
    """Figure 2 and Section 4: four stages; each adds a branch of half the resolution and twice the channels."""
    x = _stem(g, x, style)
    branches: list[TensorSpec] = []
    for count, modules in _MODULES.items():
        with g.scope(f"transition{count - 1}"):
            lowest = branches[-1] if branches else x
            if not branches:
                with g.scope("0"):
                    branches = [conv_bn(g, x, width, 3)]
            with g.scope(f"{count - 1}.0"):
                branches.append(_down(g, lowest, width << (count - 1), "0 1 2"))
        for index in range(modules):
            with g.scope(f"stage{count}.{index}"):
                branches = _module(g, branches, style)
    return classifier(g, _head(g, branches, style), classes, name="classifier")


def _register(width: int) -> None:
    def build(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, se: bool = False) -> TensorSpec:
        return hrnet(g, x, classes, width, Style(se=se))

    build.__doc__ = f"""HRNet-W{width}-C: four resolutions side by side, the highest {width} channels wide.

    se: a squeeze-excite ends each residual branch, as in PaddleClas's SE_HRNet.
    """
    network(f"hrnet_w{width}")(build)


for _width in (18, 30, 32, 40, 44, 48, 64):
    _register(_width)
