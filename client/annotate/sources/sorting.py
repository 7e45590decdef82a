"""Names in order, however many: a folder of ten million files must not be one list."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import IO

#: Names that are sorted in memory at once, about 10 MB.
_RUN = 50_000


def in_order(names: Iterable[str], *, run: int = _RUN) -> Iterator[str]:
    """The names, sorted by code point, which is the order of their UTF-8 bytes.

    More than `run` of them go through sorted runs in temporary files.
    """
    left = iter(names)
    first = sorted(islice(left, run))
    if len(first) < run:
        yield from first
        return
    with ExitStack() as stack:
        runs = [_spill(stack, first)]
        while chunk := sorted(islice(left, run)):
            runs.append(_spill(stack, chunk))
        del first, chunk
        yield from heapq.merge(*map(_read, runs))


def _spill(stack: ExitStack, names: list[str]) -> IO[bytes]:
    file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 # the stack closes it
    # A name may hold any character but "/" and NUL.
    file.writelines(name.encode("utf-8", "surrogateescape") + b"\0" for name in names)
    file.seek(0)
    return file


def _read(file: IO[bytes]) -> Iterator[str]:
    rest = b""
    while chunk := file.read(8192):
        *names, rest = (rest + chunk).split(b"\0")
        for name in names:
            yield name.decode("utf-8", "surrogateescape")
