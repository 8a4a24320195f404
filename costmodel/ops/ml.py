"""Operators of the ai.onnx.ml domain: classical models, and tables of features.

Their weights stand in attributes, not in tensors, and count neither as parameters nor as memory access;
models with weights say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costmodel.dims import Dim, as_dim, equal, exact_div, same
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, declared_output, dims, elementwise, tensor

_DOMAIN = "ai.onnx.ml"
_IN_ATTRIBUTES = "weights stand in attributes: neither params nor memory access has them"

Floats = tuple[float, ...]
Items = tuple[Any, ...]


def _rows(x: TensorSpec) -> tuple[Dim, Dim]:
    """Examples and features; a vector is one example."""
    shape = dims(x, at_least=1)
    if len(shape) == 1:
        return 1, shape[0]
    rows, features = dims(x, rank=2)
    return rows, features


def _check_weights(count: int, features: Dim) -> None:
    if equal(features, 0):
        raise ShapeError(f"{count} weights are given for examples without features")
    exact_div(count, features, "weights in rows of features")


def _labels(integers: Items, strings: Items) -> tuple[int, str]:
    """How many classes there are, and the type of their labels."""
    return (len(strings), "string") if strings else (len(integers), "int64")


def _model(
    x: TensorSpec, outputs: Sequence[TensorSpec], mult_adds: Dim, element_ops: Dim, post_transform: str | int
) -> Result:
    """A post transform is one operation for each score."""
    if post_transform not in ("NONE", 0):
        element_ops = element_ops + outputs[-1].elements
    return Result(tuple(outputs), mult_adds=mult_adds, element_ops=element_ops, approximate=_IN_ATTRIBUTES)


@operator(
    "LinearClassifier",
    domain=_DOMAIN,
    example=example("N 4", coefficients=(0.5,) * 12, intercepts=(0.5,) * 3, classlabels_ints=(0, 1, 2)),
)
def linear_classifier(
    x: TensorSpec,
    /,
    *,
    classlabels_ints: Items = (),
    classlabels_strings: Items = (),
    coefficients: Floats,
    intercepts: Floats = (),
    post_transform: str = "NONE",
) -> Result:
    """mult_adds = rows x coefficients; an intercept is one operation a row."""
    rows, features = _rows(x)
    _check_weights(len(coefficients), features)
    classes, dtype = _labels(classlabels_ints, classlabels_strings)
    outputs = (tensor((rows,), dtype), tensor((rows, classes), "float32"))
    return _model(x, outputs, rows * len(coefficients), rows * len(intercepts), post_transform)


@operator(
    "LinearRegressor",
    domain=_DOMAIN,
    example=example("N 4", coefficients=(0.5,) * 8, intercepts=(0.5,) * 2, targets=2),
)
def linear_regressor(
    x: TensorSpec,
    /,
    *,
    coefficients: Floats = (),
    intercepts: Floats = (),
    post_transform: str = "NONE",
    targets: int = 1,
) -> Result:
    """mult_adds = rows x targets x features; an intercept is one operation a row."""
    rows, features = _rows(x)
    same(features * targets, len(coefficients), "features x targets, and coefficients")
    outputs = (tensor((rows, as_dim(targets, "targets")), "float32"),)
    return _model(x, outputs, rows * targets * features, rows * len(intercepts), post_transform)


@operator(
    "SVMClassifier",
    domain=_DOMAIN,
    example=example(
        "N 3",
        classlabels_ints=(0, 1, 2),
        coefficients=(0.5,) * 12,
        support_vectors=(0.5,) * 18,
        vectors_per_class=(2, 2, 2),
    ),
)
def svm_classifier(
    x: TensorSpec,
    /,
    *,
    classlabels_ints: Items = (),
    classlabels_strings: Items = (),
    coefficients: Floats = (),
    post_transform: str = "NONE",
    prob_a: Floats = (),
    support_vectors: Floats = (),
) -> Result:
    """mult_adds = rows x (entries of support vectors + coefficients): a product with each support vector,
    then a weighted sum of these kernels for each pair of classes.

    Scores are one a pair of classes where there are support vectors and no probabilities, as in ONNX Runtime.
    """
    rows, features = _rows(x)
    _check_weights(len(support_vectors) or len(coefficients), features)
    classes, dtype = _labels(classlabels_ints, classlabels_strings)
    scores = classes * (classes - 1) // 2 if support_vectors and not prob_a and classes > 2 else classes
    outputs = (tensor((rows,), dtype), tensor((rows, scores), "float32"))
    return _model(x, outputs, rows * (len(support_vectors) + len(coefficients)), 0, post_transform)


@operator(
    "SVMRegressor",
    domain=_DOMAIN,
    example=example("N 3", coefficients=(0.5,) * 4, support_vectors=(0.5,) * 12),
)
def svm_regressor(
    x: TensorSpec,
    /,
    *,
    coefficients: Floats = (),
    post_transform: str = "NONE",
    support_vectors: Floats = (),
) -> Result:
    """mult_adds = rows x (entries of the support vectors + coefficients)."""
    rows, features = _rows(x)
    _check_weights(len(support_vectors) or len(coefficients), features)
    outputs = (tensor((rows, 1), "float32"),)
    return _model(x, outputs, rows * (len(support_vectors) + len(coefficients)), 0, post_transform)


def _trees(x: TensorSpec, outputs: Sequence[TensorSpec], nodes: int) -> Result:
    return Result(
        tuple(outputs),
        element_ops=_rows(x)[0] * nodes,
        approximate=f"paths through trees depend on data: every node, an upper bound; {_IN_ATTRIBUTES}",
    )


@operator(
    "TreeEnsembleClassifier",
    domain=_DOMAIN,
    example=example("N 3", classlabels_int64s=(0, 1), nodes_nodeids=(0, 1, 2)),
)
def tree_ensemble_classifier(
    x: TensorSpec,
    /,
    *,
    classlabels_int64s: Items = (),
    classlabels_strings: Items = (),
    nodes_nodeids: Items = (),
) -> Result:
    """element_ops = rows x nodes of all trees, an upper bound."""
    classes, dtype = _labels(classlabels_int64s, classlabels_strings)
    rows = _rows(x)[0]
    return _trees(x, (tensor((rows,), dtype), tensor((rows, classes), "float32")), len(nodes_nodeids))


@operator("TreeEnsembleRegressor", domain=_DOMAIN, example=example("N 3", n_targets=2, nodes_nodeids=(0, 1, 2)))
def tree_ensemble_regressor(x: TensorSpec, /, *, n_targets: int = 1, nodes_nodeids: Items = ()) -> Result:
    """element_ops = rows x nodes of all trees, an upper bound."""
    out = tensor((_rows(x)[0], as_dim(n_targets, "n_targets")), "float32")
    return _trees(x, (out,), len(nodes_nodeids))


@operator("TreeEnsemble", domain=_DOMAIN, example=example("N 3", n_targets=2, nodes_featureids=(0, 1, 2)))
def tree_ensemble(x: TensorSpec, /, *, n_targets: int = 1, nodes_featureids: Items) -> Result:
    """element_ops = rows x inner nodes of all trees, an upper bound."""
    out = tensor((_rows(x)[0], as_dim(n_targets, "n_targets")), x.dtype)
    return _trees(x, (out,), len(nodes_featureids))


@operator("Binarizer", domain=_DOMAIN, example=example("N F"))
def binarizer(x: TensorSpec, /) -> Result:
    """element_ops = elements."""
    return elementwise(x)


@operator("Imputer", domain=_DOMAIN, example=example("N F"))
def imputer(x: TensorSpec, /) -> Result:
    """element_ops = elements: each is compared with the value that marks a missing one."""
    return elementwise(x)


@operator("Scaler", domain=_DOMAIN, example=example("N F"))
def scaler(x: TensorSpec, /) -> Result:
    """element_ops = 2 x elements: an offset and a scale."""
    return elementwise(x, ops=2, dtype="float32")


@operator("Normalizer", domain=_DOMAIN, example=example("N F"))
def normalizer(x: TensorSpec, /) -> Result:
    """element_ops = 3 x elements: a magnitude, its sum or maximum, a division."""
    return elementwise(x, ops=3, dtype="float32")


@operator(
    "LabelEncoder",
    domain=_DOMAIN,
    example=example("N F", keys_strings=("a", "b"), values_int64s=(0, 1), dtypes={0: "string"}),
)
def label_encoder(
    x: TensorSpec,
    /,
    *,
    values_floats: Items = (),
    values_int64s: Items = (),
    values_strings: Items = (),
    values_tensor: TensorSpec | None = None,
) -> Result:
    """element_ops = elements: a look-up each. Version 1 has one table, from strings to integers and back."""
    if values_tensor is not None:
        return elementwise(x, dtype=values_tensor.dtype)
    for values, dtype in ((values_floats, "float32"), (values_int64s, "int64"), (values_strings, "string")):
        if values:
            return elementwise(x, dtype=dtype)
    return _mapped(x)


def _mapped(x: TensorSpec) -> Result:
    return elementwise(x, dtype="int64" if x.dtype == "string" else "string")


@operator("CategoryMapper", domain=_DOMAIN, example=example("N F", dtypes={0: "string"}))
def category_mapper(x: TensorSpec, /) -> Result:
    """element_ops = elements: a look-up each, from strings to integers or back."""
    return _mapped(x)


@operator("OneHotEncoder", domain=_DOMAIN, example=example("N F", cats_int64s=(0, 1, 2)))
def one_hot_encoder(x: TensorSpec, /, *, cats_int64s: Items = (), cats_strings: Items = ()) -> Result:
    """element_ops = elements: a look-up each."""
    categories, _ = _labels(cats_int64s, cats_strings)
    return Result((tensor((*dims(x), categories), "float32"),), element_ops=x.elements)


@operator(
    "ArrayFeatureExtractor",
    domain=_DOMAIN,
    example=example("N F", "1 K", dtypes={1: "int64"}),
    settings=("indices",),
)
def array_feature_extractor(x: TensorSpec, indices: TensorSpec, /) -> Result:
    """Only the chosen features are read, and written."""
    shape = dims(x, at_least=1)
    out = tensor((*(shape[:-1] or (1,)), indices.elements), x.dtype)
    return Result((out,), reads={0: out.elements})


@operator("FeatureVectorizer", domain=_DOMAIN, example=example("N F", "N G"))
def feature_vectorizer(*tensors: TensorSpec) -> Result:
    """element_ops = elements, each made a float."""
    if not tensors:
        raise ShapeError("no inputs are given; FeatureVectorizer needs at least one")
    rows, total = _rows(tensors[0])
    for spec in tensors[1:]:
        others, features = _rows(spec)
        rows, total = same(rows, others, "rows of the inputs"), total + features
    out = tensor((rows, total), "float32")
    return Result((out,), element_ops=out.elements)


@operator("ZipMap", domain=_DOMAIN, example=example("N 2", classlabels_int64s=(0, 1)))
def zip_map(x: TensorSpec, /) -> Result:
    """Every element is read, and written beside its key."""
    return Result((TensorSpec(None, x.dtype),), writes={0: x.elements})


@operator("DictVectorizer", domain=_DOMAIN, example=example("K", string_vocabulary=("a", "b", "c")), any_shape=True)
def dict_vectorizer(
    x: TensorSpec,
    /,
    *,
    int64_vocabulary: Items = (),
    string_vocabulary: Items = (),
    declared: Declared = (),
) -> Result:
    """element_ops = vocabulary: a look-up for each word of it."""
    words, _ = _labels(int64_vocabulary, string_vocabulary)
    spec = declared[0] if declared else None
    out = tensor((1, words), x.dtype if spec is None else spec.dtype)
    return Result((out,), element_ops=words, reads={0: words}, approximate="maps hold at most their vocabulary")


@operator("CastMap", domain=_DOMAIN, example=example("K", map_form="SPARSE", max_map=8), any_shape=True)
def cast_map(
    x: TensorSpec,
    /,
    *,
    cast_to: str = "TO_FLOAT",
    map_form: str = "DENSE",
    max_map: int = 1,
    declared: Declared = (),
) -> Result:
    """element_ops = output elements."""
    dtype = {"TO_FLOAT": "float32", "TO_INT64": "int64", "TO_STRING": "string"}.get(cast_to)
    if dtype is None:
        raise ShapeError(f"cast_to is {cast_to!r}; it is TO_FLOAT, TO_INT64 or TO_STRING")
    if map_form == "SPARSE":
        out = tensor((1, as_dim(max_map, "max_map")), dtype)
    else:
        why = UnknownShapeError(f"how many entries the map {x.name!r} has is unknown")
        out = TensorSpec(declared_output(declared, 0, why).shape, dtype)
    return Result((out,), element_ops=out.elements, reads={0: out.elements})
