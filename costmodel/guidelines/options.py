"""What a user may set about a check, with the defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields

from costmodel.errors import UsageError


@dataclass(frozen=True, slots=True)
class Options:
    """From where on a design breaks a guideline, and how bad that is.

    error_at, warning_at, note_at: shares of the network's time, on the platform where the finding saves most of
    it, from which a finding is an error (if it is sure to save something), a warning, a note; below the last it is
    left out.
    min_excess (G1): share of a layer's memory access above Eq. 1's bound.
    max_fragments (G3): convolutions and poolings in a block; the paper counts 2 or 3 in ResNet's (Section 2).
    max_depth (G3): of them one after the other, in what is still one block and not a stage or a whole network.
    min_ratio (G4): time of the element-wise operators that follow a convolution, by that of the convolution.
    min_total (G4): share of the network's time in all other element-wise operators together.
    """

    error_at: float = 0.05
    warning_at: float = 0.02
    note_at: float = 0.001
    min_excess: float = 0.05
    max_fragments: int = 3
    max_depth: int = 8
    min_ratio: float = 1.5
    min_total: float = 0.1

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            whole = one.name in ("max_fragments", "max_depth")
            if not isinstance(value, int if whole else int | float) or isinstance(value, bool) or not 0 <= value < 1e6:
                raise UsageError(f"{one.name}: {value!r} is not a {'whole number' if whole else 'number'} from 0")
            if one.name.endswith("_at") and value > 1:
                raise UsageError(f"{one.name}: {100 * value:g} % is more than the whole time; write 5 % as 0.05 or 5%")
        for lower, upper in (("note_at", "warning_at"), ("warning_at", "error_at")):
            low, high = getattr(self, lower), getattr(self, upper)
            if low > high:
                raise UsageError(
                    f"{upper}: {100 * high:g} % is below {lower}, {100 * low:g} %; make it at least that, or set "
                    f"{lower} too"
                )
