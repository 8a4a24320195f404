"""What a kernel's time is made of: amounts of work, each of which a platform has a price for.

The time of a kernel is the sum over terms of amount x seconds. Amounts are exact counts of the kernel's
loops, whole numbers or columns; prices are a platform's coefficients. Beyond mult-adds and memory access
(Section 2 of the paper) a term stands for what makes the same mult-adds dearer:

* how a convolution is run: as a matrix product of patches (patches, input, output and weights are copied or
  read once), by Winograd's algorithm F(m x m, 3 x 3) (Lavin & Gray, CVPR 2016: (m + 2)^2 products a tile, and
  transforms of input and output), or tap by tap;
* channels that do not fill a vector register or a tile;
* a launch for each kernel, and for each group where the runtime runs group by group;
* activations and additions that a contraction makes on its way out; other kernels wait for memory meanwhile.

What is chosen by a size (few input channels, one image) is chosen in each network of a population on its own:
each choice has its amounts times 1 or 0.
"""

from __future__ import annotations

from collections.abc import Callable

from costmodel.columns import Column
from costmodel.dims import Dim, ceil_div, floor_div, minimum, product
from costmodel.graph import Graph
from costmodel.kernels import Kernel, Kind, Loops
from costmodel.platforms.platform import Machine

Amounts = dict[str, Dim]

_CHANNEL_COPIES = frozenset({"Concat", "Split", "Slice", "Shuffle"})
_STEM = 4  # input channels up to which a convolution has code of its own, as the first layer of images


TERMS: dict[str, str] = {
    "run": "run of the network",
    "transfer.elements": f"element of an input image (at most {_STEM} channels) brought to the device",
    "launch.contraction": "launch of a convolution or matrix product",
    "launch.light": "launch of any other kernel",
    "launch.group": "further launch of a convolution that runs group by group, for one image",
    "launch.batched_group": "further launch of a convolution that runs group by group, for several images",
    "stem.mult_adds": f"mult-add of a k x k convolution of at most {_STEM} channels",
    "stem.large_mult_adds": f"mult-add of a convolution of at most {_STEM} channels whose window is not 3 x 3",
    "pointwise.mult_adds": "mult-add of a 1x1 convolution",
    "spatial.mult_adds": "mult-add of a k x k convolution run as a matrix product",
    "grouped.mult_adds": "mult-add of a grouped convolution",
    "dense.mult_adds": "mult-add of a product with a weight matrix",
    "matmul.mult_adds": "mult-add of a product of two activations",
    "winograd.mult_adds": "mult-add of the products of a Winograd convolution",
    "winograd.input": "element of Winograd's transformed input",
    "winograd.output": "element of Winograd's products before the output transform",
    "winograd.weights": "element of Winograd's transformed weights",
    "contraction.steps": "mult-add of one output element: what no parallelism shortens",
    "contraction.half": "mult-add in channels that half fill a vector",
    "contraction.scalar": "mult-add in channels that do not fill a vector",
    "contraction.patches": "element of the input copied into patches (k x k convolutions)",
    "contraction.input": "input element of a 1x1 convolution or matrix product",
    "contraction.output": "output element of a convolution or matrix product",
    "contraction.weights": "weight read by a convolution",
    "dense.weights": "weight read by a matrix product",
    "epilogue.operators": "activation or addition that a contraction makes on its way out",
    "epilogue.input": "element of another tensor that a contraction adds on its way out",
    "depthwise.mult_adds_3x3": "mult-add of a 3x3 depthwise convolution of stride 1",
    "depthwise.mult_adds_3x3_strided": "mult-add of a 3x3 depthwise convolution of a larger stride",
    "depthwise.mult_adds_5x5": "mult-add of a 5x5 depthwise convolution",
    "depthwise.mult_adds_other": "mult-add of any other depthwise convolution",
    "depthwise.half": "mult-add of a depthwise convolution in channels that half fill a vector",
    "depthwise.scalar": "mult-add of a depthwise convolution in channels that do not fill a vector",
    "depthwise.output": "output element of a depthwise convolution",
    "pool.comparisons": "element seen by the window of a pooling",
    "reduction.input": "input element of a global pooling",
    "mean.input": "input element of a sum, mean or other reduction",
    "elementwise.elements": "element read or written by an element-wise kernel",
    "transcendental.elements": "element of a sigmoid, swish or other function with an exponential",
    "softmax.elements": "element of a softmax",
    "normalization.elements": "element of a normalisation over neighbours",
    "movement.elements": "element copied by a concat, split or channel shuffle",
    "rearrangement.elements": "element copied by a padding, transpose, resize or gather",
    "other.mult_adds": "mult-add of an operator of no kind above",
    "other.elements": "element read or written by an operator of no kind above",
}


