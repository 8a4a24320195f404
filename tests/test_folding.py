"""Arithmetic on shapes: every folded value is what onnx's reference evaluator computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_models import save, value

from costmodel.columns import Column
from costmodel.cost import Cost
from costmodel.dims import is_symbolic, symbol
from costmodel.frontends import onnx as frontend
from costmodel.graph import Graph, TensorSpec
from costmodel.ops import apply, as_value

FLOAT, INT64, BOOL, UINT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8
LAST, FIRST = 2**63 - 1, -(2**63)


class Chain:
    """A graph that starts at an image x, written operator by operator. Numbers stand for constants."""

    def __init__(self, *size: int | str) -> None:
        self.inputs = [value("x", size)]
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, op_type: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Add an operator; returns the name of its output, or of each."""
        names = [item if isinstance(item, str) else self._constant(item) for item in inputs]
        written = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op_type, names, written, **attributes))
        return written[0] if outputs == 1 else written

    def _constant(self, items: Any) -> str:
        array = np.asarray(items)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def model(self, *outputs: str) -> Any:
        infos = [helper.make_value_info(name, helper.make_tensor_type_proto(0, None)) for name in outputs]
        graph = helper.make_graph(self.nodes, "chain", self.inputs, infos, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chains")


def loaded(chain: Chain, folder: Path, *outputs: str, **wishes: Any) -> Graph:
    return frontend.load(save(chain.model(*outputs), folder), frontend.Wishes(**wishes))


def computed(chain: Chain, *outputs: str) -> list[Any]:
    """The values of tensors in a run on an x of zeros."""
    dims = [dim.dim_value for dim in chain.inputs[0].type.tensor_type.shape.dim]
    with np.errstate(all="ignore"):
        return list(ReferenceEvaluator(chain.model(*outputs)).run(None, {"x": np.zeros(dims, np.float32)}))


def gathered(chain: Chain, dim: int, tensor: str = "x") -> str:
    """One dim of a tensor as a vector of one element, as torch's exporter asks for it."""
    number: str = chain("Gather", chain("Shape", tensor), dim, axis=0)
    return str(chain("Unsqueeze", number, [0]))


# Each chain gives the name of the tensor that it is about.


def flatten(chain: Chain) -> str:
    target = chain("Concat", gathered(chain, 0), [-1], axis=0)
    return str(chain("Reshape", "x", target))


def channel_shuffle(chain: Chain) -> str:
    n, h, w = (gathered(chain, dim) for dim in (0, 2, 3))
    channels = chain("Gather", chain("Shape", "x"), 1, axis=0)
    each = chain("Unsqueeze", chain("Div", channels, 2), [0])
    grouped = chain("Reshape", "x", chain("Concat", n, [2], each, h, w, axis=0))
    mixed = chain("Transpose", grouped, perm=[0, 2, 1, 3, 4])
    return str(chain("Reshape", mixed, chain("Concat", n, [-1], h, w, axis=0)))


def chunk(chain: Chain) -> str:
    """The second half of the channels, as torch's TorchScript exporter writes x.chunk(2, dim=1)[1]."""
    channels = chain("Gather", chain("Shape", "x"), [1], axis=0)
    each = chain("Div", chain("Add", channels, [1]), 2)
    start, end = chain("Mul", each, 1), chain("Mul", each, 2)
    return str(chain("Slice", "x", start, end, [1]))


def pad(chain: Chain) -> str:
    """F.pad(x, (1, 2, 3, 4)): torch pads the last dim first, ONNX all begins and then all ends."""
    missing = chain("Sub", chain("Mul", chain("Shape", chain("Shape", "x")), [2]), [4])
    rest = chain("ConstantOfShape", missing, value=helper.make_tensor("fill", INT64, [1], [0]))
    pairs = chain("Reshape", chain("Concat", [1, 2, 3, 4], rest, axis=0), [-1, 2])
    turned = chain("Transpose", chain("Slice", pairs, [-1], [FIRST], [0], [-1]), perm=[1, 0])
    return str(chain("Pad", "x", chain("Cast", chain("Reshape", turned, [-1]), to=INT64), 0.0))


def upsample(chain: Chain) -> str:
    """Twice the spatial size by way of floats."""
    size = chain("Cast", chain("Slice", chain("Shape", "x"), [2], [4], [0]), to=FLOAT)
    larger = chain("Cast", chain("Floor", chain("Mul", size, 2.0)), to=INT64)
    scales = chain("Concat", chain("Slice", chain("Shape", "x"), [0], [2]), larger, axis=0)
    return str(chain("Resize", "x", "", "", scales, mode="nearest"))


def expand(chain: Chain) -> str:
    """x[:, :1].expand(-1, 7, -1, -1): -1 is replaced by 1, which keeps the dim."""
    wanted = np.array([-1, 7, -1, -1])
    ones = chain("ConstantOfShape", [4], value=helper.make_tensor("fill", INT64, [1], [1]))
    keeps = chain("Equal", wanted, chain("Mul", ones, -1))
    first = chain("Slice", "x", [0], [1], [1])
    return str(chain("Expand", first, chain("Where", keeps, ones, wanted)))


def positions(chain: Chain) -> str:
    """A column for each element of the last dim: Range over a dim, reshaped and expanded."""
    width = chain("Gather", chain("Shape", "x"), 3)
    places = chain("Unsqueeze", chain("Range", 0, width, 1), [0])
    return str(chain("Expand", places, chain("Concat", gathered(chain, 0), gathered(chain, 3), axis=0)))


def crop(chain: Chain) -> str:
    """The last rows: as many as half the columns, rounded up, by negative bounds."""
    width = chain("Cast", chain("Gather", chain("Shape", "x"), [3]), to=FLOAT)
    half = chain("Cast", chain("Ceil", chain("Div", width, 2.0)), to=INT64)
    return str(chain("Slice", "x", chain("Neg", half), [LAST], [2]))


def windows(chain: Chain) -> str:
    """Windows of 2 x 2 that are padded to fit: (2 - size % 2) % 2 elements are missing."""
    missing = [
        chain("Mod", chain("Sub", 2, chain("Mod", chain("Gather", chain("Shape", "x"), [dim]), 2)), 2) for dim in (2, 3)
    ]
    padded = chain("Pad", "x", chain("Concat", [0, 0, 0, 0, 0, 0], *missing, axis=0))
    rows, columns = (chain("Div", gathered(chain, dim, padded), 2) for dim in (2, 3))
    n, c = gathered(chain, 0), gathered(chain, 1)
    return str(chain("Reshape", padded, chain("Concat", n, c, rows, [2], columns, [2], axis=0)))


def rows_of_pixels(chain: Chain) -> str:
    size = chain("Split", chain("Shape", "x"), [2, 2], outputs=2)
    pixels = chain("ReduceProd", size[1], keepdims=1)
    return str(chain("Reshape", "x", chain("Concat", size[0], pixels, axis=0)))


CHAINS: list[Callable[[Chain], str]] = [
    flatten, channel_shuffle, chunk, pad, upsample, expand, positions, crop, windows, rows_of_pixels,
]  # fmt: skip
SIZES = [(2, 6, 7, 5), (1, 3, 8, 10), (3, 2, 5, 4)]
RUNS = [(write, size) for write in CHAINS for size in SIZES if write is not channel_shuffle or size[1] % 2 == 0]


@pytest.mark.parametrize(("write", "size"), RUNS, ids=lambda item: getattr(item, "__name__", str(item)))
def test_chains_of_exporters_give_the_shape_of_the_run(
    write: Callable[[Chain], str], size: tuple[int, ...], folder: Path
) -> None:
    chain = Chain(*size)
    name = write(chain)
    graph = loaded(chain, folder, name)
    assert graph.tensors[name].shape == computed(chain, name)[0].shape
    arithmetic = [node for node in graph.nodes if graph.tensors[node.outputs[0]].value is not None]
    assert arithmetic
    assert sum((node.cost for node in arithmetic), Cost()) == Cost()


@pytest.mark.parametrize("write", CHAINS, ids=lambda chain: chain.__name__)
def test_free_dims_pass_through_as_a_formula(write: Callable[[Chain], str], folder: Path) -> None:
    """What the formula gives for numbers is what the graph with these numbers gives."""
    chain = Chain("N", 6, "H", "W")
    name = write(chain)
    formula = loaded(chain, folder, name, symbolic=True).tensors[name].shape
    assert formula is not None
    for n, h, w in ((2, 8, 6), (3, 7, 5), (1, 16, 12)):
        fixed = Chain(n, 6, h, w)
        numbers = {symbol("N"): n, symbol("H"): h, symbol("W"): w}
        found = tuple(int(dim.subs(numbers)) if is_symbolic(dim) else dim for dim in formula)
        assert found == loaded(fixed, folder, write(fixed)).tensors[name].shape


# -- single operators


@dataclass(frozen=True)
class Case:
    """One operator on constants, a TensorProto type for its output apart."""

    op_type: str
    inputs: tuple[Any, ...]
    attributes: dict[str, Any]


def case(op_type: str, *inputs: Any, **attributes: Any) -> Case:
    return Case(op_type, inputs, attributes)


FLOATS = [7.5, -7.5, 0.25, -2.0, 3.0]
INTS = [7, -7, 8, -1, 3]
CASES = [
    case("Div", INTS, [2, 2, -3, 2, -5]),  # toward zero, whatever the signs
    case("Div", FLOATS, [2.0, 2.0, -3.0, 0.5, -5.0]),
    case("Mod", INTS, [2, 2, -3, 2, -5]),
    case("Mod", INTS, [2, 2, -3, 2, -5], fmod=1),
    case("Mod", FLOATS, [2.0, 2.0, -3.0, 0.75, -5.0], fmod=1),
    case("Mul", [10, 20, 30, 13.0], 0.7),
    case("Pow", [2, 3, -4], 3),
    case("Pow", [2.0, 9.0], 0.5),
    case("Pow", [2, 10], 0.5),
    case("Sqrt", [2.0, 9.0, 0.25]),
    case("Neg", INTS),
    case("Abs", INTS),
    case("Relu", FLOATS),
    case("Floor", FLOATS),
    case("Ceil", FLOATS),
    case("Min", FLOATS, [1.5], [-2.5]),
    case("Max", FLOATS, [1.5], [-2.5]),
    case("Max", INTS, [3]),
    case("Sum", INTS, [3], [-4]),
    case("ReduceMax", FLOATS),
    case("ReduceMin", FLOATS, keepdims=0),
    case("ReduceSum", INTS, keepdims=0),
    case("ReduceProd", INTS),
    case("Cast", FLOATS, to=INT64),
    case("Cast", [0.0, 2.5], to=BOOL),
    case("Cast", [True, False], to=FLOAT),
    case("Not", [True, False]),
    case("And", [True, False], [True, True]),
    case("Or", [True, False], [False, False]),
    case("Equal", INTS, [7, 7, 8, 1, 3]),
    case("Equal", FLOATS, [7.5]),
    case("Less", FLOATS, [0.25]),
    case("LessOrEqual", INTS, [3]),
    case("Greater", INTS, [3]),
    case("GreaterOrEqual", INTS, [3]),
    case("Where", [True, False, True], [1, 2, 3], [[4], [5]]),
    case("Range", 5, -4, -2),
    case("Range", 1.0, 2.0, 0.3),
    case("Range", 3, 3, 1),
    case("Gather", INTS, [-1, 0]),
    case("Gather", [[1, 2], [3, 4]], 1, axis=1),
    case("Gather", [[1, 2], [3, 4]], [[1], [0]], axis=-1),
    case("Slice", INTS, [-1], [FIRST], [0], [-2]),
    case("Slice", INTS, [1], [LAST]),
    case("Slice", [[1, 2, 3], [4, 5, 6]], [0], [-1], [-1]),
    case("Slice", [[1, 2, 3], [4, 5, 6]], [2, 1], [0, 5], [1, 0], [-1, 1]),
    case("Concat", [1, 2], [3], axis=0),
    case("Concat", [[1, 2]], [[3, 4]], axis=-1),
    case("Tile", [1, 2], [3]),
    case("Expand", [[1], [2]], [2, 1, 3]),
    case("Transpose", [[1, 2, 3], [4, 5, 6]]),
    case("Reshape", [1, 2, 3, 4], [2, -1]),
    case("Squeeze", [[[3]]], [0, 1]),
    case("Unsqueeze", 3, [0]),
    case("Identity", INTS),
    case("Flatten", [[[1, 2]], [[3, 4]]]),
    case("ScatterND", INTS, [[0], [3]], [100, 200]),
    case("ConstantOfShape", [2, 2], value=helper.make_tensor("fill", FLOAT, [1], [1.5])),
    case("ConstantOfShape", [0]),
    case("Size", [[1, 2, 3]]),
    case("Shape", [[1, 2, 3]], start=-1),
    case("Shape", [[1, 2, 3]], start=-5, end=1),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.op_type}-{case.attributes or ''}")
def test_every_operator_folds_to_what_the_reference_computes(case: Case, folder: Path) -> None:
    chain = Chain(1)
    name = chain(case.op_type, *case.inputs, **case.attributes)
    graph = loaded(chain, folder, name)
    [theirs] = computed(chain, name)
    assert_same(graph.tensors[name], theirs)
    if graph.tensors[name].dtype in ("int32", "int64", "bool"):
        assert graph.cost == Cost()  # arithmetic on floats of the file alone counts as it stands


def assert_same(ours: TensorSpec, theirs: Any) -> None:
    assert ours.value is not None
    assert ours.shape == theirs.shape
    assert ours.dtype == str(theirs.dtype)
    np.testing.assert_array_equal(ours.value.astype(theirs.dtype), theirs)
    if theirs.dtype.kind == "i":
        assert all(type(item) is int for item in ours.value.flat)


@pytest.mark.parametrize(
    "case",
    [
        case("Div", INTS, [0]),
        case("Mul", [2**40], [2**40]),
        case("Mul", np.array([2**20], np.int32), np.array([2**20], np.int32)),
        case("Cast", [300], to=UINT8),
        case("Cast", [float("nan")], to=INT64),
        case("Cast", [1e30], to=INT64),
        case("Sqrt", [-1.0]),
        case("ScatterND", INTS, [[0], [3]], [100, 200], reduction="add"),
        case("Gather", INTS, [9]),
        case("ReduceMax", [[1, 2], [3, 4]], axes=[0]),
    ],
    ids=lambda case: case.op_type,
)
def test_what_has_no_exact_value_is_left_to_the_run(case: Case, folder: Path) -> None:
    chain = Chain(1)
    name = chain(case.op_type, *case.inputs, **case.attributes)
    assert loaded(chain, folder, name).tensors[name].value is None


def test_floats_are_rounded_as_the_run_rounds_them(folder: Path) -> None:
    """In float32, 10 x 0.7 is 7; the float32 next to 0.7 times 10 is a little less than 7."""
    assert int(10 * float(np.float32(0.7))) == 6
    for scale in (0.7, 0.1, 0.3, 1 / 3, 1.1):
        chain = Chain(1, 3, 10, 30)
        size = chain("Cast", chain("Shape", "x"), to=FLOAT)
        name = chain("Cast", chain("Floor", chain("Mul", size, scale)), to=INT64)
        assert_same(loaded(chain, folder).tensors[name], computed(chain, name)[0])


def test_a_scale_next_to_a_free_dim_is_the_fraction_that_was_meant(folder: Path) -> None:
    chain = Chain(1, 3, "H", "W")
    size = chain("Cast", chain("Slice", chain("Shape", "x"), [2], [4]), to=FLOAT)
    name = chain("Cast", chain("Floor", chain("Mul", size, [0.7, 1 / 3])), to=INT64)
    height, width = loaded(chain, folder, symbolic=True).tensors[name].value
    assert [int(height.subs({symbol("H"): h})) for h in (9, 10, 20)] == [6, 7, 14]
    assert [int(width.subs({symbol("W"): w})) for w in (8, 9, 30)] == [2, 3, 10]


def test_a_condition_on_a_free_dim_is_decided_only_where_it_must_be() -> None:
    n = symbol("N")
    free = TensorSpec((1,), "int64", "free", as_value([n]))

    def compared(op_type: str, other: Any) -> Any:
        known = TensorSpec((1,), "int64", "known", as_value([other]))
        value = apply(op_type, "", [free, known], {}, ["y"]).outputs[0].value
        return None if value is None else value[0]

    assert compared("Equal", -1) is False
    assert compared("Equal", n) is True
    assert compared("Equal", 1) is None
    assert compared("Equal", symbol("M")) is None
    assert compared("Less", 1) is False
    assert compared("Less", 5) is None


def test_designs_of_a_population_are_not_compared() -> None:
    column = TensorSpec((1,), "int64", "column", as_value([Column(np.array([1, 2]))]))
    one = TensorSpec((1,), "int64", "one", as_value([1]))
    assert apply("Equal", "", [column, one], {}, ["y"]).outputs[0].value is None


def test_a_range_may_run_backwards_over_a_free_dim() -> None:
    n = symbol("N")
    inputs = [TensorSpec((), "int64", name, as_value(item)) for name, item in (("a", n - 1), ("b", -1), ("c", -2))]
    length = apply("Range", "", inputs, {}, ["y"]).outputs[0].shape
    assert length is not None
    assert [length[0].subs({n: size}) for size in (1, 4, 5)] == [len(range(size - 1, -1, -2)) for size in (1, 4, 5)]


# -- random chains

_BINARY = ["Add", "Sub", "Mul", "Div", "Mod", "Min", "Max"]


@st.composite
def steps(draw: Any) -> list[tuple[str, int, int, int]]:
    """Operators by name, with the places of two earlier tensors and a number for their settings."""
    names = st.sampled_from([*_BINARY, "Neg", "Abs", "Where", "Gather", "Slice", "Floats", "Total"])
    return draw(st.lists(st.tuples(names, *[st.integers(0, 50)] * 3), min_size=3, max_size=12))


def grown(drawn: list[tuple[str, int, int, int]]) -> tuple[Chain, list[str]]:
    """A chain of the drawn steps over vectors of three int64; every vector that it makes."""
    chain = Chain(1, 3, 7, 5)
    pool = [
        chain("Slice", chain("Shape", "x"), [1], [4]),
        chain("Identity", [-3, 2, 11]),
        chain("Identity", [4, -9, 1]),
    ]
    for op_type, first, second, number in drawn:
        a, b = pool[first % len(pool)], pool[second % len(pool)]
        if op_type in _BINARY:
            made = chain(op_type, a, b)
        elif op_type == "Where":
            made = chain("Where", chain("LessOrEqual", a, b), b, a)
        elif op_type == "Gather":
            made = chain("Gather", a, [number % 3, -1 - number % 2, 0])
        elif op_type == "Slice":
            made = chain("Slice", a, [-1], [FIRST], [0], [-1])
        elif op_type == "Total":
            made = chain("Add", chain("ReduceSum", a, [0]), b)
        elif op_type == "Floats":
            scaled = chain("Mul", chain("Cast", a, to=FLOAT), [0.7, 1.5, number / 8])
            made = chain("Cast", chain(["Floor", "Ceil", "Relu"][number % 3], scaled), to=INT64)
        else:
            made = chain(op_type, a)
        pool.append(made)
    return chain, pool


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps())
def test_random_chains_fold_to_what_the_reference_computes(
    folder: Path, drawn: list[tuple[str, int, int, int]]
) -> None:
    chain, pool = grown(drawn)
    graph = loaded(chain, folder, *pool)
    known = [name for name in pool if graph.tensors[name].value is not None]
    for name, theirs in zip(known, computed(chain, *known), strict=True):
        assert_same(graph.tensors[name], theirs)
    assert len(known) > 3
