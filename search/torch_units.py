"""What ShuffleNet V1 and V2 are built of in PyTorch.

Modules are named as the zoo's layers, so that a network's state_dict has the names of its graph's weights.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "hard_swish": nn.Hardswish, "swish": nn.SiLU}


def activation(act: str) -> nn.Module:
    """The activation of a design's `act`; it overwrites what it reads."""
    return ACTIVATIONS[act](inplace=True)


def conv_bn(old: int, new: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> tuple[nn.Module, nn.Module]:
    """Convolution from old to new channels, without bias, that keeps the size at stride 1; batch normalisation."""
    padding = kernel // 2
    return nn.Conv2d(old, new, kernel, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(new)


def depthwise_bn(channels: int, kernel: int, stride: int) -> tuple[nn.Module, nn.Module]:
    """As conv_bn, with one group a channel."""
    return conv_bn(channels, channels, kernel, stride, groups=channels)


def channel_shuffle(x: torch.Tensor, groups: int) -> torch.Tensor:
    """(N, C, H, W) with the channels of `groups` groups interleaved (ShuffleNet V1, Section 3.1)."""
    batch, channels, height, width = x.shape
    grouped = x.reshape(batch, groups, channels // groups, height, width)
    return grouped.transpose(1, 2).reshape(batch, channels, height, width)


class SqueezeExcite(nn.Module):
    """Each channel times a gate that all channels' means give; between its convolutions are as many channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels, 1)
        self.activation = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(channels, channels, 1)
        self.scale_activation = nn.Sigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.fc2(self.activation(self.fc1(self.avgpool(x))))
        scaled: torch.Tensor = x * self.scale_activation(gate)
        return scaled


class Branch(nn.Sequential):
    """The right branch of a unit (Figure 3): 1x1, depthwise and 1x1 convolution, then what its variant adds.

    old, new: channels that it reads and makes. residual: adds what it reads, and only then comes the activation, as
    in the large network that the authors published (megvii-model/ShuffleNet-Series, ShuffleNetV2.Large).
    """

    def __init__(self, old: int, new: int, kernel: int, stride: int, act: str, *, se: bool, residual: bool) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        inner: Sequence[nn.Module] = (
            *conv_bn(old, new),
            activation(act),
            *depthwise_bn(new, kernel, stride),
            *conv_bn(new, new),
        )
        layers.update({str(index): layer for index, layer in enumerate(inner)})
        last = str(len(layers))
        if not residual:
            layers[last] = activation(act)
        if se:
            layers["se"] = SqueezeExcite(new)
        if residual:
            layers[last] = activation(act)
        super().__init__(layers)
        self._residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        *first, last = self
        y = x
        for layer in first:
            y = layer(y)
        result: torch.Tensor = last(y + x if self._residual else y)
        return result


def initialise(network: nn.Module, first: str) -> None:
    """Draw a network's weights as its authors do (megvii-model/ShuffleNet-Series, _initialize_weights).

    Convolutions normally distributed with deviation 1 / (channels that each of their groups reads); dense layers,
    those of a squeeze-excite among them, and the module called `first` with 0.01; biases 0. Batch normalisations
    scale by 1 and shift by 0.0001.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.bias, 0.0001)
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        dense = isinstance(module, nn.Linear) or module.bias is not None
        deviation = 0.01 if dense or name.startswith(f"{first}.") else 1 / module.weight.shape[1]
        nn.init.normal_(module.weight, 0, deviation)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