def amounts(kernel: Kernel, machine: Machine) -> Amounts:
    """How much of each term a kernel has, all its repetitions together. Keys are names in TERMS."""
    if kernel.kind is Kind.VIEW:
        return {}
    if kernel.loops is None:
        result = _LIGHT.get(kernel.kind, _other)(kernel)
        return {"launch.light": kernel.launches * kernel.repeat, **result}
    if kernel.kind is Kind.DEPTHWISE:
        result = _depthwise(kernel.loops, machine)
    elif kernel.kind in (Kind.DENSE, Kind.MATMUL):
        result = _product(kernel.kind, kernel.loops)
    else:
        result = _convolution(kernel.kind, kernel.loops, machine)
    result["launch.contraction"] = 1
    result["contraction.steps"] = kernel.loops.cin * kernel.loops.window
    if kernel.kind is Kind.GROUPED:
        further, single = kernel.launches - 1, _is_below(kernel.loops.batch, 2)
        _add(result, {"launch.group": further}, single)
        _add(result, {"launch.batched_group": further}, 1 - single)
    if kernel.epilogues:
        result["epilogue.operators"], result["epilogue.input"] = len(kernel.epilogues), sum(kernel.epilogues)
    if isinstance(kernel.repeat, int) and kernel.repeat == 1:
        return result
    return {name: amount * kernel.repeat for name, amount in result.items()}


def of_run(graph: Graph) -> Amounts:
    """What a run of a network has beside its kernels: itself, and the images that are brought to the device."""
    images: Dim = 0
    for name in graph.inputs:
        shape = graph.tensors[name].shape if name in graph.tensors else None
        if shape is not None and len(shape) == 4:
            images = images + product(shape) * _is_below(shape[1], _STEM + 1)
    return {"run": 1, "transfer.elements": images}


def _convolution(kind: Kind, loops: Loops, machine: Machine) -> Amounts:
    if kind is not Kind.SPATIAL:
        return _patches(kind, loops, machine)
    stem = _is_below(loops.cin, _STEM + 1)
    tiled = _suits_winograd(loops) if machine.winograd else 0
    result: Amounts = {}
    for chosen, way in ((stem, _stem), (tiled, _winograd), (1 - stem - tiled, _patches)):
        if not _is_never(chosen):
            _add(result, way(kind, loops, machine), chosen)
    return result


def _stem(kind: Kind, loops: Loops, machine: Machine) -> Amounts:
    name = "stem.mult_adds" if loops.taps == (3, 3) else "stem.large_mult_adds"
    output = loops.positions * loops.cout
    return {name: output * loops.cin * loops.window, "contraction.output": output}


def _patches(kind: Kind, loops: Loops, machine: Machine) -> Amounts:
    window, positions, groups = loops.window, loops.positions, loops.groups
    cin, cout = loops.cin, loops.cout
    plain = positions * groups * cin * cout * window
    half, scalar = _unfilled(cin, cout, machine)
    mult_adds = plain
    if machine.padded:
        rounded = positions * groups * _rounded(cin, machine) * _rounded(cout, machine) * window
        mult_adds = _padded(plain, rounded, scalar, machine)
    result: Amounts = {
        f"{kind.value}.mult_adds": mult_adds,
        "contraction.output": positions * groups * cout,
        "contraction.weights": groups * cin * cout * window,
    }
    if window == 1:
        result["contraction.input"] = positions * groups * cin
    else:
        result["contraction.patches"] = positions * groups * cin * window
    if not machine.padded:
        result["contraction.half"] = plain * half
    if machine.packed or not machine.padded:
        result["contraction.scalar"] = plain * scalar
    return result


def _suits_winograd(loops: Loops) -> Dim:
    """1 where Winograd's algorithm is for a convolution, otherwise 0: it wants more channels than a stem has."""
    if loops.taps != (3, 3) or loops.strides != (1, 1) or loops.dilated:
        return 0
    return (1 - _is_below(loops.cin, 8)) * (1 - _is_below(loops.cout, 8))


def _winograd(kind: Kind, loops: Loops, machine: Machine) -> Amounts:
    size = machine.winograd
    tiles = loops.batch * product(ceil_div(dim, size) for dim in loops.size)
    points = (size + 2) ** 2
    products = points * tiles * loops.cin * loops.cout
    half, scalar = _unfilled(loops.cin, loops.cout, machine)
    return {
        "winograd.mult_adds": products,
        "winograd.input": points * tiles * loops.cin,
        "winograd.output": points * tiles * loops.cout,
        "winograd.weights": points * loops.cin * loops.cout,
        "contraction.half": products * half,
        "contraction.scalar": products * scalar,
    }


