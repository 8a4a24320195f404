"""A design learns: handwritten digits, on one core in less than a minute.

    pip install 'cnn-costmodel[torch]' scikit-learn
    python examples/train_a_design.py [DESIGN.json] [--epochs N]

The images are the 1,797 digits that scikit-learn ships (load_digits), 8x8 pixels of 17 greys; a quarter of them is kept
for the test. ShuffleNet V2 halves the sides five times, so that 8 pixels would be gone half-way: each becomes a square
of 8x8 equal ones, and an image of 64x64 arrives at conv5 with 2x2. Without DESIGN.json it is Table 5's 0.5x at a third
of its width.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import search

ZOOM = 8
SIDE = 8 * ZOOM
CLASSES = 10
SMALLER = ((16, 4), (32, 8), (64, 4))  # channels and units of the stages
BATCH = 32
RATE = 0.01  # of Adam at its highest; warmed up, then annealed to nothing

Data = tuple[torch.Tensor, torch.Tensor]


def narrow() -> search.Design:
    """Table 5's 0.5x at a third of its width."""
    second, third, fourth = (search.Stage(channels, channels // 2, units) for channels, units in SMALLER)
    return search.Design(8, (second, third, fourth), 128)


def digits() -> tuple[Data, Data]:
    """Images (N, 3, 64, 64), black -1 and white 1, and their digits (N,): to learn from, and to be tested with."""
    pixels, labels = load_digits(return_X_y=True)
    grey = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 8 - 1
    images = nn.functional.interpolate(grey, scale_factor=ZOOM).expand(-1, 3, -1, -1)
    learnt, tested = train_test_split(range(len(labels)), test_size=0.25, random_state=0, stratify=labels)
    known = torch.tensor(labels)
    return (images[learnt], known[learnt]), (images[tested], known[tested])


def train(network: nn.Module, data: Data, epochs: int) -> None:
    """Adam with one cycle of its rate; the order of the images is drawn anew each epoch."""
    images, labels = data
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    steps = epochs * (len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    network.train()
    for epoch in range(epochs):
        total = 0.0
        batches = torch.randperm(len(labels))[: len(labels) // BATCH * BATCH].reshape(-1, BATCH)
        for batch in batches:
            loss = nn.functional.cross_entropy(network(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1} of {epochs}: loss {total / len(batches):.3f}", flush=True)


@torch.inference_mode()
def accuracy(network: nn.Module, data: Data) -> float:
    """The share of images whose digit is told right."""
    images, labels = data
    network.eval()
    right = sum(
        int((network(part).argmax(1) == told).sum())
        for part, told in zip(images.split(256), labels.split(256), strict=True)
    )
    return right / len(labels)


def main(arguments: Sequence[str] | None = None) -> float:
    """Train a design and print its accuracy; gives it."""
    parser = argparse.ArgumentParser(description="Train a design on handwritten digits.")
    parser.add_argument("design", nargs="?", help="a file of `costmodel search` (default: a narrow ShuffleNet V2 0.5x)")
    parser.add_argument("--epochs", type=int, default=12)
    options = parser.parse_args(arguments)
    design = search.load_design(options.design) if options.design else narrow()
    design = replace(design, resolution=SIDE, classes=CLASSES)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = search.ShuffleNetV2(design)
    learnt, tested = digits()
    print(f"{sum(weight.numel() for weight in network.parameters()):,} parameters, {len(learnt[1])} images", flush=True)
    train(network, learnt, options.epochs)
    share = accuracy(network, tested)
    print(f"accuracy on {len(tested[1])} images that it never saw: {share:.1%}")
    return share


if __name__ == "__main__":
    main()
