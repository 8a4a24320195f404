"""Dims that a model leaves free: assumed and said so, given, or fixed by the graph; and other batches than its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx_models import INT64, ints, model, node, save, scalar, value, weight

import costmodel
from costmodel import Analysis, ModelError, UsageError
from costmodel.cli import main
from costmodel.dims import is_symbolic, symbol
from costmodel.errors import ShapeError


def analyzed(content: onnx.ModelProto, folder: Path, **options: Any) -> Analysis:
    return costmodel.analyze(save(content, folder), **options)


def cnn(dims: Any = ("N", 3, "H", "W"), channels: int = 3) -> onnx.ModelProto:
    """conv 3x3 stride 2 to 8 channels, ReLU, global pooling, classes: it fits every size."""
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["c"], ["r"]),
        node("GlobalAveragePool", ["r"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "k"], ["y"]),
    ]
    return model(nodes, [value("x", dims)], [weight("w", 8, channels, 3, 3), weight("k", 8, 10)])


def mult_adds(n: int, h: int, w: int) -> int:
    """Of cnn: 27 for each of 8 channels at each place of a map half the size, rounded up; then 8 x 10."""
    return n * (-(-h // 2) * -(-w // 2) * 8 * 27 + 80)


# -- assumed and given


def test_free_dims_are_assumed_and_said_so(tmp_path: Path) -> None:
    analysis = analyzed(cnn(), tmp_path)
    assert analysis.notes == (
        "Sizes assumed: N = 1 (input 'x', axis 0), H = 224 (input 'x', axis 2), W = 224 (input 'x', axis 3); "
        "change them with --dim NAME=SIZE",
    )
    assert analysis.totals.mult_adds == mult_adds(1, 224, 224)
    tokens = analyzed(model([node("Relu", ["x"], ["y"])], [value("x", ("b", "s", 16))]), tmp_path)
    assert tokens.notes[0].startswith("Sizes assumed: b = 1 (input 'x', axis 0), s = 128 (input 'x', axis 1);")
    nameless = analyzed(model([node("Relu", ["x"], ["y"])], [value("x", (None, None))]), tmp_path)
    assert nameless.notes[0].startswith("Sizes assumed: x.0 = 1 (input 'x', axis 0), x.1 = 128 (input 'x', axis 1);")


def test_what_was_assumed_is_printed_in_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(save(cnn(), tmp_path))
    for form in ("text", "json", "markdown"):
        assert main(["analyze", path, "--format", form]) == 0
        assert "H = 224" in capsys.readouterr().out.replace("\\", "")


@pytest.mark.parametrize(
    ("dims", "sizes"),
    [
        (("N", 3, "H", "W"), (1, 3, 224, 224)),
        (("N", "H", "W", 3), (1, 224, 224, 3)),
        (("N", "H", "W", 1), (1, 224, 224, 1)),
        (("N", 1, "H", 3), (1, 1, 224, 3)),
        (("N", "C", "H", "W"), (1, 128, 224, 224)),
        (("N", "C", "T"), (1, 128, 128)),
        (("N", "C", "D", "H", "W"), (1, 128, 128, 128, 128)),
        ((None,), (1,)),
    ],
)
def test_images_are_recognised_by_their_channels(dims: Any, sizes: tuple[int, ...], tmp_path: Path) -> None:
    graph = analyzed(model([node("Relu", ["x"], ["y"])], [value("x", dims)]), tmp_path).graph
    assert graph.tensors["y"].shape == sizes


@pytest.mark.parametrize(
    "options",
    [
        {"dims": {"N": 4, "H": 65, "W": 33}},
        {"shapes": {"x": (4, 3, 65, 33)}},
        {"batch": 4, "dims": {"H": 65, "W": 33}},
        {"batch": 4, "shapes": {"x": (4, 3, 65, 33)}},
    ],
)
def test_given_sizes_are_taken_and_nothing_is_assumed(options: dict[str, Any], tmp_path: Path) -> None:
    analysis = analyzed(cnn(), tmp_path, strict_dims=True, **options)
    assert analysis.totals.mult_adds == mult_adds(4, 65, 33)
    assert analysis.notes == ()


def test_a_dim_of_two_inputs_is_one_dim(tmp_path: Path) -> None:
    content = model([node("Add", ["x", "z"], ["y"])], [value("x", ("N", "S")), value("z", ("N", "S"))])
    assert analyzed(content, tmp_path, dims={"S": 5}).graph.tensors["y"].shape == (1, 5)
    assert analyzed(content, tmp_path, shapes={"x": (2, 7)}).graph.tensors["z"].shape == (2, 7)
    with pytest.raises(UsageError, match="dim 'S' is given as 7 and"):
        analyzed(content, tmp_path, shapes={"x": (2, 7), "z": (2, 8)})


def test_sizes_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    for options, says in [
        ({"dims": {"Q": 3}}, r"no free dim of that name \(free dims: N, H, W\)"),
        ({"dims": {"N": -1}}, "not negative"),
        ({"dims": {"N": 1.5}}, "a size is an int"),
        ({"shapes": {"q": (1,)}}, r"no such input \(inputs: x\)"),
        (
            {"shapes": {"x": (1, 3, 8)}},
            r"--shape x=1x3x8: 3 dims are given, the input has 4 \(N, 3, H, W\); give a size for each",
        ),
        ({"batch": -2}, "not negative"),
        ({"strict_dims": True}, r"free: N \(input 'x', axis 0\), H .*, W .*; give each with --dim"),
        ({"strict_dims": True, "dims": {"N": 1, "H": 8}}, r"free: W \(input 'x', axis 3\)"),
    ]:
        with pytest.raises(costmodel.CostModelError, match=says):
            analyzed(cnn(), tmp_path, **options)
    with pytest.raises(UsageError, match="every dim is fixed"):
        analyzed(cnn((1, 3, 8, 8)), tmp_path, dims={"N": 3})


def test_a_negative_dim_in_the_file_is_refused_unless_given(tmp_path: Path) -> None:
    content = model([node("Relu", ["x"], ["y"])], [value("x", (-1, 3))])
    with pytest.raises(ModelError, match="axis 0 is -1"):
        analyzed(content, tmp_path)
    assert analyzed(content, tmp_path, shapes={"x": (2, 3)}).graph.tensors["y"].shape == (2, 3)


def test_an_input_without_a_shape_can_be_given_one(tmp_path: Path) -> None:
    content = model([node("MatMul", ["x", "w"], ["y"])], [value("x", None)], [weight("w", 6, 7)])
    unknown = analyzed(content, tmp_path)
    assert unknown.coverage.unknown == 1
    assert "give it with --shape x=..." in unknown.notes[0]
    known = analyzed(content, tmp_path, shapes={"x": (5, 6)})
    assert (known.coverage.unknown, known.totals.mult_adds) == (0, 5 * 6 * 7)


def test_an_input_whose_elements_steer_a_shape_can_be_given_them(tmp_path: Path) -> None:
    content = model([node("Reshape", ["x", "s"], ["y"])], [value("x", (4, 6)), value("s", (2,), INT64)])
    assert analyzed(content, tmp_path, values={"s": (8, -1)}).graph.tensors["y"].shape == (8, 3)
    count = [node("Range", ["zero", "n", "one"], ["y"])]
    content = model(count, [value("n", (), INT64)], [scalar("zero", 0), scalar("one", 1)])
    assert analyzed(content, tmp_path, values={"n": [12]}).graph.tensors["y"].shape == (12,)
    with pytest.raises(costmodel.CostModelError, match=r"2 dims are given|1 dims are given"):
        analyzed(content, tmp_path, values={"n": [1, 2]})


# -- other batches than the model's own


def test_batch_changes_a_fixed_leading_dim(tmp_path: Path) -> None:
    fixed = cnn((1, 3, 16, 16))
    assert analyzed(fixed, tmp_path, batch=8).totals.mult_adds == 8 * mult_adds(1, 16, 16)


@pytest.mark.parametrize("target", [(1, -1), (1, 4 * 64), (-1, 4 * 64), (0, -1)])
def test_batch_changes_targets_that_were_exported_for_one_image(target: tuple[int, ...], tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Reshape", ["c", "t"], ["f"]),
        node("MatMul", ["f", "k"], ["y"]),
    ]
    constants = [weight("w", 4, 3, 1, 1), ints("t", *target), weight("k", 4 * 64, 5)]
    analysis = analyzed(model(nodes, [value("x", (1, 3, 8, 8))], constants), tmp_path, batch=6)
    assert analysis.graph.tensors["y"].shape == (6, 5)
    assert analysis.totals.mult_adds == 6 * (64 * 3 * 4 + 4 * 64 * 5)
    assert analysis.totals.params == 12 + 4 * 64 * 5


def test_a_target_that_only_looks_like_a_batch_stays(tmp_path: Path) -> None:
    """A weight that is reshaped to 1 x ... is the same for every batch."""
    nodes = [node("Reshape", ["b", "t"], ["b4"]), node("Add", ["x", "b4"], ["y"])]
    constants = [weight("b", 3), ints("t", 1, 3, 1, 1)]
    graph = analyzed(model(nodes, [value("x", (1, 3, 8, 8))], constants), tmp_path, batch=5).graph
    assert graph.tensors["b4"].shape == (1, 3, 1, 1)
    assert graph.tensors["y"].shape == (5, 3, 8, 8)


def test_inputs_that_are_not_per_sample_keep_their_leading_dim(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "table"], ["y"])]
    content = model(nodes, [value("x", (1, 16)), value("table", (16, 4))])
    graph = analyzed(content, tmp_path, batch=3).graph
    assert graph.tensors["y"].shape == (3, 4)
    assert graph.tensors["table"].shape == (16, 4)


def test_a_batch_that_the_model_does_not_allow_is_explained(tmp_path: Path) -> None:
    content = model([node("Add", ["x", "z"], ["y"])], [value("x", (2, 3))], [weight("z", 2, 3)])
    with pytest.raises(ShapeError, match="fixes its batch at 2"):
        analyzed(content, tmp_path, batch=5)


# -- wishes that contradict each other or the file


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"batch": 8, "dims": {"batch": 4}}, "'batch' is given as 4 and as 8, with --dim batch and with --batch"),
        (
            {"shapes": {"x": (2, 3)}, "dims": {"batch": 4}},
            "'batch' is given as 4 and as 2, with --dim batch and with --shape x",
        ),
        ({"shapes": {"x": (2, 3)}, "batch": 8}, "given as 2 with --shape x and as 8 with --batch"),
    ],
)
def test_wishes_that_contradict_each_other_are_refused(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        analyzed(model([node("Relu", ["x"], ["y"])], [value("x", ("batch", 3))]), tmp_path, **options)


def test_a_shape_that_keeps_its_leading_dim_beside_a_batch_is_an_input_that_is_not_per_sample(tmp_path: Path) -> None:
    content = model([node("MatMul", ["x", "table"], ["y"])], [value("table", (16, 4)), value("x", (1, 16))])
    graph = analyzed(content, tmp_path, batch=3, shapes={"table": (16, 4)}).graph
    assert graph.tensors["y"].shape == (3, 4)
    alone = model([node("Relu", ["x"], ["y"])], [value("x", (1, 3))])
    with pytest.raises(UsageError, match="given as 1 with --shape x and as 8 with --batch"):
        analyzed(alone, tmp_path, batch=8, shapes={"x": (1, 3)})


def test_sizes_of_the_file_that_are_replaced_are_named(tmp_path: Path) -> None:
    fixed = cnn((1, 3, 8, 8))
    assert analyzed(fixed, tmp_path, batch=1).notes == ()
    assert analyzed(fixed, tmp_path, shapes={"x": (1, 3, 8, 8)}).notes == ()
    assert analyzed(fixed, tmp_path, batch=8).notes == ("Input 'x': the batch of 1 in the model is replaced by 8",)
    assert analyzed(fixed, tmp_path, shapes={"x": (1, 3, 9, 7)}).notes == (
        "Input 'x': dims that the model fixes are replaced: 8 by 9 (axis 2), 8 by 7 (axis 3)",
    )
    two = model([node("Add", ["x", "z"], ["y"])], [value("x", (1, 3)), value("z", (1, 3))])
    assert analyzed(two, tmp_path, batch=8).notes == ("Inputs 'x', 'z': the batch of 1 in the model is replaced by 8",)


def stated(*dims: int) -> onnx.ModelProto:
    """An operator that nobody knows, of 1x3x8x8, and what the file says of its output."""
    content = model([node("Odd", ["x"], ["o"]), node("Relu", ["o"], ["y"])])
    content.graph.value_info.append(value("o", dims))
    return content


def test_shapes_that_the_file_states_take_the_batch(tmp_path: Path) -> None:
    same = analyzed(stated(1, 3, 4, 4), tmp_path)
    assert (same.graph.tensors["y"].shape, same.notes) == ((1, 3, 4, 4), ())
    other = analyzed(stated(1, 3, 4, 4), tmp_path, batch=8)
    assert other.graph.tensors["y"].shape == (8, 3, 4, 4)
    assert other.notes[1:] == ("Where the file states a shape with the batch of 1, the batch of 8 is put in its place",)
    table = analyzed(stated(5, 4), tmp_path, batch=8)
    assert table.graph.tensors["y"].shape == (5, 4)
    assert len(table.notes) == 1


def test_shapes_that_the_file_states_are_not_used_for_other_sizes(tmp_path: Path) -> None:
    analysis = analyzed(stated(1, 3, 4, 4), tmp_path, shapes={"x": (1, 3, 16, 16)})
    assert analysis.graph.tensors["y"].shape is None
    assert analysis.graph.tensors["o"].dtype == "float32"
    assert analysis.coverage.unknown == 2
    assert analysis.notes[1:] == (
        "Shapes that the file states are not used: they were made for other sizes of the inputs",
    )


def test_an_input_of_no_elements_is_said_so(tmp_path: Path) -> None:
    empty = model([node("Relu", ["x"], ["y"])], [value("x", (0, 3))])
    assert analyzed(empty, tmp_path).notes == (
        "Input 'x' has a dim of 0, so nothing runs on it; give its shape with --shape x=...",
    )
    given = analyzed(empty, tmp_path, shapes={"x": (2, 3)})
    assert given.graph.tensors["y"].shape == (2, 3)
    assert given.notes == ("Input 'x': dims that the model fixes are replaced: 0 by 2 (axis 0)",)
    assert analyzed(empty, tmp_path, batch=4).graph.tensors["y"].shape == (4, 3)


def test_shapes_that_do_not_fit_point_to_the_options_that_were_given(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match=r"; check --shape x$"):
        analyzed(cnn(), tmp_path, shapes={"x": (1, 5, 8, 8)})


def test_no_message_lists_more_than_eight_dims(tmp_path: Path) -> None:
    inputs = [value(f"x{i}", (f"n{i}", 3)) for i in range(1000)]
    content = model([node("Relu", ["x0"], ["y"])], inputs)
    assert "n7 = 1 (input 'x7', axis 0), ... (1000 in all); change" in analyzed(content, tmp_path).notes[0]
    for options in ({"strict_dims": True}, {"dims": {"q": 1}}, {"shapes": {"q": (1,)}}):
        with pytest.raises(UsageError, match=r", \.\.\. \(1000 in all\)") as error:
            analyzed(content, tmp_path, **options)
        assert len(str(error.value)) < 500
    content.graph.node[0].CopyFrom(node("Gemm", ["x0", "x0"], ["y"]))
    with pytest.raises(ShapeError, match=r", \.\.\. \(999 in all\)"):
        analyzed(content, tmp_path, dims={"n0": 4})


# -- sizes that the graph fixes


def test_a_channel_dim_that_a_weight_fixes(tmp_path: Path) -> None:
    analysis = analyzed(cnn(("N", "C", "H", "W")), tmp_path)
    assert analysis.totals.mult_adds == mult_adds(1, 224, 224)
    assumed, solved = analysis.notes
    assert assumed.startswith("Sizes assumed: N = 1 (input 'x', axis 0), H = 224 (input 'x', axis 2), W")
    assert solved == "Sizes fixed by the graph: C = 3 (input 'x', axis 1)"


def test_a_dense_layer_fixes_the_size_of_the_image(tmp_path: Path) -> None:
    """LeNet on 28x28: two 5x5 convolutions, each halved, leave 4x4; 16 * 4 * 4 features enter the Gemm."""
    nodes = [
        node("Conv", ["x", "w1"], ["c1"]),
        node("MaxPool", ["c1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["p1", "w2"], ["c2"]),
        node("MaxPool", ["c2"], ["p2"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["p2"], ["f"]),
        node("Gemm", ["f", "k"], ["y"], transB=1),
    ]
    constants = [weight("w1", 6, 1, 5, 5), weight("w2", 16, 6, 5, 5), weight("k", 10, 256)]
    analysis = analyzed(model(nodes, [value("x", ("N", 1, "H", "W"))], constants), tmp_path)
    first, second = 24 * 24 * 6 * 25, 8 * 8 * 16 * 6 * 25
    assert analysis.totals.mult_adds == first + second + 2560
    assert analysis.notes[1] == "Sizes fixed by the graph: H = 28 (input 'x', axis 2), W = 28 (input 'x', axis 3)"


def test_a_past_and_a_sequence_make_a_total(tmp_path: Path) -> None:
    """A key cache: the mask's length is past + new, and the defaults (128 each) contradict that."""
    nodes = [
        node("Concat", ["past", "new"], ["keys"], axis=1),
        node("Transpose", ["keys"], ["kt"], perm=[0, 2, 1]),
        node("MatMul", ["new", "kt"], ["scores"]),
        node("Add", ["scores", "mask"], ["y"]),
    ]
    inputs = [value("past", (1, "past", 16)), value("new", (1, "seq", 16)), value("mask", (1, "seq", "total"))]
    content = model(nodes, inputs)
    analysis = analyzed(content, tmp_path)
    assert "Sizes fixed by the graph: total = 256 (input 'mask', axis 2)" in analysis.notes
    assert analysis.totals.mult_adds == 128 * 256 * 16
    given = analyzed(content, tmp_path, dims={"past": 10, "seq": 3})
    assert given.notes == ("Sizes fixed by the graph: total = 13 (input 'mask', axis 2)",)
    assert given.totals.mult_adds == 3 * 13 * 16


