"""What a run has done so far, on disk: one SQLite file beside the output.

Answers are kept by the content of their row, so that a run that broke off, or one over a data set
that has grown, finds what is done. Nothing here grows in memory with the data set.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from ...protocol.errors import InvalidRequest
from .ledger_file import opened
from .rows import SampledFrame
from .written import WrittenFiles

#: Bytes of a row's key.
KEY_BYTES = 16

#: What keys are made with; and were by earlier versions, whose ledgers go on with theirs. There are
#: instructions for the first: a photograph takes half the time.
HASH, EARLIER_HASH = "sha256", "blake2b"

#: Rows inserted at once.
_BUFFER = 512

#: Bytes of answers that wait to be written, at most.
_ANSWER_BYTES = 1024 * 1024

#: By name: a ledger of an earlier version has its columns in another order. Of most rows the first
#: are all there is to say, and each value takes time.
_COLUMNS = (
    *("position", "id", "path", "key", "unread"),
    *("width", "height", "frame", "frames", "time", "page"),
)
_SHORT = 5

#: What is known of a row by its key beside where its answer is -> the table that has it.
_JOINED = {"body": "answers", "error": "failures", "error_type": "failures"}


class KeptAnswer(NamedTuple):
    """Where a row's answer is: in a block of what a job answered."""

    block: int
    place: int
    #: The answer itself, as a ledger of an earlier version has it; b"" where a block does.
    alone: bytes = b""


class LedgerRow(NamedTuple):
    """A row in its place, with what came of it."""

    position: int
    id: str
    path: str
    size: tuple[int, int] | None
    #: None for a failed row.
    answer: KeptAnswer | None
    error: str
    error_type: str
    frame: SampledFrame | None = None
    #: What the row's text is, where it was kept.
    text: str = ""


class Sampled(NamedTuple):
    """A row that the report shows."""

    key: bytes
    position: int
    id: str
    #: A small picture file, and the size in pixels of the image that it shows; b"", 0, 0 without.
    picture: bytes
    width: int
    height: int
    #: JSON: field of the Input -> text.
    texts: str


