"""Designs as PyTorch modules, and ShuffleNet V1 beside them.

For the designs of Table 5 the state_dict has torchvision's keys, in its order, and its shapes: weights that it
publishes load with load_state_dict.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from costmodel import zoo
from search.design import Design, Stage
from search.torch_units import Branch, activation, channel_shuffle, conv_bn, depthwise_bn, initialise


class ShuffleNetV2(nn.Module):
    """The network of a design: images (N, 3, H, W) to logits (N, classes), of any H and W.

    Its weights are drawn as the authors do (torch_units.initialise).
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        channels = (design.stem, *(stage.channels for stage in design.stages))
        self.conv1 = nn.Sequential(*conv_bn(3, design.stem, 3, 2), activation(design.act))
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(*_units(old, stage, design)) for old, stage in zip(channels, design.stages, strict=False)
        )
        self.conv5 = nn.Sequential(*conv_bn(channels[-1], design.head), activation(design.act))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(design.head, design.classes)
        initialise(self, first="conv1")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.conv1(x))
        x = self.stage4(self.stage3(self.stage2(x)))
        x = self.avgpool(self.conv5(x))
        logits: torch.Tensor = self.fc(x.flatten(1))
        return logits


def _units(old: int, stage: Stage, design: Design) -> Iterator[nn.Module]:
    """The units of a stage that reads `old` channels."""
    yield DownUnit(old, stage, design.act)
    for _ in range(stage.units - 1):
        yield BasicUnit(stage, design.act, design.residual)


class DownUnit(nn.Module):
    """Figure 3d: both branches read the whole input and halve its sides."""

    def __init__(self, old: int, stage: Stage, act: str) -> None:
        super().__init__()
        left = stage.channels - stage.branch
        self.branch1 = nn.Sequential(*depthwise_bn(old, stage.kernel, 2), *conv_bn(old, left), activation(act))
        self.branch2 = Branch(old, stage.branch, stage.kernel, 2, act, se=stage.se, residual=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return channel_shuffle(torch.cat((self.branch1(x), self.branch2(x)), 1), 2)


class BasicUnit(nn.Module):
    """Figure 3c: some channels pass through, the others go through the branch."""

    def __init__(self, stage: Stage, act: str, residual: bool) -> None:
        super().__init__()
        self._parts = [stage.channels - stage.branch, stage.branch]
        self.branch2 = Branch(stage.branch, stage.branch, stage.kernel, 1, act, se=stage.se, residual=residual)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = torch.split(x, self._parts, 1)
        return channel_shuffle(torch.cat((left, self.branch2(right)), 1), 2)


class ShuffleNetV1(nn.Module):
    """`zoo:shufflenet_v1,groups=..,width=..,classes=..`: images (N, 3, H, W) to logits (N, classes).

    Its state_dict has the names and shapes of the zoo's weights; they are drawn as the authors do. Raises UsageError
    for groups that Table 1 of its paper has not.
    """

    def __init__(self, groups: int = 3, width: float = 1.0, classes: int = 1000) -> None:
        super().__init__()
        graph = zoo.build("shufflenet_v1", groups=groups, width=width, classes=classes)
        weights = {name: spec.shape for name, spec in graph.tensors.items() if name.endswith(".weight")}
        made = {name: shape[0] for name, shape in weights.items() if shape and isinstance(shape[0], int)}
        channels = made["conv1.0.weight"]
        self.conv1 = nn.Sequential(*conv_bn(3, channels, 3, 2), nn.ReLU(inplace=True))
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for number in (2, 3, 4):
            stage = nn.Sequential()
            while (place := f"stage{number}.{len(stage)}") + ".conv1.weight" in made:
                inner, last = (made[f"{place}.{layer}.weight"] for layer in ("conv1", "conv3"))
                first_groups = 1 if place == "stage2.0" else groups
                unit = UnitV1(channels, inner, last, first_groups, groups, down=len(stage) == 0)
                stage.append(unit)
                channels = unit.channels
            self.add_module(f"stage{number}", stage)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes, bias=False)
        initialise(self, first="conv1")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.conv1(x))
        for number in (2, 3, 4):
            x = self.get_submodule(f"stage{number}")(x)
        logits: torch.Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits


class UnitV1(nn.Module):
    """Figure 2 of the V1 paper.

    old, inner, made: channels that the branch reads, has between its convolutions and makes. first_groups, groups: of
    its first and of its last convolution. down: halves the sides, and its output has the input's channels, pooled,
    before those of the branch; otherwise the input is added to the branch's.
    """

    def __init__(self, old: int, inner: int, made: int, first_groups: int, groups: int, down: bool) -> None:
        super().__init__()
        self.channels = old + made if down else made
        self._groups = first_groups
        self.conv1, self.bn1 = conv_bn(old, inner, groups=first_groups)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2, self.bn2 = depthwise_bn(inner, 3, 2 if down else 1)
        self.conv3, self.bn3 = conv_bn(inner, made, groups=groups)
        self.avgpool = nn.AvgPool2d(3, stride=2, padding=1) if down else None
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        if self._groups > 1:
            y = channel_shuffle(y, self._groups)
        y = self.bn3(self.conv3(self.bn2(self.conv2(y))))
        joined: torch.Tensor = self.relu(x + y if self.avgpool is None else torch.cat((self.avgpool(x), y), 1))
        return joined
