"""Sheets of shards that are put together: few blocks where there were many, and one of pictures."""

from __future__ import annotations

import gzip
from collections import Counter
from typing import Any

from pydantic_core import from_json, to_json

from ..jobs.run_blobs import SheetBlock, pictures_key, read_block, sheet_index
from ..jobs.run_records import Shard
from ..jobs.stores import Store

#: Rows of a block at least, and its labels that the index tells, as in `sheet.py`.
_BLOCK, _BLOCK_LABELS = 200, 50

_LEVEL = 3


class SheetFold:
    """The sheet that some sheets become, one behind the other."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store, self._run_id = store, run_id
        self.body, self.pictures = bytearray(), bytearray()
        self.index: list[dict[str, Any]] = []
        self._blocks: list[SheetBlock] = []
        self._lines: list[bytes] = []

    def add(self, shard: Shard) -> None:
        """Put a shard's sheet behind those before."""
        before = len(self.pictures)
        if shard.has_pictures:
            key = pictures_key(self._run_id, shard.number, shard.sheet)
            self.pictures += self._store.get(self._store.ref(key))
        for block in sheet_index(self._store, self._run_id, shard.number, shard.sheet):
            lines = read_block(self._store, self._run_id, shard.number, shard.sheet, block)
            moves = bool(shard.has_pictures and before)
            self._lines += [_moved(line, before) for line in lines] if moves else lines
            self._blocks.append(block)
            if len(self._lines) >= _BLOCK:
                self.end()

    def end(self) -> None:
        """Make a block of what is there; call it after the last shard."""
        if not self._blocks:
            return
        packed = gzip.compress(b"\n".join(self._lines), _LEVEL, mtime=0)
        labels = sum((Counter(block.labels) for block in self._blocks), Counter[str]())
        low = [block.min_score for block in self._blocks if block.min_score is not None]
        high = [block.max_score for block in self._blocks if block.max_score is not None]
        self.index.append(
            {
                "first": self._blocks[0].first,
                "rows": len(self._lines),
                "offset": len(self.body),
                "length": len(packed),
                "failed": sum(block.failed for block in self._blocks),
                "labels": dict(labels.most_common(_BLOCK_LABELS)),
                "more": any(b.more for b in self._blocks) or len(labels) > _BLOCK_LABELS,
                "min_score": min(low, default=None),
                "max_score": max(high, default=None),
            }
        )
        self.body += packed
        self._blocks.clear()
        self._lines.clear()


def _moved(line: bytes, by: int) -> bytes:
    """A row whose picture lies so many bytes further on."""
    row = from_json(line)
    if row["picture"] is None:
        return line
    row["picture"] = [row["picture"][0] + by, row["picture"][1]]
    return to_json(row)
