"""Where a study is kept, by its URL: a journal file, SQLite or PostgreSQL."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

    from optuna.storages import BaseStorage

FORMS = "journal:FILE, sqlite:///FILE, postgresql://USER@HOST/DATABASE"

_SQL = re.compile(r"(sqlite|postgresql)(\+\w+)?://")
_DRIVER = "postgresql+psycopg://"
_PATIENCE = 60  # seconds that SQLite waits for another process's write
_REACHABLE = 10  # seconds to connect in
_MISSING = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary"}


def optuna_module() -> ModuleType:
    """optuna. Raises UsageError, naming the pip command, where it is not installed or too old."""
    try:
        import optuna
    except ImportError:
        raise UsageError("the engine optuna needs optuna; install it: pip install 'cnn-costmodel[search]'") from None
    if int(optuna.__version__.partition(".")[0]) < 5:  # Trial.set_constraint came with 5.0
        raise UsageError(f"optuna is {optuna.__version__}, needed is 5 or newer: pip install 'cnn-costmodel[search]'")
    return optuna


@contextmanager
def quiet() -> Iterator[None]:
    """Without optuna's notices of what it does; the level that the user's program has set comes back."""
    logging = optuna_module().logging
    level = logging.get_verbosity()
    logging.set_verbosity(max(level, logging.WARNING))
    try:
        yield
    finally:
        logging.set_verbosity(level)


@contextmanager
def opened(url: str | None) -> Iterator[BaseStorage]:
    """The storage of a URL, one in memory for None; closed at the end.

    Raises UsageError for a URL of another kind, a file or database that cannot be used, and a missing driver, also
    where that shows only while the storage is used.
    """
    optuna = optuna_module()
    if url is None:
        yield optuna.storages.InMemoryStorage()
    elif url.startswith("journal:"):
        from search.journal import journal

        with _explained(url):
            yield journal(url, Path(url.removeprefix("journal:")))
    elif _SQL.match(url):
        with _explained(url):
            storage = _database(url)
            try:
                yield storage
            finally:
                storage.remove_session()
                storage.engine.dispose()
    else:
        raise UsageError(f"storage {shown(url)}: there is no such kind of it; give one of {FORMS}")


def shown(url: str) -> str:
    """A URL without its password."""
    return re.sub(r"://([^:/@]*):.*@", r"://\1:***@", url)[:200]


def _database(url: str) -> Any:
    import sqlalchemy

    storages = optuna_module().storages
    try:
        sqlalchemy.engine.make_url(url)
    except ValueError:
        raise UsageError(f"storage {shown(url)}: its port is no number; it cannot be used") from None
    waits = {"timeout": _PATIENCE} if url.startswith("sqlite") else {"connect_timeout": _REACHABLE}
    options = {"connect_args": waits, "pool_pre_ping": True}
    if url.startswith("postgresql://"):
        url = _DRIVER + url.removeprefix("postgresql://")
    for attempt in range(5):
        try:
            storage = storages.RDBStorage(url, engine_kwargs=options)
            if url.startswith("sqlite"):
                _hasten(storage.engine)
            return storage
        except Exception as error:
            if attempt == 4 or not _made_twice(error):
                raise
        time.sleep(0.2 * (attempt + 1))  # another process is making the tables right now
    raise AssertionError


def _hasten(engine: Any) -> None:
    """Let SQLite wait for the disk only now and then: what was told outlives this process at once, and this machine a
    moment later. A trial is some twenty transactions."""
    import sqlalchemy

    def connected(connection: Any, record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    sqlalchemy.event.listen(engine, "connect", connected)
    engine.dispose()  # connections so far


def _made_twice(error: Exception) -> bool:
    return any(words in str(error) for words in ("already exists", "duplicate key", "UNIQUE constraint", "is locked"))


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Errors of a file or a database as UsageError of one line."""
    optuna = optuna_module()
    import sqlalchemy.exc

    try:
        yield
    except ImportError as error:
        driver = getattr(error.__cause__, "name", None) or getattr(error, "name", None) or ""
        if driver.partition(".")[0] not in ("psycopg", "psycopg2", "sqlite3", "pg8000", "asyncpg"):
            raise
        package = _MISSING.get(driver, driver)
        raise UsageError(
            f"storage {shown(url)}: its driver {driver} is missing; install it: pip install '{package}'"
        ) from None
    except optuna.exceptions.StorageInternalError as error:
        raise UsageError(_sentence(url, error.__cause__ or error)) from error
    except (sqlalchemy.exc.SQLAlchemyError, OSError) as error:
        raise UsageError(_sentence(url, error)) from error


def _sentence(url: str, error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    why = ""
    with suppress(UnicodeError):
        why = " ".join((getattr(cause, "strerror", None) or str(cause)).split())
    remedy = "what was told is safe: see that it can be reached and written, and give the same command"
    return f"storage {shown(url)}: it cannot be used ({shown(why)[:160]}); {remedy}"
