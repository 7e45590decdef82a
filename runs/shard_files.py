"""The files that are a shard's rows, where a run follows its source: a list in the store."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator

from ..client.annotate.sources.walking import FoundFile
from ..jobs.run_blobs import shard_key
from ..jobs.run_records import Shard
from ..jobs.stores import Store

#: What the files of a shard are called: in its part, and in the store.
FILES = "files"


def packed_files(files: Iterable[FoundFile]) -> bytes:
    """Files of a shard, as the store has them."""
    lines = "".join(f"{json.dumps([file.path, file.id])}\n" for file in files)
    return gzip.compress(lines.encode("ascii"), mtime=0)


def shard_files(store: Store, run_id: str, shard: Shard) -> Iterator[FoundFile]:
    """The files that are a shard's rows, in their order."""
    packed = store.get(store.ref(shard_key(run_id, shard.number, FILES, shard.part[FILES])))
    for line in gzip.decompress(packed).splitlines():
        path, id_ = json.loads(line)
        yield FoundFile(path, id=id_)
