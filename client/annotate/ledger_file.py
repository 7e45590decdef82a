"""The SQLite file that a ledger is: one process holds it, and nobody else's database is touched."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ...protocol.errors import InvalidRequest

#: `answers` has those of earlier versions, a row each. Now a block has all that a job answered.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS parts (
  key BLOB PRIMARY KEY, block INTEGER NOT NULL, place INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (
  key BLOB PRIMARY KEY, error TEXT NOT NULL, error_type TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (
  position INTEGER PRIMARY KEY, id TEXT NOT NULL, path TEXT NOT NULL, key BLOB NOT NULL,
  width INTEGER, height INTEGER, unread INTEGER NOT NULL,
  frame INTEGER, frames INTEGER, time REAL, page INTEGER, UNIQUE (id, unread)
);
CREATE TABLE IF NOT EXISTS texts (key BLOB PRIMARY KEY, text BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS samples (
  key BLOB PRIMARY KEY, position INTEGER NOT NULL, id TEXT NOT NULL, picture BLOB NOT NULL,
  width INTEGER NOT NULL, height INTEGER NOT NULL, texts TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, keys BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS written (
  path BLOB NOT NULL, digest BLOB NOT NULL, bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
  is_new INTEGER NOT NULL, PRIMARY KEY (path, digest)
) WITHOUT ROWID;
"""

#: Columns of `rows` that ledgers lack which were made when a file was one row.
_ADDED = {"frame": "INTEGER", "frames": "INTEGER", "time": "REAL", "page": "INTEGER"}


class LedgerHeld(InvalidRequest):
    """Another run writes this output."""


#: SQLite's mark of whose a database is: "WHRY".
_OURS = 0x57485259


#: Of one that lasts: held to the end, so that another run on the same output is told at once.
_LASTING = (
    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
)

#: Of one that dies with its process: nothing waits for a disk, and no page is written twice.
_SCRATCH = (
    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;"
    "PRAGMA temp_store = MEMORY;"
    # Rows that are equal have their text as often: to look for it takes longer than to write it.
    "CREATE TABLE texts (key BLOB, text BLOB NOT NULL);"
)

#: KiB of it in memory: rows' keys are hashes, and each is looked for somewhere else.
_CACHE_KIB = 32 * 1024


def opened(path: Path, *, make: bool, scratch: bool) -> sqlite3.Connection:
    """The database, in a transaction; without `make`, one in memory where there is no file.

    One that is `scratch` is of use to nobody after this process. Raises InvalidRequest for a file
    that another run holds, or that is no ledger.
    """
    try:
        database = path if make or path.exists() else ":memory:"
        db = sqlite3.connect(database, isolation_level=None, timeout=1)
    except sqlite3.OperationalError as error:
        raise InvalidRequest(f"{path} cannot be written: {error}") from None
    try:
        if not _is_ours(db, path):
            db.execute(f"PRAGMA application_id = {_OURS}")  # it writes, even the same
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        db.executescript((_SCRATCH if scratch else _LASTING) + _SCHEMA)
        _bring_up_to_date(db)
        db.execute("BEGIN IMMEDIATE")
    except InvalidRequest:
        db.close()
        raise
    except sqlite3.OperationalError as error:
        db.close()
        if "locked" not in str(error):
            raise InvalidRequest(f"{path}: {error}") from None
        raise LedgerHeld(f"{path}: another run writes this output") from None
    except sqlite3.DatabaseError as error:
        db.close()
        raise InvalidRequest(f"{path}: not a ledger of ours: {error}") from None
    return db


def _bring_up_to_date(db: sqlite3.Connection) -> None:
    """Give an earlier version's ledger the columns that it lacks."""
    there = {column[1] for column in db.execute("PRAGMA table_info(rows)")}
    for name, kind in _ADDED.items():
        if name not in there:
            db.execute(f"ALTER TABLE rows ADD COLUMN {name} {kind}")


def _is_ours(db: sqlite3.Connection, path: Path) -> bool:
    """Whether it is a ledger; else it is empty. Raises InvalidRequest for somebody else's."""
    if db.execute("PRAGMA application_id").fetchone()[0] == _OURS:
        return True
    if db.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise InvalidRequest(f"{path}: not a ledger of ours: a database of something else")
    return False