def test_sizes_that_were_given_are_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(ShapeError):
        analyzed(cnn(("N", "C", "H", "W")), tmp_path, dims={"C": 5})


def test_a_graph_that_no_size_fits_says_what_was_assumed(tmp_path: Path) -> None:
    content = model([node("Gemm", ["x", "x"], ["y"])], [value("x", ("a", "b", "c"))])
    with pytest.raises(
        ShapeError, match=r"2 dims are needed; sizes were assumed \(a = 1 .*\): give them with --dim NAME"
    ):
        analyzed(content, tmp_path)


# -- symbols


def test_a_symbolic_analysis_gives_the_formula_of_every_size(tmp_path: Path) -> None:
    formula = analyzed(cnn(), tmp_path, symbolic=True)
    assert formula.notes == ()
    names = (
        "mult_adds",
        "element_ops",
        "input_elements",
        "output_elements",
        "weight_elements",
        "params",
        "bytes",
        "memory_access",
    )
    assert is_symbolic(formula.totals.mult_adds)
    for sizes in ({"N": 1, "H": 224, "W": 224}, {"N": 3, "H": 17, "W": 90}, {"N": 2, "H": 1, "W": 1}):
        numbers = analyzed(cnn(), tmp_path, dims=sizes)
        bound = {symbol(name): size for name, size in sizes.items()}
        for ours, theirs in zip(formula.operators, numbers.operators, strict=True):
            for name in names:
                count = getattr(ours.cost, name)
                assert (count.subs(bound) if is_symbolic(count) else count) == getattr(theirs.cost, name)
        assert formula.totals.mult_adds.subs(bound) == mult_adds(**{k.lower(): v for k, v in sizes.items()})


def test_symbols_and_sizes_mix(tmp_path: Path) -> None:
    analysis = analyzed(cnn(), tmp_path, symbolic=True, dims={"H": 32, "W": 32})
    assert analysis.totals.mult_adds == symbol("N") * mult_adds(1, 32, 32)
    renamed = analyzed(cnn(), tmp_path, shapes={"x": ("b", 3, 32, 32)})
    assert renamed.totals.mult_adds == symbol("b") * mult_adds(1, 32, 32)


def test_a_symbolic_graph_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="input channels"):
        analyzed(cnn(("N", 5, "H", "W")), tmp_path, symbolic=True)
