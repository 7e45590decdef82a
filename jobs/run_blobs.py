"""What the store has of a run: keys, and outputs as stretches of one run of bytes.

    run/ID/shard/N/segment/NAME   answers, as the shard's ledger has them, some seconds' worth each
    run/ID/shard/N/rows/NAME      the shard's rows, once all are answered
    run/ID/shard/N/keys/NAME      how the keys of those rows begin, 8 bytes each, in order
    run/ID/shard/N/files/NAME     of a followed run, the files that are its rows
    run/ID/seen/NAME              of a followed run, files that it has seen, in order
    run/ID/sheet/N/NAME           rows to browse; NAME.index says which block has which
    run/ID/pictures/N/NAME        their thumbnails, one after another
    run/ID/quality/N/NAME         counts along the shard, and why rows of it failed
    run/ID/seen/N/NAME            what is seen in its pictures, to find those that look alike
    run/ID/report/N/NAME          a page about it, where the run is held behind it
    run/ID/output/NAME/PART       the output's files one after another, cut into parts
    run/ID/output/NAME/manifest   their names, offsets and sizes
    run/ID/export/FORMAT/...      the same of an export

NAME is new with each attempt: whoever lost a step overwrites nothing, and is read by nobody.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from pydantic_core import from_json, to_json

from .run_records import RunFile, RunOutput
from .stores import Store

#: Bytes of a part of an output.
PART_BYTES = 8 * 1024 * 1024

#: Files of an output that its record names; the manifest names all.
_LISTED = 100


def shard_key(run_id: str, number: int, kind: str, name: str) -> str:
    """Where a shard's `segment`, `rows` or `files` are."""
    return f"run/{run_id}/shard/{number:06}/{kind}/{name}"


def seen_key(run_id: str, name: str) -> str:
    """Where a piece of what a followed run has seen is."""
    return f"run/{run_id}/seen/{name}"


def sheet_key(run_id: str, number: int, name: str) -> str:
    """Where a shard's rows to browse are; with `.index` behind it, where each block is."""
    return f"run/{run_id}/sheet/{number:06}/{name}"


def pictures_key(run_id: str, number: int, name: str) -> str:
    """Where a shard's thumbnails are."""
    return f"run/{run_id}/pictures/{number:06}/{name}"


def quality_key(run_id: str, number: int, name: str, kind: str = "quality") -> str:
    """Where a shard's `quality` is, what is `seen` in its pictures, a `report` about it."""
    return f"run/{run_id}/{kind}/{number:06}/{name}"


def output_key(run_id: str, name: str, export: str = "") -> str:
    """How the keys of an output begin, or of an export to a format."""
    return f"run/{run_id}/export/{export}/{name}" if export else f"run/{run_id}/output/{name}"


class StoredFile(NamedTuple):
    """A file of an output, in the bytes of all of them."""

    name: str
    offset: int
    bytes: int


def put_output(store: Store, key: str, files: Iterable[tuple[str, BinaryIO]]) -> RunOutput:
    """Store files, one after another; answers what the run's record says of them."""
    listed: list[StoredFile] = []
    pending, parts, offset = bytearray(), 0, 0
    for name, file in files:
        size = 0
        while chunk := file.read(PART_BYTES):
            size += len(chunk)
            pending += chunk
            while len(pending) >= PART_BYTES:
                store.put(part_key(key, parts), bytes(pending[:PART_BYTES]))
                del pending[:PART_BYTES]
                parts += 1
        listed.append(StoredFile(name, offset, size))
        offset += size
    if pending:
        store.put(part_key(key, parts), bytes(pending))
        parts += 1
    lines = b"".join(to_json(list(file)) + b"\n" for file in listed)
    store.put(f"{key}/manifest", gzip.compress(lines, 6, mtime=0))
    return RunOutput(
        files=len(listed),
        bytes=offset,
        listed=[RunFile(name=f.name, bytes=f.bytes) for f in listed[:_LISTED]],
        key=key,
        parts=parts,
    )


def part_key(key: str, number: int) -> str:
    """Where a part of an output is: `PART_BYTES` of it, but for the last."""
    return f"{key}/{number:06}"


def manifest(store: Store, output: RunOutput) -> list[StoredFile]:
    """Every file of an output that is in the store."""
    packed = store.get(store.ref(f"{output.key}/manifest"))
    return [StoredFile(*from_json(line)) for line in gzip.decompress(packed).splitlines()]


def read_stored(store: Store, output: RunOutput, file: StoredFile) -> Iterator[bytes]:
    """The bytes of a file, a part at a time."""
    at, end = file.offset, file.offset + file.bytes
    while at < end:
        number, skipped = divmod(at, PART_BYTES)
        length = min(end - at, PART_BYTES - skipped)
        yield store.get_range(store.ref(part_key(output.key, number)), skipped, length)
        at += length


class SheetBlock(NamedTuple):
    """A block of a sheet: which rows it has, where it is, and what helps to pass it over."""

    first: int
    rows: int
    offset: int
    length: int
    failed: int
    labels: dict[str, int]
    #: Whether it has labels that are not told.
    more: bool
    min_score: float | None
    max_score: float | None


def sheet_index(store: Store, run_id: str, number: int, name: str) -> Sequence[SheetBlock]:
    """The blocks of a shard's sheet."""
    found = from_json(store.get(store.ref(sheet_key(run_id, number, name) + ".index")))
    return [SheetBlock(**block) for block in found]


def read_block(store: Store, run_id: str, number: int, name: str, block: SheetBlock) -> list[bytes]:
    """A block's rows, each a JSON object."""
    ref = store.ref(sheet_key(run_id, number, name))
    packed = store.get_range(ref, block.offset, block.length)
    return gzip.decompress(packed).split(b"\n")[: block.rows]
