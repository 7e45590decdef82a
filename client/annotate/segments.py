"""A ledger in pieces: what it has learnt since the last piece, as bytes that another one takes in.

A part of a data set that is annotated by one process and written by another travels so: segments of
answers while it goes on, its rows when all are answered. Each is an SQLite database of some of the
ledger's tables, packed.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from .ledger import HASH, KEY_BYTES, Ledger, twice

#: Columns of the tables that travel, as both sides name them.
_ANSWERS: Mapping[str, tuple[str, ...]] = {
    "blocks": ("id", "body"),
    "parts": ("key", "block", "place"),
    "failures": ("key", "error", "error_type"),
    "jobs": ("id", "keys"),
}
_ROWS: Mapping[str, tuple[str, ...]] = {
    "rows": (
        *("position", "id", "path", "key", "width", "height", "unread"),
        *("frame", "frames", "time", "page"),
    ),
    "texts": ("key", "text"),
    "samples": ("key", "position", "id", "picture", "width", "height", "texts"),
}


#: Keys that are looked up at once.
_KEYS = 500


class SegmentTaker:
    """Takes from a ledger what it has learnt."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, db = ledger, ledger.database
        db.execute("CREATE TEMP TABLE new_failures (key BLOB PRIMARY KEY)")
        db.execute(
            "CREATE TEMP TRIGGER note_failure AFTER INSERT ON main.failures"
            " BEGIN INSERT OR IGNORE INTO new_failures VALUES (NEW.key); END"
        )
        self._taken = self._last_block()

    def _last_block(self) -> int:
        found = self._ledger.database.execute("SELECT ifnull(max(id), 0) FROM blocks").fetchone()
        return int(found[0])

    def waiting(self) -> int:
        """Bytes of answers that are in no piece yet, about."""
        found = self._ledger.database.execute(
            "SELECT ifnull(sum(length(body)), 0) FROM blocks WHERE id > ?", (self._taken,)
        )
        return int(found.fetchone()[0])

    def kept(self) -> None:
        """Note that what it has is in pieces: it came from some, or the last one was put away."""
        self._taken = self._last_block()
        self._ledger.database.execute("DELETE FROM new_failures")

    def segment(self) -> bytes:
        """What is in no piece yet, and the jobs under way; b"" for nothing new.

        It is new still until it is said to be `kept`.
        """
        self._ledger.commit()
        new = {
            "blocks": f"WHERE id > {self._taken}",
            "parts": f"WHERE block > {self._taken}",
            "failures": "WHERE key IN (SELECT key FROM new_failures)",
        }
        if not any(self._holds(name, which) for name, which in new.items()):
            return b""
        return _packed(self._ledger, _ANSWERS, new)

    def _holds(self, name: str, which: str) -> bool:
        found = self._ledger.database.execute(f"SELECT EXISTS (SELECT 1 FROM {name} {which})")  # noqa: S608 # our own names
        return bool(found.fetchone()[0])


def rows_of(ledger: Ledger) -> bytes:
    """Every row of a ledger in its place, with what is kept of it."""
    return _packed(ledger, _ROWS, {})


def sampled_of(ledger: Ledger) -> bytes:
    """The rows of the report alone, with what came of them."""
    sampled = "WHERE key IN (SELECT key FROM samples)"
    which = {
        "blocks": f"WHERE id IN (SELECT block FROM parts {sampled})",  # noqa: S608 # our own names
        "parts": sampled,
        "failures": sampled,
        "jobs": "WHERE 0",
    }
    return _packed(ledger, {**_ANSWERS, "samples": _ROWS["samples"]}, which)


def take_in_sampled(ledger: Ledger, sampled: bytes, rows: bytes, base: int, most: int) -> None:
    """Give a ledger a part's rows of the report, as `take_in_part` does, and what came of them.

    A part of an earlier version has them among its `rows`; b"" for any other.
    """
    db = ledger.database
    with _opened(sampled) as piece:
        if rows:
            with _opened(rows) as others:
                _take_in_samples(db, others, base, most, {})
        else:
            _take_in_samples(db, piece, base, most, {})
        of_samples = "SELECT key FROM parts UNION SELECT key FROM failures"
        found = (key for (key,) in piece.execute(of_samples))
        known = "SELECT 1 FROM samples WHERE key = ?"
        if any(db.execute(known, (key,)).fetchone() for key in found):
            _take_in_answers(db, piece, {})


