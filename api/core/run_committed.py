"""What a run that follows its source has answered so far: parts of its shards, as one output."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from ...jobs.run_blobs import StoredFile, manifest, read_stored
from ...jobs.run_records import Run, RunOutput, Shard
from ...jobs.stores import Store
from ...tasks.annotations.formats import BY_NAME
from .run_output import SentFile

#: What a shard's parts are called, and what an output's files are.
_ROWS, _ERRORS, _NAME = "rows", "errors", "annotations"


class _Part(NamedTuple):
    piece: RunOutput
    file: StoredFile

    def without(self, size: int) -> _Part:
        """The same, but for its first bytes."""
        of = self.file
        return self._replace(file=StoredFile(of.name, of.offset + size, of.bytes - size))


def committed_files(store: Store, run: Run, shards: Sequence[Shard]) -> list[SentFile]:
    """The files of the shards that are done, in their order; none for none. It reads the store."""
    rows, errors = list[_Part](), list[_Part]()
    for shard in shards:
        if shard.piece is None:
            continue
        for file in manifest(store, shard.piece):
            if file.name in (_ROWS, _ERRORS):
                (rows if file.name == _ROWS else errors).append(_Part(shard.piece, file))
    if not rows or run.plan is None:
        return []
    name = f"{_NAME}{BY_NAME[run.plan.format].suffix}"
    head = run.plan.head.encode(errors="surrogateescape")
    bare = [part.without(len(head)) for part in rows]  # each has it
    files = [_joined(store, name, bare, head)]
    if errors:
        files.append(_joined(store, f"{name}.errors.jsonl", errors))
    return files


def _joined(store: Store, name: str, parts: Sequence[_Part], head: bytes = b"") -> SentFile:
    chunks = chain((head,) if head else (), *(read_stored(store, *part) for part in parts))
    return SentFile(name, len(head) + sum(part.file.bytes for part in parts), chunks)
