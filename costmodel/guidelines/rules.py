"""The guidelines by their short names: one module each, whose docstring is its documentation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from costmodel.errors import UsageError
from costmodel.guidelines import g1_equal_width, g2_group_convolution, g3_fragmentation, g4_elementwise
from costmodel.guidelines.clock import Clock
from costmodel.guidelines.finding import Breach
from costmodel.guidelines.network import Network
from costmodel.guidelines.options import Options

_MODULES: dict[str, ModuleType] = {
    "G1": g1_equal_width,
    "G2": g2_group_convolution,
    "G3": g3_fragmentation,
    "G4": g4_elementwise,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A guideline: what its module says and finds.

    id: G1 to G4. slug: a name for web addresses and rule lists. title: the guideline in a sentence. sections: the
    parts of its documentation by their headings, in order.
    """

    id: str
    slug: str
    title: str
    sections: Mapping[str, str]
    module: ModuleType

    def breaches(self, network: Network, clocks: Sequence[Clock], options: Options) -> Iterator[Breach]:
        """Where the network breaks the guideline, in the order of execution."""
        result: Iterator[Breach] = self.module.breaches(network, clocks, options)
        return result


def _rule(id: str, module: ModuleType) -> Rule:
    title, *parts = re.split(r"^## ", (module.__doc__ or "").strip(), flags=re.MULTILINE)
    sections = dict(part.split("\n", 1) for part in parts)
    slug = module.__name__.rpartition(".")[2].partition("_")[2].replace("_", "-")
    return Rule(id, slug, title.strip().rstrip("."), {name: text.strip() for name, text in sections.items()}, module)


RULES: dict[str, Rule] = {id: _rule(id, module) for id, module in _MODULES.items()}


def chosen(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules that are selected, all where none is, without those that are ignored.

    Raises UsageError for a name that no rule has, and where nothing is left.
    """
    select, ignore = (_ids(names) for names in (select, ignore))
    rules = tuple(rule for id, rule in RULES.items() if (not select or id in select) and id not in ignore)
    if not rules:
        raise UsageError(f"no guideline is left of {', '.join(select or RULES)} without {', '.join(ignore)}")
    return rules


def find_rule(name: str) -> Rule:
    """The rule called G1 to G4, in either case, or by its slug. Raises UsageError for another name."""
    for rule in RULES.values():
        if name.upper() == rule.id or name.lower() == rule.slug:
            return rule
    known = ", ".join(f"{rule.id} ({rule.slug})" for rule in RULES.values())
    raise UsageError(f"{name[:100]}: no such guideline; there are: {known}")


def _ids(names: Iterable[str]) -> list[str]:
    return [find_rule(name).id for name in names]
