"""Recurrent layers, counted against plain loops over their equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from costmodel.errors import ShapeError
from costmodel.graph import Counting, TensorSpec
from costmodel.ops import Applied, apply, as_value

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
LENGTH, BATCH, FEATURES, HIDDEN = 5, 3, 4, 6
LENGTHS = (5, 0, 2)


def spec(name: str, *shape: int, dtype: str = "float32", constant: bool = False) -> TensorSpec:
    return TensorSpec(shape, dtype, name, roots=(name,) if constant else ())


def known(name: str, values: tuple[int, ...]) -> TensorSpec:
    return TensorSpec((len(values),), "int32", name, as_value(values), (name,))


def layer(
    kind: str,
    direction: str = "forward",
    layout: int = 0,
    lengths: TensorSpec | None = None,
    bias: bool = True,
    peepholes: bool = False,
    **attributes: Any,
) -> Applied:
    directions, rows = 2 if direction == "bidirectional" else 1, GATES[kind] * HIDDEN
    x = (BATCH, LENGTH, FEATURES) if layout else (LENGTH, BATCH, FEATURES)
    inputs = [
        spec("x", *x),
        spec("w", directions, rows, FEATURES, constant=True),
        spec("r", directions, rows, HIDDEN, constant=True),
        spec("b", directions, 2 * rows, constant=True) if bias else None,
        lengths,
    ]
    if peepholes:
        inputs += [None, None, spec("p", directions, 3 * HIDDEN, constant=True)]
    attributes = {"direction": direction, "layout": layout, "hidden_size": HIDDEN, **attributes}
    return apply(kind, "", inputs, attributes, ["y", "y_h", "y_c"])


def loop_count(kind: str, directions: int, lengths: tuple[int, ...]) -> int:
    """Multiply-accumulates of W x + R h, one at a time."""
    count = 0
    for _direction in range(directions):
        for steps in lengths:
            for _step in range(steps):
                for _row in range(GATES[kind] * HIDDEN):
                    for _column in range(FEATURES):
                        count += 1
                    for _column in range(HIDDEN):
                        count += 1
    return count


@pytest.mark.parametrize("layout", [0, 1])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", GATES)
def test_every_step_multiplies_input_and_state_by_every_gate(kind: str, direction: str, layout: int) -> None:
    directions = 2 if direction == "bidirectional" else 1
    result = layer(kind, direction, layout)
    assert result.cost.mult_adds == loop_count(kind, directions, (LENGTH,) * BATCH)
    assert result.counting is Counting.COUNTED
    every, state = result.outputs[0].shape, result.outputs[1].shape
    if layout:
        assert (every, state) == ((BATCH, LENGTH, directions, HIDDEN), (BATCH, directions, HIDDEN))
    else:
        assert (every, state) == ((LENGTH, directions, BATCH, HIDDEN), (directions, BATCH, HIDDEN))
    assert len(result.outputs) == (3 if kind == "LSTM" else 2)


@pytest.mark.parametrize("kind", GATES)
def test_known_sequence_lengths_are_counted_exactly(kind: str) -> None:
    result = layer(kind, "bidirectional", lengths=known("lengths", LENGTHS))
    assert result.cost.mult_adds == loop_count(kind, 2, LENGTHS)
    assert result.counting is Counting.COUNTED


@pytest.mark.parametrize("kind", GATES)
def test_unknown_sequence_lengths_are_counted_in_full_and_said_to_be(kind: str) -> None:
    result = layer(kind, lengths=spec("lengths", BATCH, dtype="int32"))
    assert result.cost.mult_adds == loop_count(kind, 1, (LENGTH,) * BATCH)
    assert result.counting is Counting.APPROXIMATED
    assert "sequence lengths" in result.note


def test_sequence_lengths_are_no_parameters() -> None:
    result = layer("LSTM", lengths=known("lengths", LENGTHS))
    assert [name.name for name, _ in result.params] == ["w", "r", "b"]
    weights = 4 * HIDDEN * (FEATURES + HIDDEN + 2)
    assert result.cost.weight_elements == weights


UNITS = LENGTH * BATCH * HIDDEN
SIGMOID, TANH = 4, 1


@pytest.mark.parametrize(
    ("kind", "per_unit"),
    [
        ("LSTM", 4 + 3 * SIGMOID + TANH + 3 + TANH + 1),  # sums, i f o, c, f C + i c, h(C), o h
        ("GRU", 3 + 2 * SIGMOID + 1 + TANH + 4),  # sums, z r, reset, h, (1 - z) h + z H
        ("RNN", 1 + TANH),
    ],
)
def test_activations_and_state_updates_are_element_ops(kind: str, per_unit: int) -> None:
    assert layer(kind, bias=False).cost.element_ops == UNITS * per_unit
    assert layer(kind, bias=True).cost.element_ops == UNITS * (per_unit + GATES[kind])
    assert layer(kind, "bidirectional", bias=False).cost.element_ops == 2 * UNITS * per_unit


def test_peepholes_are_element_ops_and_no_mult_adds() -> None:
    plain, peeping = layer("LSTM"), layer("LSTM", peepholes=True)
    assert peeping.cost.mult_adds == plain.cost.mult_adds
    assert peeping.cost.element_ops - plain.cost.element_ops == 6 * UNITS


def test_linear_before_reset_changes_no_mult_adds() -> None:
    assert layer("GRU", linear_before_reset=1).cost == layer("GRU").cost


def test_named_activations_replace_the_defaults_of_each_direction() -> None:
    given = layer("RNN", "bidirectional", bias=False, activations=("Relu", "Sigmoid")).cost.element_ops
    assert given == UNITS * (1 + 1) + UNITS * (1 + SIGMOID)
    scaled = layer("RNN", bias=False, activations=("ScaledTanh",)).cost.element_ops
    assert scaled == UNITS * (1 + 3)


def test_an_activation_that_nobody_knows_is_approximated() -> None:
    result = layer("RNN", activations=("Squiggle",))
    assert result.counting is Counting.APPROXIMATED
    assert "'Squiggle'" in result.note


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"direction": "sideways"}, "direction is 'sideways'"),
        ({"hidden_size": 7}, "hidden_size"),
        ({"activations": ("Tanh",)}, "3 are needed"),
        ({"lengths": known("lengths", (9, 1, 1))}, "holds 9"),
        ({"lengths": known("lengths", (1, 1))}, "sequence_lens and the batch"),
    ],
)
def test_a_layer_that_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        layer("LSTM", **changes)


def test_weights_for_another_direction_are_refused() -> None:
    inputs = [spec("x", 5, 3, 4), spec("w", 1, 24, 4), spec("r", 1, 24, 6)]
    with pytest.raises(ShapeError, match="bidirectional"):
        apply("LSTM", "", inputs, {"direction": "bidirectional"}, ["y"])


def test_quantised_lstm_counts_the_mult_adds_of_the_plain_one() -> None:
    rows = 4 * HIDDEN
    inputs = [
        spec("x", LENGTH, BATCH, FEATURES),
        spec("w", 2, FEATURES, rows, dtype="int8", constant=True),
        spec("r", 2, HIDDEN, rows, dtype="int8", constant=True),
        *[None] * 5,
        *(spec(f"s{i}", 2, dtype="int8" if i % 2 else "float32", constant=True) for i in range(4)),
    ]
    outputs = ["y", "y_h", "y_c"]
    result = apply("DynamicQuantizeLSTM", "com.microsoft", inputs, {"direction": "bidirectional"}, outputs)
    assert result.cost.mult_adds == loop_count("LSTM", 2, (LENGTH,) * BATCH)
    assert [s.shape for s in result.outputs] == [s.shape for s in layer("LSTM", "bidirectional").outputs]
    assert [name.name for name, _ in result.params] == ["w", "r"]
    assert np.prod([2, FEATURES + HIDDEN, rows]) + 8 == result.cost.weight_elements