class Ledger:
    """One output's ledger. One process at a time may hold it."""

    def __init__(self, path: Path, *, make: bool = True, scratch: bool = False) -> None:
        """Without `make`, nothing is made on disk where there is no ledger.

        One that is `scratch` keeps nothing beyond this process, whatever is told below. Raises
        InvalidRequest for one that another run holds, or that is none.
        """
        self._db, self._is_scratch = opened(path, make=make, scratch=scratch), scratch
        #: The files that runs wrote beside it.
        self.files = WrittenFiles(self._db, path.parent)
        self._pending: list[tuple[object, ...]] = []
        self._texts: list[tuple[bytes, bytes]] = []
        #: What jobs answered, the jobs that were read, and the keys of both.
        self._answers: list[tuple[bytes, Sequence[bytes | None]]] = []
        self._answer_bytes = 0
        self._read: list[tuple[str]] = []
        self._answered: set[bytes | None] = set()

    @property
    def database(self) -> sqlite3.Connection:
        """Its tables, for what moves ledgers as a whole; `commit` first."""
        return self._db

    def commit(self) -> None:
        """Keep what was noted, whatever happens to this process."""
        self._flush()
        self._keep_written()

    def _keep_written(self) -> None:
        if self._is_scratch:
            return
        self._db.execute("COMMIT")
        self._db.execute("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Keep everything and let the file go."""
        self._flush()
        self._db.execute("COMMIT")
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- a run ---

    def begin(self, *, reuse: bool) -> None:
        """Start a run: rows are placed anew. Without `reuse` a finished run's answers go too."""
        self._db.execute("DELETE FROM rows")
        self._db.execute("DELETE FROM samples")
        self._db.execute("DELETE FROM texts")
        if not reuse and self.meta("complete") == "yes":
            self._db.executescript(
                "DELETE FROM answers; DELETE FROM parts; DELETE FROM blocks; DELETE FROM failures;"
            )
            self._db.execute("BEGIN IMMEDIATE")
        self.set_meta("complete", "no")
        if not self.meta("hash"):
            self.set_meta("hash", EARLIER_HASH if self._has_keys() else HASH)

    def _has_keys(self) -> bool:
        tables = ("answers", "parts", "failures", "jobs")
        asked = " UNION ALL ".join(f"SELECT 1 FROM {table}" for table in tables)  # noqa: S608 # our own names
        return self._db.execute(f"{asked} LIMIT 1").fetchone() is not None

    @property
    def hash_name(self) -> str:
        """What the rows' keys are made with, once a run has begun."""
        return self.meta("hash") or HASH

    def finish(self) -> None:
        """Note that every row has its answer and the output is written."""
        self.set_meta("complete", "yes")
        self.commit()

    def meta(self, name: str) -> str:
        """A noted value, "" where there is none."""
        found = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def set_meta(self, name: str, value: str) -> None:
        """Note a value."""
        self._db.execute("REPLACE INTO meta VALUES (?, ?)", (name, value))

    # --- rows ---

    def place(
        self,
        position: int,
        id_: str,
        path: str,
        key: bytes,
        size: tuple[int, int] | None,
        *,
        unread: bool = False,
        frame: SampledFrame | None = None,
    ) -> None:
        """Give a row its place. Raises InvalidRequest, now or later, for an id seen before.

        An unread row has no answer to mix up: it may be called as another is.
        """
        row: tuple[object, ...] = (position, id_, path, key, position + 1 if unread else 0)
        if size or frame:
            of = (frame.number, frame.total, frame.time_s, frame.page) if frame else (None,) * 4
            row = (*row, *(size or (None, None)), *of)
        self._pending.append(row)
        if len(self._pending) >= _BUFFER:
            self._flush()

    def keep_text(self, key: bytes, text: str) -> None:
        """Keep what the text of rows of this content is, for formats that write it."""
        self._texts.append((key, text.encode("utf-8", "surrogatepass")))

    def _flush(self) -> None:
        if self._texts:
            self._db.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?)", self._texts)
            self._texts.clear()
        self._flush_answers()
        short = [row for row in self._pending if len(row) == _SHORT]
        whole = [row for row in self._pending if len(row) > _SHORT]
        try:
            for columns, rows in ((_COLUMNS[:_SHORT], short), (_COLUMNS, whole)):
                marks = ", ".join("?" * len(columns))
                insert = f"INSERT INTO rows ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 # our own names
                self._db.executemany(insert, rows)
        except sqlite3.IntegrityError:
            raise twice(self._twice()) from None
        finally:
            self._pending.clear()

    def _flush_answers(self) -> None:
        for body, keys in self._answers:
            block = self._db.execute("INSERT INTO blocks (body) VALUES (?)", (body,)).lastrowid
            self._db.executemany(
                "REPLACE INTO parts VALUES (?, ?, ?)",
                [(key, block, place) for place, key in enumerate(keys) if key is not None],
            )
        self._db.executemany("DELETE FROM jobs WHERE id = ?", self._read)
        self._answers.clear()
        self._answered.clear()
        self._read.clear()
        self._answer_bytes = 0

    def _twice(self) -> str:
        seen: set[object] = set()
        for row in (row for row in self._pending if not row[4]):
            known = self._db.execute(
                "SELECT 1 FROM rows WHERE id = ? AND NOT unread AND position != ?", (row[1], row[0])
            )
            if row[1] in seen or known.fetchone():
                return repr(row[1])
            seen.add(row[1])
        return "?"

    def done(self, keys: Sequence[bytes]) -> set[bytes]:
        """Those of some keys of which a row is finished, well or not."""
        marks = ",".join("?" * len(keys))
        found = {key for key in keys if key in self._answered}
        for table in self._filled("parts", "failures", "answers"):
            asked = f"SELECT key FROM {table} WHERE key IN ({marks})"  # noqa: S608 # our own names
            found.update(key for (key,) in self._db.execute(asked, keys))
        return found

    def _filled(self, *tables: str) -> list[str]:
        """Those of some tables that hold anything: to look into the others takes as long."""
        query = "SELECT EXISTS (SELECT 1 FROM {})"
        return [t for t in tables if self._db.execute(query.format(t)).fetchone()[0]]

    def keep(self, body: bytes, keys: Sequence[bytes | None]) -> None:
        """Keep what a job answered, of so many rows: None for those that it has no answer of."""
        packed = zlib.compress(body, 1)
        self._answers.append((packed, keys))
        self._answered.update(keys)
        self._answer_bytes += len(packed)
        if self._answer_bytes > _ANSWER_BYTES:
            self._flush_answers()

    def block(self, number: int) -> bytes:
        """What `keep` was given."""
        self._flush_answers()
        found = self._db.execute("SELECT body FROM blocks WHERE id = ?", (number,)).fetchone()
        return zlib.decompress(found[0])

    def fail(self, key: bytes, error: str, error_type: str) -> None:
        """Keep why a row has none."""
        self._db.execute("REPLACE INTO failures VALUES (?, ?, ?)", (key, error, error_type))

    def forget_failures(self, ids: Iterable[str]) -> int:
        """Let failed rows of the last run be tried again. Answers how many were found."""
        forget = "DELETE FROM failures WHERE key IN (SELECT key FROM rows WHERE id = ?)"
        return sum(self._db.execute(forget, (id_,)).rowcount for id_ in ids)

    def placed(self, base: int = 0, *, texts: bool = True) -> Iterator[LedgerRow]:
        """Every row of this run in its order, with its answer or its error.

        Of a part of a source, `base` is how many rows come before it. Without `texts` no row has
        its text.
        """
        self._flush()
        joined, text = self._filled("answers", "failures"), "NULL"
        if texts and self._filled("texts"):
            if self._is_scratch:
                self._db.execute("CREATE INDEX IF NOT EXISTS texts_by_key ON texts (key)")
            text = "(SELECT text FROM texts WHERE texts.key = rows.key LIMIT 1)"
        columns = [
            *("position", "id", "path", "width", "height", "frame", "frames", "time", "page"),
            *("block", "place"),
            *(c if t in joined else "NULL" for c, t in _JOINED.items()),
            text,
        ]
        tables = "".join(f" LEFT JOIN {table} USING (key)" for table in ("parts", *joined))
        query = f"SELECT {', '.join(columns)} FROM rows{tables} ORDER BY position"  # noqa: S608 # our own names
        for (
            at,
            id_,
            path,
            wide,
            high,
            number,
            f,
            t,
            page,
            *kept,
            error,
            kind,
            text,
        ) in self._db.execute(query):
            yield LedgerRow(
                base + at,
                id_,
                path,
                (wide, high) if wide else None,
                _kept(*kept),
                error or "",
                kind or "",
                None
                if number is None
                else SampledFrame(id_.rpartition("#")[0], number, f, t, page),
                text.decode("utf-8", "surrogatepass") if text else "",
            )

    def has_frames(self) -> bool:
        """Whether some of this run's rows are frames or pages of a file."""
        self._flush()
        query = "SELECT 1 FROM rows WHERE frame IS NOT NULL LIMIT 1"
        return self._db.execute(query).fetchone() is not None

    def named(self, positions: Iterable[int]) -> dict[int, tuple[str, str]]:
        """The id and the path of this run's rows at some places."""
        self._flush()
        query = "SELECT id, path FROM rows WHERE position = ?"
        found = ((at, self._db.execute(query, (at,)).fetchone()) for at in positions)
        return {at: (row[0], row[1]) for at, row in found if row}

    def placed_keys(self) -> Iterator[tuple[str, bytes]]:
        """The id and the key of every row of this run, in their order."""
        self._flush()
        yield from self._db.execute("SELECT id, key FROM rows ORDER BY position")

    def paths(self) -> Iterator[str]:
        """Where this run's rows were read from, those that say so."""
        self._flush()
        return (path for (path,) in self._db.execute("SELECT path FROM rows WHERE path != ''"))

    # --- rows that the report shows ---

    def keep_sample(self, sampled: Sampled) -> None:
        """Keep a row for the report."""
        self._db.execute("REPLACE INTO samples VALUES (?, ?, ?, ?, ?, ?, ?)", sampled)

    def drop_sample(self, key: bytes) -> None:
        """Let it go again."""
        self._db.execute("DELETE FROM samples WHERE key = ?", (key,))

    def samples(self) -> Iterator[tuple[Sampled, KeptAnswer | None, str]]:
        """What was kept, in the rows' order, each with its answer or its error."""
        self._flush_answers()
        found = self._db.execute(
            "SELECT samples.*, block, place, body, error FROM samples"
            " LEFT JOIN parts USING (key) LEFT JOIN answers USING (key)"
            " LEFT JOIN failures USING (key) ORDER BY position"
        )
        for *sampled, block, place, body, error in found:
            yield Sampled(*sampled), _kept(block, place, body), error or ""

    # --- jobs under way ---

    def sent(self, job_id: str, keys: Sequence[bytes]) -> None:
        """Keep a job before it is sent, whatever happens then: a later run finds its answer.

        Whatever else was noted waits for `commit`: this is done for each job.
        """
        self._db.execute("REPLACE INTO jobs VALUES (?, ?)", (job_id, b"".join(keys)))
        self._keep_written()

    def read(self, job_id: str) -> None:
        """Note that a job's answer is kept, or is nobody's any more."""
        self._read.append((job_id,))

    def under_way(self) -> list[tuple[str, list[bytes]]]:
        """Jobs that were sent and not read."""
        self._flush_answers()
        found = self._db.execute("SELECT id, keys FROM jobs").fetchall()
        return [
            (job_id, [keys[i : i + KEY_BYTES] for i in range(0, len(keys), KEY_BYTES)])
            for job_id, keys in found
        ]


def twice(id_: str) -> InvalidRequest:
    """What is said of an id that two rows have."""
    return InvalidRequest(
        f"two rows have the same id: {id_}; a list is to name a file once, and --id-column '#' "
        "calls a table's rows by number"
    )


def _kept(block: int | None, place: int | None, alone: bytes | None) -> KeptAnswer | None:
    if block is not None and place is not None:
        return KeptAnswer(block, place)
    return None if alone is None else KeptAnswer(0, 0, zlib.decompress(alone))
