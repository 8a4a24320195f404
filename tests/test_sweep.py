"""The designed set: every item is a network of the zoo, evenly spread, and none that is held out."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from calibration import networks
from calibration.sweep import CHANNELS, HALVES, LARGEST_ACCESS, LARGEST_MULT_ADDS, LEAST_ACCESS, NETWORKS, SIDES, sweep
from costmodel import zoo
from costmodel.kernels import fuse, runtime_of

HELD_OUT = ("shufflenet_v2", "mobilenet_v2", "mobilenet_v3", "mnasnet", "efficientnet", "squeezenet", "resnet",
            "googlenet", "densenet", "regnet")  # fmt: skip
ITEMS = sweep()
STACKS = [item for item in ITEMS if zoo.find(item.removeprefix("zoo:").partition(",")[0]).task == "block"]


def option(item: str, name: str) -> int | None:
    found = re.search(rf",{name}=(\d+)", item)
    return int(found[1]) if found else None


def test_the_same_seed_gives_the_same_set_and_another_one_another() -> None:
    assert sweep() == ITEMS
    assert len(set(ITEMS) & set(sweep(1))) < len(ITEMS) / 2


def test_every_item_is_named_as_a_data_csv_has_it() -> None:
    assert len(set(ITEMS)) == len(ITEMS)
    assert [networks.resolve(item, Path(), None, "") for item in ITEMS] == [(item, 1) for item in ITEMS]


def test_it_is_small_enough_for_ten_minutes() -> None:
    """Some hundred and fifty stacks of a few milliseconds, and networks of which none is large."""
    assert 120 <= len(STACKS) <= 180
    assert len(ITEMS) - len(STACKS) == len(NETWORKS) <= 30
    costs = [zoo.load(item).cost for item in STACKS]
    assert all(cost.mult_adds <= LARGEST_MULT_ADDS for cost in costs)
    assert all(LEAST_ACCESS <= cost.memory_access <= LARGEST_ACCESS for cost in costs)
    assert max(zoo.load(name).cost.mult_adds for name in NETWORKS) < 2e9


def test_no_network_is_of_a_family_that_is_held_out() -> None:
    whole = [name.partition(",")[0] for name in NETWORKS]
    assert not [name for name in whole if name.startswith(HELD_OUT)]


@pytest.mark.parametrize("kind", ["shufflenet_v2,c", "conv,c"])
def test_the_edges_of_alignment_are_in_it_one_by_one(kind: str) -> None:
    times = 2 if "shufflenet" in kind else 1
    for half in HALVES:
        extra = f",cout={half},kernel=1" if times == 1 else ""
        assert zoo.load(f"stack_{kind}={times * half}{extra}").name in ITEMS
    assert {half % 8 for half in HALVES} == {0, 2, 4, 6}


def test_options_are_drawn_over_their_whole_range() -> None:
    """Each quarter of the channels and each third of the sides has at least an eighth of the convolutions."""
    drawn = [item for item in ITEMS if item.startswith(("zoo:stack_conv", "zoo:stack_depthwise"))]
    channels = Counter(CHANNELS.index(option(item, "c") or 64) * 4 // len(CHANNELS) for item in drawn)
    sides = Counter(SIDES.index(option(item, "resolution") or 28) * 3 // len(SIDES) for item in drawn)
    assert set(channels) == {0, 1, 2, 3}
    assert set(sides) == {0, 1, 2}
    assert min(*channels.values(), *sides.values()) >= len(drawn) / 8


def test_kernels_of_every_kind_that_the_held_out_networks_have_are_measured_in_stacks() -> None:
    runtime = runtime_of("onnxruntime")

    def kinds(references: list[str]) -> set[object]:
        return {kernel.kind for reference in references for kernel in fuse(zoo.load(reference), runtime)}

    wanted = ["shufflenet_v2", "mobilenet_v3_large", "mnasnet", "efficientnet_b0", "squeezenet1_1", "resnet18",
              "googlenet", "densenet121", "regnet_y_400mf"]  # fmt: skip
    assert kinds(wanted) <= kinds(STACKS)