def has_samples(sampled: bytes) -> bool:
    """Whether what `sampled_of` wrote has the rows, too; an earlier version's has not."""
    with _opened(sampled) as piece:
        query = "SELECT 1 FROM sqlite_master WHERE name = 'samples'"
        return piece.execute(query).fetchone() is not None


def ids_in(rows: bytes) -> Iterator[str]:
    """The ids that `rows_of` wrote, in the rows' order, but for those of unread rows."""
    with _opened(rows) as piece:
        for (id_,) in piece.execute("SELECT id FROM rows WHERE NOT unread ORDER BY position"):
            yield id_


def take_in(ledger: Ledger, segments: Iterable[bytes], *, resume: bool = False) -> None:
    """Give a ledger the answers of some pieces; what it has already stays.

    With `resume` it has the jobs under way too, as the last piece knew them.
    """
    db = ledger.database
    jobs: Sequence[Any] = ()
    for segment in segments:
        with _opened(segment) as piece:
            _take_in_answers(db, piece, {})
            jobs = list(piece.execute("SELECT id, keys FROM jobs"))
    if resume:
        db.executemany("REPLACE INTO jobs VALUES (?, ?)", jobs)
    ledger.commit()


def take_in_part(
    ledger: Ledger,
    segments: Iterable[bytes],
    rows: bytes,
    base: int,
    samples: int,
    *,
    texts: bool = True,
) -> int:
    """Give a ledger a part's rows behind the `base` that it has, and what came of them there.

    Equal rows of two parts may have come to different things: those of the later one have a key of
    their own, which begins with that of their content. Of the rows of the report it keeps those of
    the smallest keys, `samples` at most. Without `texts` those stay away. Answers how many rows
    there were. Raises InvalidRequest for an id that was there before.
    """
    ledger.commit()
    db = ledger.database
    with _opened(rows) as piece:
        renamed = _known(ledger, piece, base)
        for segment in segments:
            with _opened(segment) as answers:
                _take_in_answers(db, answers, renamed)
        added = _take_in_rows(db, piece, base, renamed)
        if texts:
            told = piece.execute("SELECT key, text FROM texts")
            db.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?)", _with_keys(told, renamed))
        _take_in_samples(db, piece, base, samples, renamed)
    ledger.commit()
    return added


def _known(ledger: Ledger, piece: sqlite3.Connection, base: int) -> dict[bytes, bytes]:
    """The keys of a part's rows that the ledger has something for, and what they become.

    Those that a part gathered of others made longer do in any case: two parts may have made the
    same of one.
    """
    apart, known = base.to_bytes(8, "big"), dict[bytes, bytes]()
    found = piece.execute("SELECT DISTINCT key FROM rows")
    while keys := [key for (key,) in found.fetchmany(_KEYS)]:
        longer = {key for key in keys if len(key) > KEY_BYTES}
        known.update((key, key + apart) for key in ledger.done(keys) | longer)
    return known


def _with_keys(
    found: Iterable[tuple[Any, ...]], renamed: Mapping[bytes, bytes], at: int = 0
) -> Iterable[tuple[Any, ...]]:
    """The same, with other keys, which stand at a place of each."""
    if not renamed:
        return found
    return ((*row[:at], renamed.get(row[at], row[at]), *row[at + 1 :]) for row in found)


def _take_in_answers(
    db: sqlite3.Connection, piece: sqlite3.Connection, renamed: Mapping[bytes, bytes]
) -> None:
    numbers = {}
    for number, body in piece.execute("SELECT id, body FROM blocks"):
        added = db.execute("INSERT INTO blocks (body) VALUES (?)", (body,))
        numbers[number] = added.lastrowid
    parts = _with_keys(piece.execute("SELECT key, block, place FROM parts"), renamed)
    db.executemany(
        "INSERT OR IGNORE INTO parts SELECT ?1, ?2, ?3"
        " WHERE NOT EXISTS (SELECT 1 FROM failures WHERE key = ?1)",
        ((key, numbers[block], place) for key, block, place in parts),
    )
    failures = _with_keys(piece.execute("SELECT key, error, error_type FROM failures"), renamed)
    db.executemany(
        "INSERT OR IGNORE INTO failures SELECT ?1, ?2, ?3"
        " WHERE NOT EXISTS (SELECT 1 FROM parts WHERE key = ?1)",
        failures,
    )


