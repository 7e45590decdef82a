"""What a followed run has seen of its source: sorted pieces in the store, never all in memory."""

from __future__ import annotations

import gzip
import heapq
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..client.annotate.sources.watched import WatchedFile
from ..jobs.follow_records import SeenPiece
from ..jobs.run_blobs import seen_key
from ..jobs.stores import Store
from ..protocol.errors import InvalidRequest

#: Files of a piece, at most: pieces are made one until then, so that there are few.
_MOST = 100_000

_LEVEL = 3


class SeenFile(NamedTuple):
    """A file that was seen."""

    path: str
    #: Its `FileVersion.tag`.
    tag: str
    #: How often it was another than before.
    times: int


class SeenFiles:
    """The pieces of one run; what is read of the store is kept in a folder of this process."""

    def __init__(self, run_id: str, pieces: Sequence[SeenPiece], store: Store, cache: Path) -> None:
        self._run_id, self._store, self._cache = run_id, store, cache
        self.pieces = list(pieces)
        #: Names of pieces that others hold now.
        self.stale: list[str] = []

    def unseen(self, found: Iterable[WatchedFile]) -> Iterator[tuple[WatchedFile, int]]:
        """Files that are new, or others than before, and how often they were.

        They come in the order of their paths. Raises InvalidRequest where they do not.
        """
        known = self._known()
        record, last = next(known, None), ""
        for file in found:
            if file.path <= last:
                raise InvalidRequest(
                    f"follow: {file.path!r} is listed behind {last!r}: a place that lists its files"
                    " in no order cannot be followed"
                )
            last = file.path
            while record is not None and record.path < file.path:
                record = next(known, None)
            if record is None or record.path != file.path:
                yield file, 1
            elif record.tag != file.version.tag:
                yield file, record.times + 1

    def add(self, files: Sequence[SeenFile], name: str) -> None:
        """Store files that are seen now, in order, as a piece of that name."""
        if not files:
            return
        self._put(name, files)
        self.pieces.append(SeenPiece(name=name, files=len(files)))
        while len(self.pieces) > 1 and self._are_one(*self.pieces[-2:]):
            self._make_one(f"{name}-{len(self.pieces)}")

    def forget(self, name: str) -> None:
        """Let a piece go that others hold."""
        self._store.delete(self._store.ref(seen_key(self._run_id, name)))

    def close(self) -> None:
        """Let go what this process keeps of a run that looks at nothing any more."""
        shutil.rmtree(self._cache / self._run_id, ignore_errors=True)

    @staticmethod
    def _are_one(older: SeenPiece, newer: SeenPiece) -> bool:
        """Whether two pieces are to be one: each file is written a few times then, in all."""
        return older.files <= 2 * newer.files and older.files + newer.files <= _MOST

    def _make_one(self, name: str) -> None:
        both = self.pieces[-2:]
        merged = list(self._merged(both))  # of `_MOST` files at most
        self._put(name, merged)
        for piece in both:
            self.stale.append(piece.name)
            self._file(piece).unlink(missing_ok=True)
        self.pieces[-2:] = [SeenPiece(name=name, files=len(merged))]

    def _known(self) -> Iterator[SeenFile]:
        return self._merged(self.pieces)

    def _merged(self, pieces: Sequence[SeenPiece]) -> Iterator[SeenFile]:
        """Files of pieces, each as the newest of them has it."""
        ages = range(len(pieces), 0, -1)
        each = (self._read(piece, age) for piece, age in zip(pieces, ages, strict=True))
        last = None
        for path, _, tag, times in heapq.merge(*each):
            if path != last:
                last = path
                yield SeenFile(path, tag, times)

    def _read(self, piece: SeenPiece, age: int) -> Iterator[tuple[str, int, str, int]]:
        with gzip.open(self._near(piece), "rt", encoding="ascii") as lines:
            for line in lines:
                path, tag, times = json.loads(line)
                yield path, age, tag, times

    def _near(self, piece: SeenPiece) -> Path:
        """The piece on this machine: fetched once."""
        file = self._file(piece)
        if not file.exists():
            self._keep(file, self._store.get(self._store.ref(seen_key(self._run_id, piece.name))))
        return file

    def _file(self, piece: SeenPiece) -> Path:
        return self._cache / self._run_id / piece.name

    def _put(self, name: str, files: Iterable[SeenFile]) -> None:
        # Names that are no UTF-8 are ASCII, too, as JSON escapes them.
        lines = "".join(f"{json.dumps(list(file))}\n" for file in files)
        packed = gzip.compress(lines.encode("ascii"), _LEVEL, mtime=0)
        self._store.put(seen_key(self._run_id, name), packed)
        self._keep(self._file(SeenPiece(name=name, files=0)), packed)

    @staticmethod
    def _keep(file: Path, packed: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        half = file.with_name(f"{file.name}.half")
        half.write_bytes(packed)
        half.replace(file)
