"""The equations of the paper's Section 2, derived from the operators' own code with sympy.

MAC is the paper's memory access cost (memory_access here), B its FLOPs (mult_adds), h and w the size of the feature
map, c1 and c2 the channels that a 1x1 convolution reads and writes, g its groups.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from costmodel import zoo
from costmodel.cost import Cost
from costmodel.dims import Dim, symbol
from costmodel.graph import TensorSpec
from costmodel.kernels import fuse, runtime_of
from costmodel.ops import apply

B = sympy.Symbol("B", positive=True)
h, w, c, c1, c2, g, n = sympy.symbols("h w c c1 c2 g n", positive=True)

_FUSING = "cudnn7"  # whose kernels are counted: the runtime of the paper's GPU


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a derivation: what it is in words, and an equation.

    name, expression: the two sides of an equation, the second one of sympy.
    """

    words: str
    name: str
    expression: Any


def derivation(guideline: str) -> tuple[Step, ...]:
    """The steps to a guideline's equation, the last of them the result; none for a guideline that has no equation.

    Every expression is computed when it is asked for, from what the registered operators count on symbols.
    """
    derive = _DERIVATIONS.get(guideline)
    return () if derive is None else tuple(derive())


def _convolution(read: Any, written: Any, groups: Any = 1, *, kernel: int = 1, read_of_group: Any = None) -> Cost:
    """What the operator Conv counts on h x w positions, without a bias and padded to keep its size."""
    each = read if read_of_group is None else read_of_group
    weight = TensorSpec((written, each, kernel, kernel), name="weight", stored="float32", roots=("weight",))
    attributes = {"group": groups, "pads": (kernel // 2,) * 4}
    return apply("Conv", "", [_map(read), weight], attributes, ["y"]).cost


def _map(channels: Any, name: str = "x") -> TensorSpec:
    return TensorSpec((1, channels, *map(symbol, "hw")), name=name)


def _formula(count: Dim) -> Any:
    """A count as an expression of real numbers, which can be solved for a width."""
    value = sympy.sympify(count)
    return value.xreplace({one: sympy.Symbol(one.name, positive=True) for one in value.free_symbols})


def _equal_width() -> Sequence[Step]:
    """Eq. 1: MAC >= 2 sqrt(hw B) + B / (hw), where c1 = c2."""
    cost = _convolution(symbol("c1"), symbol("c2"))
    mult_adds, access = _formula(cost.mult_adds), _formula(cost.memory_access)
    (other,) = sympy.solve(sympy.Eq(mult_adds, B), c2)
    of_c1 = sympy.expand(access.subs(c2, other))
    slope = sympy.diff(of_c1, c1)
    (best,) = sympy.solve(slope, c1)
    return (
        Step("A 1x1 convolution of c1 to c2 channels has mult-adds", "B", mult_adds),
        Step("and accesses elements", "MAC", access),
        Step("For the same mult-adds its other width is", "c2", other),
        Step("so that it accesses", "MAC", of_c1),
        Step("with the slope", "dMAC/dc1", slope),
        Step("which grows everywhere", "d²MAC/dc1²", sympy.diff(slope, c1)),
        Step("and is zero in one place, the least", "c1", best),
        Step("where the other width is the same", "c2", sympy.simplify(other.subs(c1, best))),
        Step("Eq. 1: it accesses at least", "MAC", sympy.expand(sympy.simplify(of_c1.subs(c1, best)))),
    )


def _groups() -> Sequence[Step]:
    """Eq. 2: MAC = hw c1 + B g / c1 + B / (hw), which grows with g."""
    k = sympy.Symbol("k", positive=True)  # channels of a group
    cost = _convolution(symbol("g") * symbol("k"), symbol("c2"), symbol("g"), read_of_group=symbol("k"))
    mult_adds, access = (_formula(count).subs(k, c1 / g) for count in (cost.mult_adds, cost.memory_access))
    (other,) = sympy.solve(sympy.Eq(mult_adds, B), c2)
    of_g = sympy.expand(access.subs(c2, other))
    slope = sympy.diff(of_g, g)
    return (
        Step("A 1x1 convolution of c1 to c2 channels in g groups has mult-adds", "B", mult_adds),
        Step("and accesses elements", "MAC", sympy.expand(access)),
        Step("For the same input and mult-adds it writes so many channels", "c2", other),
        Step("Eq. 2: so that it accesses", "MAC", of_g),
        Step("which grows with every group", "dMAC/dg", slope),
        Step("for its sign is positive", "sign(dMAC/dg)", sympy.sign(slope)),
    )


def _fragments() -> Sequence[Step]:
    """n fragments of c / sqrt(n) channels: the same mult-adds, sqrt(n) times the activations."""
    cost = _convolution(symbol("c"), symbol("c"))
    parts = (cost.mult_adds, cost.input_elements + cost.output_elements, cost.weight_elements)
    whole = [_formula(count) for count in parts]
    mult_adds, activations, weights = (n * count.subs(c, c / sympy.sqrt(n)) for count in whole)
    return (
        Step("One 1x1 convolution of c to c channels has mult-adds", "B", whole[0]),
        Step("n fragments of c/√n channels have the same", "B", sympy.simplify(mult_adds)),
        Step("One reads and writes activations", "A", whole[1]),
        Step("n fragments read and write so many times as many", "A(n)/A(1)", sympy.simplify(activations / whole[1])),
        Step("and so many times the weights", "W(n)/W(1)", sympy.simplify(weights / whole[2])),
        Step("Launches of n fragments one after the other", "L(n)", _launches("series")),
        Step("and side by side, with the additions that join them", "L(n)", _launches("parallel")),
    )


def _launches(arrangement: str) -> Any:
    """Launches of a block of Table 3 by the number of its fragments: the polynomial through blocks that were fused."""
    counted = []
    for fragments in range(1, 5):
        graph = zoo.load("paper_g3", fragments=fragments, arrangement=arrangement, blocks=1)
        kernels = fuse(graph, runtime_of(_FUSING))
        counted.append((fragments, sum(kernel.launches for kernel in kernels)))
    return sympy.interpolate(counted, n)


def _elementwise() -> Sequence[Step]:
    """Memory access by operation: of element-wise operators a constant, of a 1x1 convolution about 2 / c."""
    x, other = _map(symbol("c")), _map(symbol("c"), "other")
    relu = apply("Relu", "", [x], {}, ["y"]).cost
    add = apply("Add", "", [x, other], {}, ["y"]).cost
    depthwise = _convolution(symbol("c"), symbol("c"), symbol("c"), kernel=3, read_of_group=1)
    rows = (
        ("A ReLU: elements accessed by operation (mult-adds and element operations)", relu),
        ("An addition", add),
        ("A 3x3 depthwise convolution", depthwise),
        ("A 1x1 convolution of c to c channels", _convolution(symbol("c"), symbol("c"))),
    )
    return [Step(words, "MAC/FLOPs", _access_by_operation(cost)) for words, cost in rows]


def _access_by_operation(cost: Cost) -> Any:
    return sympy.expand(_formula(cost.memory_access) / _formula(cost.mult_adds + cost.element_ops))


_DERIVATIONS: dict[str, Callable[[], Sequence[Step]]] = {
    "G1": _equal_width,
    "G2": _groups,
    "G3": _fragments,
    "G4": _elementwise,
}


def shown(expression: Any) -> Any:
    """An expression as people write it: one root over a product, not one over each factor."""
    plain = expression.xreplace({one: sympy.Symbol(one.name) for one in expression.free_symbols})
    return sympy.powsimp(plain, force=True)
