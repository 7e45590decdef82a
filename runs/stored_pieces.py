"""The shards' pieces of an output, as the store has them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from ..client.annotate.formats.base import Moved
from ..client.annotate.pieces import FILES, OutputPiece
from ..jobs.run_blobs import PART_BYTES, StoredFile, manifest, part_key, put_output, shard_key
from ..jobs.run_records import RunOutput, Shard
from ..jobs.stores import Store
from .hold import StepHold


class ShardPiece:
    """A shard's piece. What was read last stays in memory until it is told to `rest`."""

    def __init__(self, hold: StepHold, store: Store, shard: Shard) -> None:
        self._hold, self._store, self._shard = hold, store, shard
        self._output = shard.piece or RunOutput()
        self._part: tuple[int, bytes] = (-1, b"")

    @property
    def names(self) -> Collection[str]:
        """What its files are called."""
        return self._files.keys()

    @cached_property
    def _files(self) -> dict[str, StoredFile]:
        return {file.name: file for file in manifest(self._store, self._output)}

    def read(self, name: str) -> Iterator[bytes]:
        """A file of it."""
        file = self._files[name]
        at, end = file.offset, file.offset + file.bytes
        while at < end:
            number, skipped = divmod(at, PART_BYTES)
            length = min(end - at, PART_BYTES - skipped)
            yield self._part_of(number)[skipped : skipped + length]
            at += length

    def _part_of(self, number: int) -> bytes:
        if self._part[0] != number:
            self._hold.check()
            ref = self._store.ref(part_key(self._output.key, number))
            self._part = number, self._store.get(ref)
        return self._part[1]

    def rows(self) -> bytes:
        """The shard's rows."""
        self._hold.check()
        shard = self._shard
        key = shard_key(self._hold.step.run_id, shard.number, "rows", shard.rows_blob)
        return self._store.get(self._store.ref(key))

    def own_files(self) -> Iterator[tuple[str, bytes]]:
        """The output's own files, by their names in its folder."""
        for name in self._files:
            if name.startswith(FILES):
                yield name.removeprefix(FILES), b"".join(self.read(name))

    def rest(self) -> None:
        """Let go of what is in memory; whatever is asked then is read anew."""
        self.__dict__.pop("_files", None)
        self._part = (-1, b"")


def put_piece(store: Store, key: str, piece: OutputPiece) -> RunOutput:
    """Put a piece into the store."""
    return put_output(store, key, _opened(piece.files))


def _opened(files: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, BinaryIO]]:
    """Files to read, one after another."""
    for name, path in files:
        with path.open("rb") as file:
            yield name, file


def own_files(
    pieces: Sequence[ShardPiece], moved: Sequence[Moved | None], folder: str
) -> Iterator[tuple[str, bytes]]:
    """The own files of an output that is a folder, as they are in the whole of it."""
    for piece, move in zip(pieces, moved, strict=True):
        for name, content in piece.own_files():
            yield f"{folder}/{name}", move(content) if move else content
        piece.rest()


def write_files(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files below a folder."""
    made = set[Path]()
    for name, content in files:
        path = folder / name
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        path.write_bytes(content)
