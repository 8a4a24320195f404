"""Every error that costmodel raises on purpose.

CostModelError                what a caller may catch; ends the command line with status 2
├── UsageError                an option, a name or an argument that cannot be used as given
├── ModelError                a model that cannot be read or is not a valid network
│   └── ShapeError            shapes or attributes of an operator that do not fit together
└── DimOverflowError          a column of dims left the range of int64

UnknownShapeError is internal: an operator's output shape depends on data that nobody knows. The
frontends answer it with what the model declares, or count the operator as unknown.
"""


class CostModelError(Exception):
    """Base of all errors; its text is one line that names subject, value, place and remedy."""


class UsageError(CostModelError):
    """An option, name or argument that cannot be used as given."""


class ModelError(CostModelError):
    """A model that cannot be read, or that is not a valid network."""


class ShapeError(ModelError):
    """Shapes or attributes of one operator that do not fit together."""


class DimOverflowError(CostModelError, OverflowError):
    """An element of a column of dims would not fit in int64."""


class UnknownShapeError(Exception):
    """An output shape depends on values that are not known before the network runs."""
