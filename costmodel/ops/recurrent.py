"""Recurrent layers: LSTM, GRU, RNN.

Every step of every sequence multiplies its input and the hidden state by the weights of each gate:
mult_adds = directions x steps x gates x hidden x (input size + hidden), where steps is sequence length
times batch, or the sum of the sequence lengths where these are known.
"""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.dims import Dim, exact_div, same
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.composition import activation
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, setting, tensor

Names = tuple[str, ...]

_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
_INITIAL = (5, 6)  # initial states are data, also where exporters write zeros as a constant
_UNKNOWN_LENGTHS = "the sequence lengths are not known before the run; every sequence is counted at full length"


@dataclass(frozen=True, slots=True)
class Cell:
    """What one step of a recurrent layer computes.

    gates: weight matrices for the input, and as many for the hidden state.
    activations: by name, with how often a step applies each.
    ops: other operations a hidden unit: sums of the gates' two products, and the new state.
    states: tensors carried from step to step.
    """

    gates: int
    activations: tuple[tuple[str, int], ...]
    ops: int
    states: int


# Per hidden unit, biases apart. LSTM: 4 sums, f c + i g (3), o h(c) (1). GRU: 3 sums, the reset (1),
# (1 - z) h + z H (4). RNN: 1 sum.
_LSTM = Cell(4, (("Sigmoid", 3), ("Tanh", 1), ("Tanh", 1)), 8, 2)
_GRU = Cell(3, (("Sigmoid", 2), ("Tanh", 1)), 8, 1)
_RNN = Cell(1, (("Tanh", 1),), 1, 1)
_PEEPHOLES = 6  # three products and sums a hidden unit


def _layer(
    cell: Cell,
    x: TensorSpec,
    w: TensorSpec,
    r: TensorSpec,
    b: TensorSpec | None,
    sequence_lens: TensorSpec | None,
    peepholes: TensorSpec | None,
    activations: Names,
    direction: str,
    hidden_size: Dim | None,
    layout: int,
) -> Result:
    if direction not in _DIRECTIONS:
        raise ShapeError(f"direction is {direction!r}; it is one of {', '.join(_DIRECTIONS)}")
    first, second, features = dims(x, rank=3)
    length, batch = (second, first) if layout else (first, second)
    directions, rows, columns = dims(w, rank=3)
    same(directions, _DIRECTIONS[direction], f"directions of weight {w.name!r} and of a {direction} layer")
    same(columns, features, f"input size of weight {w.name!r} and of the input")
    hidden = exact_div(rows, cell.gates, f"rows of weight {w.name!r} for {cell.gates} gates")
    if hidden_size is not None:
        hidden = same(hidden, hidden_size, f"hidden size of weight {w.name!r} and hidden_size")
    for theirs, ours in zip(dims(r, rank=3), (directions, rows, hidden), strict=True):
        same(theirs, ours, f"recurrent weight {r.name!r} and weight {w.name!r}")
    steps, approximate = _steps(sequence_lens, length, batch)
    ops = cell.ops + (cell.gates if b is not None else 0) + (_PEEPHOLES if peepholes is not None else 0)
    element_ops = steps * hidden * (ops * _DIRECTIONS[direction])
    for name, times in _activations(cell, activations, _DIRECTIONS[direction]):
        applied = activation(name, TensorSpec((steps * hidden * times,), x.dtype))
        element_ops = element_ops + applied.element_ops
        approximate = approximate or applied.approximate
    state = (batch, directions, hidden) if layout else (directions, batch, hidden)
    every = (batch, length, directions, hidden) if layout else (length, directions, batch, hidden)
    outputs = (tensor(every, x.dtype), *(tensor(state, x.dtype) for _ in range(cell.states)))
    mult_adds = directions * steps * cell.gates * hidden * (features + hidden)
    no_params = dict.fromkeys(_INITIAL, 0)
    return Result(outputs, mult_adds=mult_adds, element_ops=element_ops, params=no_params, approximate=approximate)


def _steps(sequence_lens: TensorSpec | None, length: Dim, batch: Dim) -> tuple[Dim, str]:
    """Steps of all sequences of the batch together, and why they are not exact."""
    try:
        lengths = setting(sequence_lens)
    except UnknownShapeError:
        return length * batch, _UNKNOWN_LENGTHS
    if lengths is None:
        return length * batch, ""
    same(len(lengths), batch, "sequence_lens and the batch")
    total: Dim = 0
    for steps in lengths:
        if isinstance(steps, int) and isinstance(length, int) and not 0 <= steps <= length:
            raise ShapeError(f"sequence_lens holds {steps}; the sequences have {length} steps")
        total = total + steps
    return total, ""


