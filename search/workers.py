"""Several processes of this machine that work on one study."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from types import MappingProxyType
from typing import Any

import optuna

from costmodel.errors import UsageError
from costmodel.platforms import Platform
from search.capacity import capacity_of
from search.evaluate import Evaluator
from search.limits import Limits
from search.space import Space
from search.storages import opened, quiet
from search.study import PAUSE, Pulse, Share, has_ended, worker_name
from search.trials import Judge, Notice, Progress, Task, best_so_far, work

_LOOK = 0.5  # seconds between two looks at the study
_LEAVE = 10.0  # seconds that a worker has to end in


@dataclass(frozen=True)
class _Order:
    """What a worker is told: a task in a form that goes from one process to another, and where its study is."""

    space: Space
    platforms: tuple[Platform, ...]
    capacity: str
    batch: int
    coverage: float
    limits: Limits
    seed: int
    sampler: str
    pareto: bool
    require: Judge | None
    measure: Judge | None
    measured: str | None
    url: str
    study: str
    trials: int

    def task(self) -> Task:
        capacity = capacity_of(self.capacity)
        evaluator = Evaluator(self.space, self.platforms, capacity, batch=self.batch, coverage=self.coverage)
        how = (self.seed, self.sampler, self.pareto, self.require, self.measure, self.measured)
        return Task(evaluator, self.limits, *how)


@dataclass
class _Worker:
    process: SpawnProcess
    says: Connection


@contextmanager
def shared(url: str | None) -> Iterator[str]:
    """A storage that processes can share: the given one, or a journal that is gone in the end."""
    if url is not None:
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="costmodel-") as folder:
        yield f"journal:{Path(folder) / 'study.log'}"


def run_workers(
    task: Task, url: str, study: str, trials: int, count: int, progress: Progress | None, notice: Notice | None
) -> None:
    """Fill a study with `count` processes.

    Raises UsageError where one of them did, where all of them died, and where `require` or `measure` cannot be sent to
    another process; with an error, or Ctrl-C, all of them end.
    """
    evaluator = task.evaluator
    how = (task.seed, task.sampler, task.pareto, task.require, task.measure, task.measured)
    order = _Order(
        evaluator.space,
        evaluator.platforms,
        evaluator.capacity.name,
        evaluator.batch,
        evaluator.coverage,
        task.limits,
        *how,
        url,
        study,
        trials,
    )
    message = _packed(order)
    context = multiprocessing.get_context("spawn")
    workers = [_started(context, message) for _ in range(count)]
    try:
        with opened(url) as storage:
            _follow(optuna.load_study(storage=storage, study_name=study), trials, workers, progress, notice)
    finally:
        _end(workers)


def _packed(order: _Order) -> bytes:
    ForkingPickler.register(MappingProxyType, _proxy_parts)  # of platforms
    try:
        return bytes(ForkingPickler.dumps(order))
    except Exception as error:
        raise UsageError(
            f"with several workers, what requires or measures has to be a function of a module ({error}); "
            "move it there, or give one worker"
        ) from error


def _proxy_parts(proxy: MappingProxyType[Any, Any]) -> tuple[Any, ...]:
    return MappingProxyType, (dict(proxy),)


def _started(context: SpawnContext, message: bytes) -> _Worker:
    hears, says = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(message, says), daemon=True)
    process.start()
    says.close()
    return _Worker(process, hears)


def _follow(
    study: optuna.Study, trials: int, workers: Sequence[_Worker], progress: Progress | None, notice: Notice | None
) -> None:
    """Wait until all workers have ended, and say how far they are."""
    running = list(workers)
    while running:
        multiprocessing.connection.wait([worker.process.sentinel for worker in running], timeout=_LOOK)
        every = study.get_trials(deepcopy=False)
        finished = sum(1 for trial in every if has_ended(trial))
        for worker in [worker for worker in running if not worker.process.is_alive()]:
            running.remove(worker)
            _heard(worker)
            if worker.process.exitcode and notice is not None:
                notice(f"worker {worker.process.pid} {_death(worker.process)}; its trials go to the others")
        if progress is not None:
            progress(finished, best_so_far(every))
    finished = sum(1 for trial in study.get_trials(deepcopy=False) if has_ended(trial))
    if finished < trials:
        raise UsageError(
            f"all workers ended after {finished} of {trials} trials, the last one {_death(workers[-1].process)}; "
            "with a storage, the same command goes on"
        )


def _heard(worker: _Worker) -> None:
    """Raise what a worker raised."""
    with suppress(EOFError, OSError):
        if worker.says.poll():
            kind, text = worker.says.recv()
            raise UsageError(text) if kind == "usage" else RuntimeError(text)


def _death(process: SpawnProcess) -> str:
    code = process.exitcode or 0
    if code >= 0:
        return f"ended with status {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def _end(workers: Sequence[_Worker]) -> None:
    """Let the workers give up what they have begun, and end those that do not."""
    for worker in workers:
        if worker.process.is_alive():
            worker.process.terminate()
    deadline = time.monotonic() + _LEAVE
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.says.close()


def _serve(message: bytes, says: Connection) -> None:
    """A worker's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all at once; who started this one passes it on
    signal.signal(signal.SIGTERM, _leave)
    try:
        order: _Order = ForkingPickler.loads(message)
        with quiet(), opened(order.url) as storage:
            study = optuna.load_study(storage=storage, study_name=order.study)
            share = Share(study, order.trials, worker_name())
            with Pulse(study, share.worker):
                work(order.task(), share, lambda: time.sleep(PAUSE), _look)
    except SystemExit:
        return
    except UsageError as error:
        says.send(("usage", str(error)))
    except BaseException:
        says.send(("error", traceback.format_exc()))


def _leave(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # once: trials are being given back
    sys.exit(0)


def _look(finished: int, best: float | None) -> None:
    """End with the process that started this one."""
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        sys.exit(0)
