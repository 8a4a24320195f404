"""What few networks have: random tensors, sequences, text, signals, classical models, training, boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from costmodel.dims import Dim
from costmodel.errors import ShapeError
from costmodel.graph import Counting, TensorSpec
from costmodel.ops import Applied, apply, as_value

ML, TRAINING = "ai.onnx.ml", "ai.onnx.preview.training"


def spec(*shape: Any, dtype: str = "float32", name: str = "x") -> TensorSpec:
    return TensorSpec(shape, dtype, name)


def values(*items: Any, dtype: str = "int64") -> TensorSpec:
    return TensorSpec((len(items),), dtype, "values", as_value(items))


def run(
    op_type: str,
    *inputs: TensorSpec | None,
    domain: str = "",
    outputs: int = 4,
    declared: Sequence[Any] = (),
    **attributes: Any,
) -> Applied:
    return apply(op_type, domain, inputs, attributes, [f"y{i}" for i in range(outputs)], declared)


def shapes(result: Applied) -> list[tuple[Dim, ...] | None]:
    return [out.shape for out in result.outputs]


class TestRandom:
    def test_a_drawn_tensor_is_no_constant(self) -> None:
        result = run("RandomNormal", shape=(2, 3, 5), dtype=10)
        assert (result.outputs[0].shape, result.outputs[0].dtype) == ((2, 3, 5), "float16")
        assert result.outputs[0].roots == ()
        assert result.cost.output_elements == 30

    def test_like_reads_no_element_of_its_input(self) -> None:
        assert run("RandomUniformLike", spec(3, 4)).cost.memory_access == 12
        assert run("Bernoulli", spec(3, 4)).cost.memory_access == 24

    def test_multinomial_draws_samples_for_each_row(self) -> None:
        result = run("Multinomial", spec(3, 10), sample_size=4)
        assert (result.outputs[0].shape, result.outputs[0].dtype) == ((3, 4), "int32")


class TestSequences:
    def test_references_move_nothing(self) -> None:
        pair = run("SequenceConstruct", spec(2, 3), spec(2, 3, name="z"))
        first = run("SequenceAt", pair.outputs[0], values(0))
        assert shapes(first) == [(2, 3)]
        assert pair.cost.memory_access == first.cost.memory_access == 0

    def test_elements_of_different_shapes_have_none_in_common(self) -> None:
        pair = run("SequenceConstruct", spec(2, 3), spec(2, 4, name="z"))
        assert shapes(pair) == [None]
        assert shapes(run("SequenceAt", pair.outputs[0], values(0), declared=[spec(2, 4)])) == [(2, 4)]

    @pytest.mark.parametrize(
        ("sizes", "keepdims", "part"),
        [
            (values(3, 3), 1, (2, 3)),
            (values(2, 4), 1, None),
            (TensorSpec((), "int64", "n", as_value(2)), 1, (2, 2)),
            (TensorSpec((), "int64", "n", as_value(4)), 1, None),  # 4 and 2
            (None, 1, (2, 1)),
            (None, 0, (2,)),
        ],
    )
    def test_split_to_sequence_copies_its_input(self, sizes: Any, keepdims: int, part: Any) -> None:
        result = run("SplitToSequence", spec(2, 6), sizes, axis=1, keepdims=keepdims)
        assert shapes(result) == [part]
        assert result.cost.memory_access == 24
        assert result.cost.bytes == 96

    def test_a_concatenation_of_unknown_length_is_as_declared_or_unknown(self) -> None:
        sequence = TensorSpec(None, "float32", "s")
        told = run("ConcatFromSequence", sequence, axis=0, declared=[spec(7, 3)])
        assert told.cost.memory_access == 42
        assert run("ConcatFromSequence", sequence, axis=0).counting is Counting.UNKNOWN

    def test_the_body_of_a_map_over_a_sequence_is_said_to_be_left_out(self) -> None:
        sequence = TensorSpec(None, "float32", "s")
        result = run("SequenceMap", sequence, outputs=2, declared=[None, spec(3)], body=None)
        assert shapes(result) == [None, (3,)]
        assert result.counting is Counting.APPROXIMATED

    def test_lengths_and_optionals(self) -> None:
        assert run("SequenceLength", TensorSpec(None, "float32", "s")).outputs[0].dtype == "int64"
        assert run("OptionalHasElement").outputs[0].dtype == "bool"
        assert shapes(run("OptionalGetElement", run("Optional", spec(2, 3)).outputs[0])) == [(2, 3)]


class TestText:
    def test_strings_join_broadcast(self) -> None:
        result = run("StringConcat", spec(3, 1, dtype="string"), spec(5, dtype="string", name="z"))
        assert shapes(result) == [(3, 5)]

    def test_parts_of_strings_are_at_most_one_more_than_splits(self) -> None:
        x = spec(3, 4, dtype="string")
        assert shapes(run("StringSplit", x, maxsplit=2)) == [(3, 4, 3), (3, 4)]
        assert run("StringSplit", x).counting is Counting.UNKNOWN
        assert shapes(run("StringSplit", spec(0, dtype="string"))) == [(0, 0), (0,)]
        assert shapes(run("StringSplit", x, declared=[spec(3, 4, 9, dtype="string")])) == [(3, 4, 9), (3, 4)]

    def test_tf_idf_has_a_column_for_each_coordinate(self) -> None:
        result = run(
            "TfIdfVectorizer",
            spec(3, 10, dtype="int64"),
            max_gram_length=3,
            max_skip_count=1,
            min_gram_length=2,
            ngram_indexes=(0, 6, 2),
        )
        assert shapes(result) == [(3, 7)]
        assert result.cost.element_ops == 3 * 10 * 2 * 2


class TestSignals:
    @pytest.mark.parametrize(
        ("size", "attributes", "expected"),
        [
            ((2, 10, 1), {}, (2, 10, 2)),
            ((2, 10, 1), {"onesided": 1}, (2, 6, 2)),
            ((2, 9, 2), {"inverse": 1}, (2, 9, 2)),
            ((2, 6, 2), {"inverse": 1, "onesided": 1}, (2, 10, 1)),
            ((2, 10, 7, 1), {"axis": 1}, (2, 10, 7, 2)),
        ],
    )
    def test_dft_shapes(self, size: Any, attributes: Any, expected: Any) -> None:
        assert shapes(run("DFT", spec(*size), **attributes)) == [expected]

    def test_the_axis_is_an_attribute_or_an_input(self) -> None:
        x = spec(2, 10, 7, 1)
        by_attribute = run("DFT", x, axis=1, onesided=1)
        by_input = run("DFT", x, None, values(1), onesided=1)
        assert shapes(by_attribute) == shapes(by_input) == [(2, 6, 7, 2)]
        assert by_attribute.cost.element_ops == by_input.cost.element_ops

    def test_a_transform_is_counted_by_its_definition(self) -> None:
        signals, length, count = 3, 5, 0
        for _ in range(signals):
            for _frequency in range(length):
                for _sample in range(length):
                    count += 8  # (a + bi)(c + di): four products, two sums; added to the total: two more
        result = run("DFT", spec(signals, length, 2))
        assert result.cost.element_ops == count
        assert result.cost.mult_adds == 0
        assert result.counting is Counting.APPROXIMATED

    def test_dft_length_pads_or_cuts_the_signal(self) -> None:
        assert shapes(run("DFT", spec(2, 10, 1), values(16))) == [(2, 16, 2)]

    def test_stft_frames_start_every_step_and_fit(self) -> None:
        starts = [s for s in range(0, 100, 7) if s + 16 <= 100]
        window = TensorSpec((16,), "float32", "w", roots=("w",))
        result = run("STFT", spec(2, 100, 1), values(7), window)
        assert shapes(result) == [(2, len(starts), 9, 2)]
        assert all(elements == 0 for _, elements in result.params)
        assert shapes(run("STFT", spec(2, 100, 1), values(7), None, values(16), onesided=0)) == [
            (2, len(starts), 16, 2)
        ]
        with pytest.raises(ShapeError, match="frame_step is 0"):
            run("STFT", spec(2, 100, 1), values(0))

    def test_windows_and_mel_weights_take_their_sizes_from_inputs(self) -> None:
        assert shapes(run("HannWindow", values(16))) == [(16,)]
        assert run("BlackmanWindow", values(16), output_datatype=11).outputs[0].dtype == "float64"
        mel = run("MelWeightMatrix", values(8), values(16), values(8192), values(0.0), values(4096.0))
        assert shapes(mel) == [(9, 8)]


class TestClassicalModels:
    def test_linear_models_are_matrix_products(self) -> None:
        rows, features, classes, count = 4, 3, 5, 0
        for _ in range(rows):
            for _class in range(classes):
                for _feature in range(features):
                    count += 1
        x, weights, labels = spec(rows, features), (0.5,) * (features * classes), tuple("abcde")
        classifier = run(
            "LinearClassifier",
            x,
            domain=ML,
            coefficients=weights,
            intercepts=(0.5,) * 5,
            classlabels_strings=labels,
        )
        assert classifier.cost.mult_adds == count
        assert classifier.cost.element_ops == rows * classes
        assert [(out.shape, out.dtype) for out in classifier.outputs] == [
            ((4,), "string"),
            ((4, 5), "float32"),
        ]
        regressor = run("LinearRegressor", x, domain=ML, coefficients=weights, targets=classes)
        assert regressor.cost.mult_adds == count
        assert shapes(regressor) == [(4, 5)]

    def test_two_classes_may_share_one_row_of_weights(self) -> None:
        result = run("LinearClassifier", spec(4, 3), domain=ML, coefficients=(0.5,) * 3, classlabels_ints=(0, 1))
        assert shapes(result) == [(4,), (4, 2)]
        assert result.cost.mult_adds == 12

    def test_weights_in_attributes_are_admitted(self) -> None:
        result = run("LinearRegressor", spec(4, 3), domain=ML, coefficients=(0.5,) * 3)
        assert result.counting is Counting.APPROXIMATED
        assert "attributes" in result.note

    def test_weights_that_do_not_fit_the_features_are_refused(self) -> None:
        with pytest.raises(ShapeError, match="rows of features"):
            run("LinearClassifier", spec(4, 3), domain=ML, coefficients=(0.5,) * 4, classlabels_ints=(0, 1))
        with pytest.raises(ShapeError, match="without features"):
            run("SVMRegressor", spec(4, 0), domain=ML, coefficients=(0.5,) * 4)

    @pytest.mark.parametrize(("classes", "scores", "probabilities"), [(2, 2, ()), (4, 6, ()), (4, 4, (0.5,) * 6)])
    def test_a_support_vector_machine_meets_every_vector_then_every_pair_of_classes(
        self, classes: int, scores: int, probabilities: Any
    ) -> None:
        rows, features, each = 3, 5, 2
        count = 0
        for _ in range(rows):
            count += classes * each * features  # kernels
            for a in range(classes):
                for _b in range(a + 1, classes):
                    count += 2 * each  # one weight for each vector of both classes
        vectors = classes * each
        result = run(
            "SVMClassifier",
            spec(rows, features),
            domain=ML,
            classlabels_ints=tuple(range(classes)),
            coefficients=(0.5,) * (vectors * (classes - 1)),
            support_vectors=(0.5,) * (vectors * features),
            prob_a=probabilities,
        )
        assert result.cost.mult_adds == count
        assert shapes(result) == [(rows,), (rows, scores)]

    def test_trees_are_bounded_by_their_nodes(self) -> None:
        result = run("TreeEnsembleRegressor", spec(4, 3), domain=ML, n_targets=2, nodes_nodeids=(0, 1, 2, 0, 1))
        assert shapes(result) == [(4, 2)]
        assert result.cost.element_ops == 20
        assert "upper bound" in result.note

    def test_tables_map_types(self) -> None:
        words = spec(4, 3, dtype="string")
        assert run("LabelEncoder", words, domain=ML, values_floats=(0.5,)).outputs[0].dtype == "float32"
        assert run("CategoryMapper", words, domain=ML).outputs[0].dtype == "int64"
        assert shapes(run("OneHotEncoder", words, domain=ML, cats_strings=("a", "b"))) == [(4, 3, 2)]

    def test_features_are_picked_and_joined(self) -> None:
        picked = run("ArrayFeatureExtractor", spec(4, 30), values(3, 7), domain=ML)
        assert shapes(picked) == [(4, 2)]
        assert picked.cost.input_elements == 8
        assert shapes(run("FeatureVectorizer", spec(4, 3), spec(4, 5, name="z"), domain=ML)) == [(4, 8)]
        assert run("ZipMap", spec(4, 3), domain=ML).cost.memory_access == 24

    def test_maps_become_tensors(self) -> None:
        entries = TensorSpec(None, "undefined", "map")
        assert shapes(run("DictVectorizer", entries, domain=ML, string_vocabulary=tuple("abc"))) == [(1, 3)]
        assert shapes(run("CastMap", entries, domain=ML, map_form="SPARSE", max_map=9)) == [(1, 9)]
        assert run("CastMap", entries, domain=ML).counting is Counting.UNKNOWN


class TestTraining:
    @pytest.mark.parametrize(("reduction", "loss"), [("none", (2, 5, 7)), ("mean", ()), ("sum", ())])
    def test_losses_reduce_or_keep_the_labels_shape(self, reduction: str, loss: tuple[int, ...]) -> None:
        scores, labels = spec(2, 3, 5, 7), spec(2, 5, 7, dtype="int64", name="labels")
        result = run("SoftmaxCrossEntropyLoss", scores, labels, reduction=reduction)
        assert shapes(result) == [loss, (2, 3, 5, 7)]
        assert shapes(run("NegativeLogLikelihoodLoss", scores, labels, reduction=reduction)) == [loss]

    def test_likelihood_reads_one_score_a_label(self) -> None:
        result = run("NegativeLogLikelihoodLoss", spec(2, 1000), spec(2, dtype="int64", name="labels"))
        assert result.cost.input_elements == 2 + 2

    def test_an_optimiser_returns_variables_then_states(self) -> None:
        rate, count = spec(name="r"), spec(dtype="int64", name="t")
        sizes = [(2, 3), (5,)]
        tensors = [spec(*size, name=f"{kind}{i}") for kind in "xgvh" for i, size in enumerate(sizes)]
        adam = run("Adam", rate, count, *tensors, domain=TRAINING, outputs=6)
        assert shapes(adam) == sizes * 3
        assert adam.cost.element_ops == 14 * (6 + 5)
        momentum = run("Momentum", rate, count, *tensors[:6], domain=TRAINING, outputs=4)
        assert shapes(momentum) == sizes * 2
        with pytest.raises(ShapeError, match="7 tensors are given"):
            run("Adam", rate, count, *tensors[:7], domain=TRAINING)

    def test_a_gradient_has_its_variables_shape_and_owns_up(self) -> None:
        result = run("Gradient", spec(2, 3), spec(5, name="z"), domain=TRAINING, outputs=1, xs=("a",), y="c")
        assert shapes(result) == [(2, 3)]
        assert result.counting is Counting.APPROXIMATED


class TestBoxes:
    def test_suppression_keeps_at_most_what_it_may(self) -> None:
        boxes, scores = spec(2, 100, 4), spec(2, 3, 100, name="scores")
        result = run("NonMaxSuppression", boxes, scores, values(10))
        assert shapes(result) == [(2 * 3 * 10, 3)]
        assert result.cost.element_ops == 14 * sum(1 for _ in np.ndindex(2, 3, 10, 100))
        assert result.counting is Counting.APPROXIMATED

    def test_suppression_never_keeps_more_than_there_are(self) -> None:
        boxes, scores = spec(1, 5, 4), spec(1, 1, 5, name="scores")
        assert shapes(run("NonMaxSuppression", boxes, scores, values(2**62))) == [(5, 3)]
        assert shapes(run("NonMaxSuppression", boxes, scores)) == [(0, 3)]

    def test_an_image_is_as_large_as_declared(self) -> None:
        stream = spec(1000, dtype="uint8")
        assert run("ImageDecoder", stream).counting is Counting.UNKNOWN
        told = run("ImageDecoder", stream, declared=[spec(30, 20, 3, dtype="uint8")])
        assert told.cost.bytes == 1000 + 1800
