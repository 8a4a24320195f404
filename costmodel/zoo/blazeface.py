"""BlazeFace (Bazarevsky et al., 2019, arXiv 1907.05047).

MediaPipe's face detector for front cameras. Layers are named as in hollance/BlazeFace-PyTorch.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import equal
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of
from costmodel.zoo.registry import network

# Output channels and stride of each block; the published network has single blocks only.
_FINE = ((24, 1), (28, 1), (32, 2), (36, 1), (42, 1), (48, 2), (56, 1), (64, 1), (72, 1), (80, 1), (88, 1))
_COARSE = ((96, 2), (96, 1), (96, 1), (96, 1), (96, 1))

_COORDINATES = 16  # of an anchor: a box and 6 keypoints


def blaze_block(g: GraphBuilder, x: TensorSpec, channels: int, stride: int) -> TensorSpec:
    """Figure 1, left: 3x3 depthwise and 1x1 convolution, and a shortcut of pooling and zero channels."""
    inputs = channels_of(x)
    y = g.pad(x, (0, 0, 0, 0, 0, 0, 2, 2)) if stride == 2 else x
    y = g.depthwise(y, stride=stride, padding=0 if stride == 2 else 1, bias=True, name="convs.0")
    y = g.conv(y, channels, bias=True, name="convs.1")
    if stride == 2:
        x = g.max_pool(x, 2, stride=2, ceil_mode=True)
    if not equal(inputs, channels):
        x = g.pad(x, (0, 0, 0, 0, 0, channels - inputs, 0, 0), "pad_channels")
    return g.relu(g.add(y, x), "act")


def _predict(g: GraphBuilder, x: TensorSpec, anchors: int, features: int, name: str) -> TensorSpec:
    """A 1x1 convolution to `features` numbers for each of a position's anchors; as rows."""
    x = g.conv(x, anchors * features, bias=True, name=name)
    batch = (x.shape or ())[0]
    return g.reshape(g.transpose(x, (0, 2, 3, 1)), (batch, -1, features))


@network("blazeface", task="detection", resolution=128, smallest=2)
def blazeface(g: GraphBuilder, x: TensorSpec, *, heads: bool = True) -> TensorSpec | tuple[TensorSpec, TensorSpec]:
    """BlazeFace: boxes with keypoints, and scores, of 2 anchors a position at stride 8 and 6 at stride 16.

    heads=false ends with the features at stride 16; so does the network that ncnn measures.
    """
    with g.scope("backbone1"):
        x = g.pad(x, (0, 0, 1, 1, 0, 0, 2, 2))
        x = g.relu(g.conv(x, 24, 5, stride=2, padding=0, bias=True, name="0"), "1")
        for index, (channels, stride) in enumerate(_FINE, start=2):
            with g.scope(str(index)):
                x = blaze_block(g, x, channels, stride)
    fine = x
    with g.scope("backbone2"):
        for index, (channels, stride) in enumerate(_COARSE):
            with g.scope(str(index)):
                x = blaze_block(g, x, channels, stride)
    if not heads:
        return x
    scores = [_predict(g, fine, 2, 1, "classifier_8"), _predict(g, x, 6, 1, "classifier_16")]
    boxes = [_predict(g, fine, 2, _COORDINATES, "regressor_8"), _predict(g, x, 6, _COORDINATES, "regressor_16")]
    return g.concat(boxes, name="boxes"), g.concat(scores, name="scores")
