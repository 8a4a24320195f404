"""A dataset of one platform -> its profile and the report of its held-out error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np

from calibration.dataset import Sample
from calibration.features import Features, features, typical
from calibration.fit import fit
from calibration.machines import machine_of
from calibration.networks import is_whole
from calibration.physics import Processor
from calibration.report import Report, Row
from calibration.validate import HeldOut, Known, accuracy, doubt, held_out
from costmodel.platforms import Platform, Source


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a platform is, beyond its measurements. Fields as in costmodel.platforms.Platform; blocks: its machine's."""

    id: str
    device: str
    runtime: str
    precision: str
    threads: int
    processor: Processor
    runtime_version: str = ""
    clock: str = ""
    date: str = ""
    blocks: int | None = None


KnownWithout = Callable[[frozenset[str]], Known]


def calibrate(
    samples: Sequence[Sample],
    identity: Identity,
    known: KnownWithout,
    *,
    groups: Sequence[str] | None = None,
    method: str = "",
    notes: Sequence[str] = (),
) -> tuple[Platform, Report]:
    """Fit a platform and predict each of its networks without it.

    known: what is known before the samples, given the groups that are held out (none: for the profile itself).
    groups: of samples that are held out together; their networks when None, those with the same work as one.
    method: how to say what is held out; the folds' own words when empty. notes: for the profile. Raises
    CostModelError as features() does.
    """
    machine = machine_of(identity.runtime, identity.precision, identity.processor, identity.blocks)
    work = features(samples, identity.runtime, machine)
    groups = same_work(samples, work) if groups is None else groups
    reference = typical(identity.runtime, machine)
    seconds = np.array([sample.latency for sample in samples])
    held = held_out(work, seconds, groups, known, reference, method)
    before = known(frozenset())
    own = fit(work.amounts, seconds, before.prior, offsets=before.offsets, parts=work.parts)
    figures = accuracy(held, same_work(samples, work))
    platform = Platform(
        id=identity.id,
        device=identity.device,
        runtime=identity.runtime,
        precision=identity.precision,
        threads=identity.threads,
        machine=machine,
        coefficients=dict(zip(own.terms, own.coefficients.tolist(), strict=True)),
        doubt=doubt(held, own, before.prior, work, reference, np.array([is_whole(one.network) for one in samples])),
        accuracy=figures,
        sources=_sources(samples, identity.date),
        runtime_version=identity.runtime_version,
        clock=identity.clock,
        notes=tuple(notes),
        stretch=own.stretch,
    )
    return platform, Report(identity.id, _rows(samples, held), figures)


def same_work(samples: Sequence[Sample], work: Features) -> list[str]:
    """The network of each sample, one name for those whose kernels do the same: they tell the same of each other."""
    graph: nx.Graph[str | bytes] = nx.Graph()
    for sample, row in zip(samples, work.amounts, strict=True):
        graph.add_edge(sample.network, row.tobytes())
    names: dict[str, str] = {}
    for part in nx.connected_components(graph):
        networks = [name for name in part if isinstance(name, str)]
        names.update(dict.fromkeys(networks, min(networks)))
    return [names[sample.network] for sample in samples]


def _sources(samples: Sequence[Sample], date: str) -> tuple[Source, ...]:
    """Where rows came from, with their numbers. What follows a colon in a row's source is its place there."""
    counts = Counter(sample.source.partition(": ")[0] or sample.file for sample in samples)
    return tuple(Source(name, date, count) for name, count in sorted(counts.items()))


def _rows(samples: Sequence[Sample], held: HeldOut) -> tuple[Row, ...]:
    columns = (held.seconds, held.predicted, held.mult_adds_only, held.with_memory)
    return tuple(Row(_name(sample), *map(float, figures)) for sample, *figures in zip(samples, *columns, strict=True))


def _name(sample: Sample) -> str:
    return sample.network if sample.batch == 1 else f"{sample.network},batch={sample.batch}"
