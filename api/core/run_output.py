"""What a run wrote, to be fetched: one file as it is, several as a zip made as it is sent."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote

from starlette.responses import StreamingResponse

from ...jobs.run_blobs import manifest, read_stored
from ...jobs.run_records import RunOutput
from ...jobs.stores import Store
from ..http.zip_stream import zipped
from .store_threads import in_store

#: No browser is to make more of what a run wrote than a file to keep.
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


class _Sent(NamedTuple):
    """What is sent under which name; None for a length that is not known before."""

    chunks: Iterator[bytes]
    name: str
    kind: str
    length: int | None


async def output_response(store: Store, output: RunOutput, name: str) -> StreamingResponse:
    """An output's files, as `name` or below it. Raises NotFound, StoreUnavailable."""
    files = await in_store(manifest, store, output)
    return files_response(
        [SentFile(file.name, file.bytes, read_stored(store, output, file)) for file in files], name
    )


class SentFile(NamedTuple):
    """A file that is sent: its name, its size, and what reads it in a thread."""

    name: str
    size: int
    chunks: Iterator[bytes]


def files_response(files: Sequence[SentFile], name: str) -> StreamingResponse:
    """One file as it is, several as a zip of that name."""
    sent = _sent(files, name)
    headers = {
        **_HEADERS,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(sent.name, safe='')}",
    }
    if sent.length is not None:
        headers["Content-Length"] = str(sent.length)
    return StreamingResponse(_chunks(sent.chunks), headers=headers, media_type=sent.kind)


def _sent(files: Sequence[SentFile], name: str) -> _Sent:
    if len(files) == 1:
        [file] = files
        base = file.name.rpartition("/")[2]
        kind = mimetypes.guess_type(base)[0] or "application/octet-stream"
        return _Sent(file.chunks, base, kind, file.size)
    members = ((f"{name}/{file.name}", file.size, file.chunks) for file in files)
    return _Sent(zipped(members), f"{name}.zip", "application/zip", None)


async def _chunks(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Chunks of an iterator that reads the store."""
    while (chunk := await in_store(next, chunks, None)) is not None:
        yield chunk
