"""Strings. Their lengths are not known, so that one operation is counted for each string (or n-gram)."""

from __future__ import annotations

from costmodel.dims import equal, product
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, at_most, declared_output, dims, elementwise, tensor

_TEXT = {0: "string"}


@operator("StringConcat", example=example("N C", "C", dtypes={0: "string", 1: "string"}))
def string_concat(a: TensorSpec, b: TensorSpec, /) -> Result:
    """element_ops = broadcast elements."""
    return elementwise(a, b, dtype="string")


@operator("RegexFullMatch", example=example("N C", dtypes=_TEXT))
def regex_full_match(x: TensorSpec, /) -> Result:
    """element_ops = elements."""
    return elementwise(x, dtype="bool")


@operator("StringNormalizer", example=example("C", dtypes=_TEXT))
def string_normalizer(x: TensorSpec, /, *, stopwords: tuple[object, ...] = (), declared: Declared = ()) -> Result:
    """element_ops = elements; counted as if no string were a stop word, unless declared."""
    every = TensorSpec(dims(x, at_least=1), "string")
    if not stopwords:
        return Result((every,), element_ops=x.elements)
    out = at_most(every, declared)
    note = "how many strings are stop words depends on data: none, an upper bound" if out is every else ""
    return Result((out,), element_ops=x.elements, approximate=note)


@operator("StringSplit", example=example("N C", maxsplit=2, dtypes=_TEXT))
def string_split(x: TensorSpec, /, *, maxsplit: int | None = None, declared: Declared = ()) -> Result:
    """element_ops = strings; counted as if every string were cut maxsplit times, unless declared."""
    counts = TensorSpec(dims(x), "int64")
    note = ""
    if equal(x.elements, 0):
        parts = tensor((*dims(x), 0), "string")
    elif maxsplit is None:
        why = UnknownShapeError("into how many parts strings are split depends on data")
        parts = TensorSpec(declared_output(declared, 0, why).shape, "string")
    else:
        bound = tensor((*dims(x), maxsplit + 1), "string")
        parts = at_most(bound, declared)
        note = "how many parts strings have depends on data: maxsplit, an upper bound" if parts is bound else ""
    return Result((parts, counts), element_ops=x.elements, approximate=note)


@operator(
    "TfIdfVectorizer",
    example=example(
        "N C",
        max_gram_length=2,
        max_skip_count=1,
        min_gram_length=1,
        ngram_indexes=(0, 1, 2, 3),
        dtypes={0: "int64"},
    ),
)
def tf_idf_vectorizer(
    x: TensorSpec,
    /,
    *,
    max_gram_length: int,
    max_skip_count: int,
    min_gram_length: int,
    ngram_indexes: tuple[int, ...],
) -> Result:
    """element_ops = elements x lengths of n-grams x skips: each n-gram is looked up once."""
    if not ngram_indexes or min(ngram_indexes) < 0:
        raise ShapeError("ngram_indexes is empty or negative; it names the output coordinate of each n-gram")
    lengths = max_gram_length - min_gram_length + 1
    if lengths < 1 or max_skip_count < 0:
        raise ShapeError(
            f"n-grams of {min_gram_length} to {max_gram_length} items with {max_skip_count} skips make none"
        )
    *batch, items = dims(x, at_least=1)
    out = tensor((*batch, max(ngram_indexes) + 1), "float32")
    return Result((out,), element_ops=product(batch) * items * lengths * (max_skip_count + 1))
