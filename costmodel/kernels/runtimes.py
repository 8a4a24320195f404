"""What each runtime fuses, as data.

Names of operators are ONNX's, and of the patterns in patterns.py. Sources: the runtimes' documentation and
their graph optimisers' lists of fusions; for ONNX Runtime the graphs that version 1.31 has after optimising for a CPU
with AVX-512; for the paper's two platforms its Section 1 ("tensor fusion is enabled") and the fit of its Tables 1-4.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

from costmodel.errors import UsageError

_RELUS = frozenset({"Relu", "Clip", "LeakyRelu"})
_GATES = frozenset({"Sigmoid", "HardSigmoid", "Tanh", "Swish", "HardSwish", "Mish", "HardTanh"})


@dataclass(frozen=True, slots=True)
class Runtime:
    """How a runtime turns operators into kernels.

    folds_norm: batch normalisation is folded into the weights of the contraction before it.
    epilogues: element-wise operators of one tensor that a contraction applies to its result on the way out.
    adds: a contraction also adds another tensor (a shortcut) to its result, before the epilogue.
    add_epilogues: operators applied on the way out of an addition that stands alone.
    chains: neighbouring element-wise operators run as one kernel.
    decomposed: operators that it runs as several, with how many. The others run whole.
    passes: copies that a channel shuffle takes (reshape, transpose, reshape). A whole unit of ShuffleNet V2
        has one more for its concat; slices that only cut channels are free where `splits` is 0.
    concats: copies that a concat takes; 0 where its inputs are written to their place in the result.
    splits: copies that a split or slice of channels takes.
    merges_copies: a concat, the shuffle that alone reads it and the split that alone reads that are one copy ("merged
        into a single element-wise operation": Section 3 of the paper).
    launches_groups: a grouped convolution may be launched once a group. What such a launch takes is fitted, for one
        image and for several: TensorRT on a V100 does so for several only.
    spelled: patterns that it does not recognise where they are written as several operators.
    blocks: channels in a block of the layout NCHWc that its convolutions work in; 0 where it has none. Tensors are
        copied into blocks and back (layouts.py), and only convolutions in blocks add a shortcut. The processor decides
        (runtime_of): this is the usual number.
    prepares: what leads to no output, or does not depend on the network's input, is left out when it runs.
    """

    name: str
    folds_norm: bool = True
    epilogues: frozenset[str] = _RELUS
    adds: bool = False
    add_epilogues: frozenset[str] = frozenset()
    chains: bool = False
    decomposed: tuple[tuple[str, int], ...] = ()
    passes: int = 1
    concats: int = 1
    splits: int = 1
    merges_copies: bool = False
    launches_groups: bool = False
    spelled: frozenset[str] = frozenset()
    blocks: int = 0
    prepares: bool = True


RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        Runtime("cudnn7", merges_copies=True, launches_groups=True),
        Runtime("neon", epilogues=frozenset(), merges_copies=True),
        Runtime("ncnn", epilogues=_RELUS | {"Sigmoid", "Mish"}),
        Runtime(
            "tensorrt",
            epilogues=_RELUS | _GATES,
            adds=True,
            add_epilogues=_RELUS,
            chains=True,
            concats=0,
            launches_groups=True,
        ),
        Runtime(
            "onnxruntime",
            epilogues=_RELUS | {"Sigmoid", "Tanh", "HardSigmoid", "HardSwish"},
            adds=True,
            decomposed=(("HardSwish", 2), ("Mish", 3)),
            spelled=frozenset({"HardSigmoid", "HardSwish"}),
            blocks=16,  # with AVX-512
        ),
        Runtime("torch", folds_norm=False, prepares=False, epilogues=frozenset(), decomposed=(("Mish", 3),)),
        Runtime(
            "tflite",
            epilogues=_RELUS - {"LeakyRelu"},
            add_epilogues=_RELUS - {"LeakyRelu"},
            decomposed=(("Swish", 2), ("Mish", 3)),
        ),
    )
}


def runtime_of(name: str, blocks: int | None = None) -> Runtime:
    """The runtime called `name`, on a processor where its layout NCHWc, if it has that, has blocks of so many channels.

    blocks: `machine.blocks` of a platform; 0: it has no such layout there; None: as usual. Raises UsageError for a
    name that is not in RUNTIMES.
    """
    if name in RUNTIMES:
        runtime = RUNTIMES[name]
        return runtime if blocks is None or not runtime.blocks else replace(runtime, blocks=blocks)
    near = difflib.get_close_matches(name.lower()[:100], RUNTIMES, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"{name}: no fusion rules for this runtime; {hint}there are: {', '.join(RUNTIMES)}")
