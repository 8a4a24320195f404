"""A study that several processes, on several machines, fill with exactly so many trials.

It lives in the storage alone: there is no server and no leader.

* Its name follows from what is searched, so that the same command joins it and goes on where others left it.
* A trial belongs to the worker that asked for it and carries its name. Two that ask for the last one at once both get
  one: the later of the two, by its number, is given up before it runs.
* A worker's pulse is an attribute of the study that changes every few seconds. The trials of a worker that has none
  are failed, and their designs queued again, in the same place: so the count stays as it is. One that is not dead
  after all finds its trial finished without it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform as host
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import optuna
from optuna import Study
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from costmodel.errors import UsageError

SETTINGS = "costmodel search"  # the study's attribute with what is searched
ERROR = "error"  # of a trial: why it failed for good
INSTEAD_OF = "instead_of"  # of a trial: the number of the one that it repeats, whose place in the study it takes
GIVEN_UP = "given_up"  # of a trial: it failed with its worker, and another one repeats it
WORKER = "worker"
PULSE = "pulse of "

BEAT = 10.0  # seconds between two beats of a worker
GRACE = 60.0  # seconds without a beat, after which a worker of another machine is taken to be dead
_NONE = -1  # a pulse that stopped in good order
PAUSE = 0.3  # seconds to wait where all trials are taken

Settings = Mapping[str, Any]


def named(settings: Settings) -> str:
    """The name of the study with these settings."""
    return f"costmodel-{hashlib.sha256(_text(settings).encode()).hexdigest()[:12]}"


def joined(
    storage: BaseStorage,
    name: str,
    settings: Settings,
    directions: Sequence[StudyDirection],
    seeds: Callable[[], Sequence[Mapping[str, int]]],
) -> Study:
    """The study of that name, made with `seeds` as its first trials where there is none.

    Raises UsageError where there is one with other settings, saying what differs.
    """
    try:
        study = optuna.create_study(storage=storage, study_name=name, directions=list(directions))
    except DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=name)
        _check(study, settings)
        return study
    study.set_user_attr(SETTINGS, json.loads(_text(settings)))
    for seed in seeds():
        study.enqueue_trial(dict(seed))
    return study


def _check(study: Study, settings: Settings) -> None:
    before = study.user_attrs.get(SETTINGS)
    for _ in range(10):  # whoever made the study says so a moment later
        if before is not None:
            break
        time.sleep(PAUSE)
        before = study.user_attrs.get(SETTINGS)
    if not isinstance(before, dict):
        raise UsageError(f"study {study.study_name}: it is of another program; give another name")
    now = json.loads(_text(settings))
    for key in [*now, *before]:
        if before.get(key) != now.get(key):
            raise UsageError(
                f"study {study.study_name}: {key} was {_shown(before.get(key))}, and now it is {_shown(now.get(key))}; "
                "give the same options, or another name"
            )


def _shown(value: Any) -> str:
    text = "not there" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _text(settings: Settings) -> str:
    return json.dumps(dict(settings), sort_keys=True, ensure_ascii=False)


@dataclass
class Watch:
    """Which workers are alive, as one of them sees it. No clock of another machine is read: a pulse has to change."""

    own: str
    _seen: dict[str, tuple[Any, float]] = field(default_factory=dict)

    def look(self, study: Study, workers: set[str]) -> set[str]:
        """Those of the workers that are dead."""
        beats = study.user_attrs
        return {worker for worker in workers if worker != self.own and self._is_dead(worker, beats.get(PULSE + worker))}

    def _is_dead(self, worker: str, beat: Any) -> bool:
        before, since = self._seen.setdefault(worker, (beat, time.monotonic()))
        if beat == _NONE:
            return True
        if beat != before:
            self._seen[worker] = (beat, time.monotonic())
            return False
        return _ended(worker) or time.monotonic() - since > GRACE


def worker_name() -> str:
    """A name for this process that no other has: machine, process number, and something random."""
    return f"{_machine()} {os.getpid()} {uuid.uuid4().hex[:8]}"


def _machine() -> str:
    """This machine; a container that numbers its processes by itself is one of its own."""
    with suppress(OSError):
        return f"{host.node()} {os.readlink('/proc/self/ns/pid')}"
    return host.node()


def _ended(worker: str) -> bool:
    """Whether a worker is a process of this machine that has ended."""
    machine, _, rest = worker.partition(f"{_machine()} ")
    number = rest.partition(" ")[0]
    if machine or not number.isdigit():
        return False
    with suppress(OSError, IndexError):  # one that nobody has waited for yet
        if (Path("/proc") / number / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


class Pulse:
    """Shows others that this process is alive, while entered."""

    def __init__(self, study: Study, worker: str) -> None:
        self._study, self._key, self._stop = study, PULSE + worker, threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._study.set_user_attr(self._key, 0)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        with suppress(Exception):  # it would hide the error that this ends with
            self._study.set_user_attr(self._key, _NONE)

    def _beat(self) -> None:
        count = 0
        while not self._stop.wait(BEAT):
            count += 1
            with suppress(Exception):  # what is wrong with the storage shows in the search itself
                self._study.set_user_attr(self._key, count)


class Share:
    """One worker's part in a study.

    trials: that the study shall have in the end, finished ones of earlier runs and of other workers counted.
    """

    def __init__(self, study: Study, trials: int, worker: str) -> None:
        self.study, self.trials, self.worker = study, trials, worker
        self._watch = Watch(worker)
        self._unfollowed: dict[int, float] = {}  # trials given up that nobody has queued, since when

    def ask(self, most: int, choices: Mapping[str, int]) -> list[Trial]:
        """Up to `most` trials to run, none where all are taken or finished. choices: options of each parameter."""
        asked: list[Trial] = []
        try:
            every = self._every()
            queued = sum(trial.state == TrialState.WAITING and INSTEAD_OF in trial.user_attrs for trial in every)
            room = max(0, self.trials - sum(map(_has_place, every)))
            for _ in range(min(most, room + queued)):
                asked.append(self.study.ask())
                asked[-1].set_user_attr(WORKER, self.worker)  # before it takes its time to choose
                for name, options in choices.items():
                    asked[-1].suggest_int(name, 0, options - 1)
            every = self._every() if asked else []
            for trial in list(asked):
                if _is_one_too_many(every, trial.number, self.trials):
                    asked.remove(trial)
                    self._end(trial)
        except BaseException:
            self.give_up(asked)
            raise
        return asked

    def tell(
        self, trial: Trial, values: Sequence[float], limits: Mapping[str, float], shown: Mapping[str, Any]
    ) -> None:
        """Finish a trial, unless others took this worker for dead.

        values: of the objectives. limits: by how much it exceeds each. shown: further attributes.
        """
        with suppress(UpdateFinishedTrialError):
            for name, excess in limits.items():
                trial.set_constraint(name, excess)
            for name, value in shown.items():
                trial.set_user_attr(name, value)
            self.study.tell(trial, list(values), skip_if_finished=True)

    def fail(self, trial: Trial, why: str) -> None:
        """Finish a trial that has no result; it counts as one that was run."""
        with suppress(UpdateFinishedTrialError):
            trial.set_user_attr(ERROR, why)
            self._end(trial)

    def give_up(self, trials: Sequence[Trial]) -> None:
        """Queue trials again that this worker will not finish."""
        numbers = {trial.number for trial in trials}
        for trial in self._every():
            if trial.number in numbers and trial.state == TrialState.RUNNING:
                self._queue_again(trial)

    def take_over(self) -> None:
        """Queue the trials of dead workers again, and those that one was about to queue when it died."""
        every = self._every()
        followed = {trial.user_attrs.get(INSTEAD_OF) for trial in every}
        for trial in every:
            given_up = trial.state == TrialState.FAIL and GIVEN_UP in trial.user_attrs and not has_ended(trial)
            if given_up and trial.number not in followed:
                since = self._unfollowed.setdefault(trial.number, time.monotonic())
                if time.monotonic() - since > BEAT:
                    self._queue(trial)
        running = [trial for trial in every if trial.state == TrialState.RUNNING]
        owners = {trial.number: str(trial.user_attrs.get(WORKER, f"unknown {trial.number}")) for trial in running}
        dead = self._watch.look(self.study, set(owners.values())) if running else set()
        for trial in running:
            if owners[trial.number] in dead:
                self._queue_again(trial)

    @property
    def finished(self) -> int:
        """Trials that have ended, with a result or for good."""
        return sum(1 for trial in self._every() if has_ended(trial))

    def _queue_again(self, trial: FrozenTrial) -> None:
        """Fail a trial and queue its design, unless it was one too many. In between it keeps its place."""
        wanted = not _is_one_too_many(self._every(), trial.number, self.trials)
        try:
            if wanted:  # there is no public handle of a trial that another process asked for
                self.study._storage.set_trial_user_attr(trial._trial_id, GIVEN_UP, True)
            self.study.tell(trial.number, state=TrialState.FAIL)
        except (UpdateFinishedTrialError, ValueError):
            return  # somebody else did, or it was finished after all
        if wanted and ERROR not in trial.user_attrs:
            self._queue(trial)

    def _queue(self, trial: FrozenTrial) -> None:
        chosen = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        self.study.enqueue_trial(chosen, user_attrs={INSTEAD_OF: trial.number})

    def _end(self, trial: Trial) -> None:
        self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def _every(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)


def _has_place(trial: FrozenTrial) -> bool:
    """Whether a trial is one of those that a study shall have. One that repeats another has that one's place."""
    marks = trial.user_attrs
    if INSTEAD_OF in marks or trial.state == TrialState.WAITING:
        return False
    return trial.state != TrialState.FAIL or ERROR in marks or GIVEN_UP in marks


def _is_one_too_many(every: Sequence[FrozenTrial], number: int, most: int) -> bool:
    """Whether a trial is one that others, of smaller numbers, have made superfluous: all workers count alike."""
    repeated = every[number].user_attrs.get(INSTEAD_OF)
    if repeated is not None:
        return any(trial.user_attrs.get(INSTEAD_OF) == repeated for trial in every[:number])
    return sum(map(_has_place, every[:number])) >= most


def has_ended(trial: FrozenTrial) -> bool:
    """Whether a trial has a result, or failed for good."""
    return trial.state == TrialState.COMPLETE or (trial.state == TrialState.FAIL and ERROR in trial.user_attrs)
