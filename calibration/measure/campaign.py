"""A whole measurement: rounds of visits to every network until all is known well enough or the budget is spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from calibration.measure.backend import Backend, Ready, RefusedError
from calibration.measure.profile import Profile
from calibration.measure.store import Store
from calibration.measure.timing import (
    RULES,
    Clock,
    Rules,
    fastest,
    mean,
    next_round,
    runs_to_profile,
    seconds_to_go,
    unprofiled,
    wanting,
)
from calibration.measure.visits import Visit, by_item, measured, usual_reference
from costmodel.errors import UsageError

REFERENCE = "zoo:paper_g4,c=64,blocks=2"  # about a millisecond of 1x1 and 3x3 convolutions, a shortcut, 800 KB maps
KEPT = 2**30  # bytes of networks that stay in memory between their visits
ANEW = (
    4  # visits after which a network is made ready anew: where its memory happens to lie changes its time by percents
)

Show = Callable[[int, int, float], None]


@dataclass(frozen=True, slots=True)
class Item:
    """A network to measure. network: as in the data CSV. path: of its model file, "" for a reference."""

    network: str
    batch: int
    path: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a measurement ended.

    refused: why the runtime does not run a network, by network. unreached: networks that the budget did not suffice
    for. few: those with fewer undisturbed visits than wanted. noisy: those whose visits spread too far.
    goes_on: whether a larger budget would measure more.
    """

    refused: dict[str, str]
    unreached: tuple[str, ...]
    few: tuple[str, ...]
    noisy: tuple[str, ...]
    goes_on: bool


class _Visitor:
    """Visits networks; keeps them in memory as far as there is room, and the reference's time of the visit before."""

    def __init__(self, backend: Backend, clock: Clock, rules: Rules) -> None:
        self.backend, self.clock, self.rules = backend, clock, rules
        self.kept: dict[str, Ready] = {}
        self.count: Counter[str] = Counter()
        self.mark = clock()
        try:
            self.reference = backend.prepare(REFERENCE, "", 1)
            self.last = mean(self.reference.run, clock, rules)
        except RefusedError as error:
            raise UsageError(
                f"{REFERENCE}: {backend.name} does not run it ({error}); reinstall {backend.name}"
            ) from None

    def visit(self, item: Item) -> Visit:
        """Raises RefusedError for a network that does not run."""
        if self.count[item.network] % ANEW == 0:
            self.kept.pop(item.network, None)
        ready = self.kept.get(item.network) or self._prepared(item)
        before = self.last
        best, runs = fastest(ready.run, self.clock, self.rules)
        self.last = mean(self.reference.run, self.clock, self.rules)
        self.count[item.network] += 1
        start, self.mark = self.mark, self.clock()
        return Visit(item.network, best, runs, before, self.last, self.mark - start)

    def profile(self, item: Item, runs: int) -> Profile:
        """Raises RefusedError for a network that the runtime does not profile."""
        self.last = mean(self.reference.run, self.clock, self.rules)
        before = self.last
        found = self.backend.profile(item.network, item.path, item.batch, runs)
        self.last = mean(self.reference.run, self.clock, self.rules)
        start, self.mark = self.mark, self.clock()
        counts = (found.total, found.count, found.runs)
        return Profile(item.network, found.seconds, found.operators, *counts, before, self.last, self.mark - start)

    def _prepared(self, item: Item) -> Ready:
        ready = self.backend.prepare(item.network, item.path, item.batch)
        if ready.memory + sum(kept.memory for kept in self.kept.values()) <= KEPT:
            self.kept[item.network] = ready
        self.last = mean(self.reference.run, self.clock, self.rules)
        return ready