def _take_in_rows(
    db: sqlite3.Connection, piece: sqlite3.Connection, base: int, renamed: Mapping[bytes, bytes]
) -> int:
    names = ", ".join(_ROWS["rows"])
    moved = names.replace("position", "position + :base").replace(
        "unread", "iif(unread, unread + :base, 0)"
    )
    found = piece.execute(f"SELECT {moved} FROM rows ORDER BY position", {"base": base})  # noqa: S608 # our own names
    marks = ", ".join("?" * len(_ROWS["rows"]))
    rows = _with_keys(found, renamed, _ROWS["rows"].index("key"))
    try:
        return db.executemany(f"INSERT INTO rows ({names}) VALUES ({marks})", rows).rowcount  # noqa: S608 # our own names
    except sqlite3.IntegrityError:
        raise twice(repr(_known_id(db, piece, base))) from None


def _known_id(db: sqlite3.Connection, piece: sqlite3.Connection, base: int) -> str:
    """The first id of a part that an earlier row has."""
    known = "SELECT 1 FROM rows WHERE id = ? AND NOT unread AND position < ?"
    ids = piece.execute("SELECT id FROM rows WHERE NOT unread ORDER BY position")
    return next((id_ for (id_,) in ids if db.execute(known, (id_, base)).fetchone()), "?")


def _take_in_samples(
    db: sqlite3.Connection,
    piece: sqlite3.Connection,
    base: int,
    most: int,
    renamed: Mapping[bytes, bytes],
) -> None:
    known = {key for (key,) in db.execute("SELECT key FROM samples")}
    others = {key: apart for key, apart in renamed.items() if key not in known}
    kept = piece.execute(f"SELECT {', '.join(_ROWS['samples'])} FROM samples")  # noqa: S608 # our own names
    db.executemany(
        "INSERT OR IGNORE INTO samples VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((key, position + base, *more) for key, position, *more in _with_keys(kept, others)),
    )
    db.execute(
        "DELETE FROM samples WHERE key NOT IN (SELECT key FROM samples ORDER BY key LIMIT ?)",
        (most,),
    )


def forget_all(ledger: Ledger) -> None:
    """Empty a ledger of rows and answers; what files were written stays known."""
    ledger.commit()
    for table in ("rows", "texts", "samples", "answers", "parts", "blocks", "failures", "jobs"):
        ledger.database.execute(f"DELETE FROM {table}")  # noqa: S608 # our own names
    ledger.set_meta("hash", HASH)  # what it takes in has keys of today
    ledger.commit()


def _packed(
    ledger: Ledger, columns: Mapping[str, Sequence[str]], which: Mapping[str, str]
) -> bytes:
    """Rows of some tables as a database of their own; all where `which` does not say.

    SQLite copies them itself: a third of the time that their values take through Python.
    """
    ledger.commit()
    db = ledger.database
    db.execute("COMMIT")  # a database is joined to others between transactions
    db.execute("ATTACH ':memory:' AS piece")
    try:
        db.execute("BEGIN")
        for name, names in columns.items():
            told = ", ".join(names)
            db.execute(f"CREATE TABLE piece.{name} ({told})")
            db.execute(
                f"INSERT INTO piece.{name} SELECT {told} FROM main.{name} {which.get(name, '')}"  # noqa: S608 # our own names
            )
        db.execute("COMMIT")
        return zlib.compress(db.serialize(name="piece"), 1)
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
        db.execute("DETACH piece")
        db.execute("BEGIN IMMEDIATE")


@contextmanager
def _opened(packed: bytes) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as piece:
        piece.deserialize(zlib.decompress(packed))
        yield piece
