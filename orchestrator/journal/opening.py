"""Opening a journal: the lock that makes one writer, the tables and their migrations, read-only access."""

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
        handle.seek(0)
        owner = handle.read().strip() or "another process"
        handle.close()
        raise ConfigError(f"run directory {directory} is in use by {owner}; wait for it or choose another") from None
    handle.seek(0)
    handle.truncate()
    handle.write(f"process {os.getpid()} on {os.uname().nodename}\n")
    handle.flush()
    return handle


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


def open_read_only(directory: Path) -> sqlite3.Connection:
    """The journal of a run directory, to be read only, also while it is written. ConfigError where there is none."""
    path = directory / FILE
    if not path.is_file():
        raise ConfigError(f"{directory} holds no {FILE}: it is not a run directory")
    quiet = not path.with_name(f"{FILE}-wal").exists()  # nobody writes: readable in a read-only folder, too
    where = f"{path.absolute().as_uri()}?mode=ro" + ("&immutable=1" if quiet else "")
    db = sqlite3.connect(where, uri=True, isolation_level=None, check_same_thread=False)
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