def measure(
    items: Sequence[Item],
    backend: Backend,
    store: Store,
    *,
    budget: float,
    seed: int,
    clock: Clock,
    kernels: bool = False,
    rules: Rules = RULES,
    show: Show = lambda done, of, seconds: None,
) -> Outcome:
    """Visit the items until each is known well enough, or the visits of the store took `budget` seconds in all.

    kernels: whether to profile each network as well, once it has been visited.
    show: is told of visits done, visits in all as far as is known, and seconds to go. The CSV is up to date when this
    returns or is interrupted. Raises UsageError where the files cannot be written, or the reference does not run.
    """
    named = {item.network: item for item in items}
    refused: dict[str, str] = {}
    try:
        to_profile = unprofiled(list(named), store.visits, store.profiles, rules) if kernels else []
        if to_profile or next_round(list(named), store.visits, rules, seed):
            _rounds(named, refused, _Visitor(backend, clock, rules), store, budget, seed, kernels, show)
    except KeyboardInterrupt:
        store.publish()
        raise
    store.publish()
    return _outcome([name for name in named if name not in refused], refused, store, rules, kernels)


def _rounds(
    named: dict[str, Item],
    refused: dict[str, str],
    visitor: _Visitor,
    store: Store,
    budget: float,
    seed: int,
    kernels: bool,
    show: Show,
) -> None:
    """Visits while they are wanted and the budget lasts; networks that do not run go into `refused`.

    After a round what has not been profiled is: the first time when each network has one visit.
    """
    rules, reached = visitor.rules, {visit.item for visit in store.visits}
    while True:
        left = [name for name in named if name not in refused]
        for name in (chosen := next_round(left, store.visits, rules, seed)):
            if _expected(store, name) > budget:
                return
            try:
                store.add(visitor.visit(named[name]))
            except (RefusedError, MemoryError) as error:
                refused[name] = str(error) or "it does not fit into memory"
                continue
            if name not in reached:
                reached.add(name)
                store.publish()
            to_go = sum(wanting(left, store.visits, rules).values())
            done = len(store.visits)
            show(done, done + to_go, seconds_to_go(left, store.visits, rules, budget - store.profiling))
        profiled = _profiled(named, left, visitor, store, budget, show) if kernels else 0
        if not chosen and not profiled:
            return
        store.publish()


def _profiled(
    named: dict[str, Item], left: Sequence[str], visitor: _Visitor, store: Store, budget: float, show: Show
) -> int:
    """Profiles of what has none yet, while the budget lasts; how many. One that cannot be made has no kernels."""
    names = unprofiled(left, store.visits, store.profiles, visitor.rules)
    usual, done = usual_reference(store.visits), len(store.visits)
    to_go = sum(wanting(left, store.visits, visitor.rules).values())
    for count, name in enumerate(names):
        if _expected(store, name) > budget:
            return count
        latency = measured(by_item(store.visits)[name], usual).latency
        try:
            profile = visitor.profile(named[name], runs_to_profile(latency, visitor.rules))
        except (RefusedError, MemoryError):
            profile = Profile(name, {}, {}, 0.0, 0, 0, usual, usual, 0.0)
        store.add_profile(profile)
        to_spend = budget - store.profiling
        show(done, done + to_go, seconds_to_go(left, store.visits, visitor.rules, to_spend))
    return len(names)


def _expected(store: Store, name: str) -> float:
    """Seconds spent after another visit to a network, as long as the last one to it."""
    last = next((visit.took for visit in reversed(store.visits) if visit.item == name), 0.0)
    return sum(visit.took for visit in store.visits) + store.profiling + last


def _outcome(names: Sequence[str], refused: dict[str, str], store: Store, rules: Rules, kernels: bool) -> Outcome:
    visits = store.visits
    reached, usual = by_item(visits), usual_reference(visits)
    to_profile = unprofiled(names, visits, store.profiles, rules) if kernels else []
    known = [measured(reached[name], usual) for name in names if name in reached]
    return Outcome(
        refused,
        unreached=tuple(name for name in names if name not in reached),
        few=tuple(one.item for one in known if len(reached[one.item]) - one.disturbed < rules.visits),
        noisy=tuple(one.item for one in known if one.spread > rules.noisy),
        goes_on=bool(to_profile or wanting(names, visits, rules)),
    )