def _product(kind: Kind, loops: Loops) -> Amounts:
    result: Amounts = {
        f"{kind.value}.mult_adds": loops.positions * loops.cin * loops.cout,
        "contraction.input": loops.positions * loops.cin,
        "contraction.output": loops.positions * loops.cout,
    }
    weights = loops.cin * loops.cout
    if kind is Kind.DENSE:
        result["dense.weights"] = weights
    else:
        result["contraction.weights"] = loops.batch * weights
    return result


def _depthwise(loops: Loops, machine: Machine) -> Amounts:
    plain = loops.positions * loops.groups * loops.window
    if loops.taps == (3, 3):
        name = "3x3" if all(step == 1 for step in loops.strides) else "3x3_strided"
    else:
        name = "5x5" if loops.taps == (5, 5) else "other"
    half, scalar = _unfilled(loops.groups, loops.groups, machine)
    mult_adds = plain
    if machine.padded and machine.packed:
        rounded = loops.positions * _rounded(loops.groups, machine) * loops.window
        mult_adds, half = _padded(plain, rounded, scalar, machine), 0
    return {
        f"depthwise.mult_adds_{name}": mult_adds,
        "depthwise.output": loops.positions * loops.groups,
        "depthwise.half": plain * half,
        "depthwise.scalar": plain * scalar,
    }


def _padded(plain: Dim, rounded: Dim, scalar: Dim, machine: Machine) -> Dim:
    """Mult-adds of a padded machine: with channels rounded up, or plain where they do not even pack."""
    return rounded * (1 - scalar) + plain * scalar if machine.packed else rounded


def _rounded(channels: Dim, machine: Machine) -> Dim:
    return ceil_div(channels, machine.vector) * machine.vector


def _unfilled(cin: Dim, cout: Dim, machine: Machine) -> tuple[Dim, Dim]:
    """Whether the channels only half fill vectors, and whether they do not even do that: 1 or 0 each."""
    ragged = _either(_ragged(cin, machine.vector), _ragged(cout, machine.vector))
    if not machine.packed:
        return 0, ragged
    scalar = _either(_ragged(cin, machine.packed), _ragged(cout, machine.packed))
    return ragged - scalar, scalar


def _ragged(channels: Dim, vector: int) -> Dim:
    return minimum(channels % vector, 1)


def _either(a: Dim, b: Dim) -> Dim:
    return minimum(a + b, 1)


def _is_below(dim: Dim, limit: int) -> Dim:
    """1 where a dim is below the limit, otherwise 0."""
    if type(dim) is int:
        return int(dim < limit)
    return 1 - minimum(floor_div(dim, limit), 1)


def _is_never(chosen: Dim) -> bool:
    """Whether a choice is made in no network of a population."""
    return chosen.high == 0 if isinstance(chosen, Column) else bool(chosen == 0)


def _add(result: Amounts, more: Amounts, chosen: Dim) -> None:
    """Add the amounts of what is chosen (1) in some networks of a population and not (0) in the others."""
    if not _is_never(chosen):
        for name, amount in more.items():
            result[name] = result.get(name, 0) + amount * chosen


def _pool(kernel: Kernel) -> Amounts:
    return {"pool.comparisons": kernel.cost.element_ops}


def _reduction(kernel: Kernel) -> Amounts:
    term = "reduction.input" if kernel.op.startswith("Global") else "mean.input"
    return {term: kernel.cost.input_elements}


def _elementwise(kernel: Kernel) -> Amounts:
    return {"elementwise.elements": kernel.cost.memory_access * kernel.launches}


def _transcendental(kernel: Kernel) -> Amounts:
    term = "softmax.elements" if kernel.op.endswith("Softmax") else "transcendental.elements"
    return {term: kernel.cost.output_elements}


def _normalization(kernel: Kernel) -> Amounts:
    return {"normalization.elements": kernel.cost.output_elements}


def _movement(kernel: Kernel) -> Amounts:
    term = "movement.elements" if kernel.op in _CHANNEL_COPIES else "rearrangement.elements"
    return {term: kernel.cost.output_elements * kernel.launches}


def _other(kernel: Kernel) -> Amounts:
    return {"other.mult_adds": kernel.cost.mult_adds, "other.elements": kernel.cost.memory_access}


_LIGHT: dict[Kind, Callable[[Kernel], Amounts]] = {
    Kind.POOL: _pool,
    Kind.REDUCTION: _reduction,
    Kind.ELEMENTWISE: _elementwise,
    Kind.TRANSCENDENTAL: _transcendental,
    Kind.NORMALIZATION: _normalization,
    Kind.MOVEMENT: _movement,
}