def _activations(cell: Cell, names: Names, directions: int) -> list[tuple[str, int]]:
    """Each direction's activations, the defaults where none are named, with how often a step applies them."""
    default = tuple(name for name, _ in cell.activations)
    if len(names) == len(default) and directions > 1:
        names = names * directions  # runtimes take one list for both directions
    chosen = names or default * directions
    if len(chosen) != len(default) * directions:
        raise ShapeError(f"activations are {names}; {len(default)} are needed for each of {directions} directions")
    return [(name, cell.activations[i % len(default)][1]) for i, name in enumerate(chosen)]


@operator(
    "LSTM",
    example=example("S N I", "1 4*H I", "1 4*H H", "1 8*H"),
    settings=("sequence_lens",),
)
def lstm(
    x: TensorSpec,
    w: TensorSpec,
    r: TensorSpec,
    b: TensorSpec | None = None,
    sequence_lens: TensorSpec | None = None,
    initial_h: TensorSpec | None = None,
    initial_c: TensorSpec | None = None,
    peepholes: TensorSpec | None = None,
    /,
    *,
    activations: Names = (),
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
) -> Result:
    """mult_adds = directions x steps x 4 hidden x (input size + hidden); peepholes are element_ops."""
    return _layer(_LSTM, x, w, r, b, sequence_lens, peepholes, activations, direction, hidden_size, layout)


@operator(
    "GRU",
    example=example("S N I", "1 3*H I", "1 3*H H", "1 6*H"),
    settings=("sequence_lens",),
)
def gru(
    x: TensorSpec,
    w: TensorSpec,
    r: TensorSpec,
    b: TensorSpec | None = None,
    sequence_lens: TensorSpec | None = None,
    initial_h: TensorSpec | None = None,
    /,
    *,
    activations: Names = (),
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
) -> Result:
    """mult_adds = directions x steps x 3 hidden x (input size + hidden); linear_before_reset
    changes nothing."""
    return _layer(_GRU, x, w, r, b, sequence_lens, None, activations, direction, hidden_size, layout)


@operator(
    "RNN",
    example=example("S N I", "1 H I", "1 H H", "1 2*H"),
    settings=("sequence_lens",),
)
def rnn(
    x: TensorSpec,
    w: TensorSpec,
    r: TensorSpec,
    b: TensorSpec | None = None,
    sequence_lens: TensorSpec | None = None,
    initial_h: TensorSpec | None = None,
    /,
    *,
    activations: Names = (),
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
) -> Result:
    """mult_adds = directions x steps x hidden x (input size + hidden)."""
    return _layer(_RNN, x, w, r, b, sequence_lens, None, activations, direction, hidden_size, layout)


@operator(
    "DynamicQuantizeLSTM",
    domain="com.microsoft",
    example=example(
        "S N I",
        "1 I 4*H",
        "1 H 4*H",
        "1 8*H",
        None,
        None,
        None,
        None,
        "1",
        "1",
        "1",
        "1",
        dtypes={1: "int8", 2: "int8", 9: "int8", 11: "int8"},
    ),
    settings=("sequence_lens", "w_scale", "w_zero_point", "r_scale", "r_zero_point"),
)
def dynamic_quantize_lstm(
    x: TensorSpec,
    w: TensorSpec,
    r: TensorSpec,
    b: TensorSpec | None = None,
    sequence_lens: TensorSpec | None = None,
    initial_h: TensorSpec | None = None,
    initial_c: TensorSpec | None = None,
    peepholes: TensorSpec | None = None,
    w_scale: TensorSpec | None = None,
    w_zero_point: TensorSpec | None = None,
    r_scale: TensorSpec | None = None,
    r_zero_point: TensorSpec | None = None,
    /,
    *,
    activations: Names = (),
    direction: str = "forward",
    hidden_size: int | None = None,
) -> Result:
    """LSTM on 8-bit weights that are stored transposed; quantising inputs and states is 4
    operations an element."""
    turned = []
    for weight in (w, r):
        directions, columns, rows = dims(weight, rank=3)
        turned.append(TensorSpec((directions, rows, columns), weight.dtype, weight.name))
    w, r = turned
    result = _layer(_LSTM, x, w, r, b, sequence_lens, peepholes, activations, direction, hidden_size, 0)
    met = x.elements * _DIRECTIONS[direction] + result.outputs[0].elements
    return Result(
        result.outputs,
        mult_adds=result.mult_adds,
        element_ops=result.element_ops + 4 * met,
        approximate=result.approximate,
    )
