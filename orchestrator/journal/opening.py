"""Opening a journal: the lock that makes one writer, the tables and their migrations, read-only access.

A journal that nobody writes is read as one that does not change: this works in a folder that can't be written to, and
leaves no files behind. Whoever reads it for long shares the lock, as many may, so that it does not change indeed. A
journal that is being written is read as it grows.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import IO, Literal

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.journal.schema import MIGRATIONS, SCHEMA_VERSION

FILE = "journal.sqlite"
Durability = Literal["normal", "full"]
CHECKPOINT_PAGES = 16_000  # 64 MB: a checkpoint waits for the disk, and with it every call under way


def lock(directory: Path) -> IO[str]:
    """The lock of a run directory, made if need be, held until closed. ConfigError names who has it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = open(directory / "lock", "a+")  # noqa: SIM115 - held open as long as the run
    except OSError as error:
        raise ConfigError(
            f"run directory {directory} can't be written: {error.strerror}; choose another with --out"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = _owner(handle)
        handle.close()
        raise ConfigError(f"run directory {directory} is in use by {owner}; wait for it or choose another") from None
    handle.seek(0)
    handle.truncate()
    handle.write(f"process {os.getpid()} on {os.uname().nodename}\n")
    handle.flush()
    return handle


def _owner(handle: IO[str]) -> str:
    """Who has the lock that was refused."""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        return handle.read().strip() or "another process"
    return "another run, which takes its draws over (--reuse)"


def open_for_writing(directory: Path | None, durability: Durability) -> sqlite3.Connection:
    """The journal of a run directory, new or migrated; in memory where there is no directory."""
    where = ":memory:" if directory is None else str(directory / FILE)
    try:
        db = sqlite3.connect(where, isolation_level=None, check_same_thread=False)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise ConfigError(
                f"{where} was written by a newer Branchwise (journal version {version}, this one reads up to "
                f"{SCHEMA_VERSION}); update Branchwise to go on with it"
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {durability.upper()}")
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        for number in range(version, SCHEMA_VERSION):
            db.executescript(MIGRATIONS[number])
            db.execute(f"PRAGMA user_version = {number + 1}")
    except sqlite3.Error as error:
        raise ConfigError(f"{where} can't be opened as a journal: {error}; choose another --out") from error
    return db


class _Shared(sqlite3.Connection):
    """A journal that nobody writes until it is closed, since the lock is held as well."""

    lock: IO[str] | None = None

    def close(self) -> None:
        super().close()
        if self.lock is not None:
            self.lock.close()


def open_read_only(directory: Path) -> sqlite3.Connection:
    """The journal of a run directory, to be read at once, also while it is written. ConfigError if there is none."""
    return _open(directory, grows=False)


def open_to_reuse(directory: Path) -> sqlite3.Connection:
    """The journal of a run directory, to be read for long. ConfigError if there is none.

    Until it is closed nobody resumes that run; if it is under way, it goes on and may be resumed, too.
    """
    try:
        shared = _share(directory)
    except BlockingIOError:
        return _open(directory, grows=True)
    try:
        db = _open(directory, grows=False)
    except BaseException:
        if shared is not None:
            shared.close()
        raise
    db.lock = shared
    return db


def _share(directory: Path) -> IO[str] | None:
    """The lock, shared; None where none can be had, by no run either. BlockingIOError where a run is under way."""
    try:
        handle = open(directory / "lock")  # noqa: SIM115 - held open as long as the journal is read
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        if isinstance(error, BlockingIOError):
            raise
        return None
    return handle


def _open(directory: Path, grows: bool) -> _Shared:
    path = directory / FILE
    if not path.is_file():
        raise ConfigError(f"{directory} holds no {FILE}: it is not a run directory")
    constant = not (grows or path.with_name(f"{FILE}-wal").exists())
    where = f"{path.absolute().as_uri()}?mode=ro" + ("&immutable=1" if constant else "")
    db = sqlite3.connect(where, uri=True, isolation_level=None, check_same_thread=False, factory=_Shared)
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        db.close()
        raise ConfigError(f"{path} can't be read as a journal: {error}") from error
    if version != SCHEMA_VERSION:
        db.close()
        raise ConfigError(
            f"{path} has journal version {version}, this Branchwise reads version {SCHEMA_VERSION}; "
            + ("update Branchwise to read it" if version > SCHEMA_VERSION else "it is older, or holds nothing yet")
        )
    return db
