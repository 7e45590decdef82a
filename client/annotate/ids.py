"""Ids of rows that are annotated in parts: none may be there twice.

A part tells hashes of its ids, sorted. Those of all parts are looked through a range of hashes at a
time, so that memory stays the same however many there are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from hashlib import blake2b
from mmap import ACCESS_READ, mmap
from pathlib import Path
from tempfile import TemporaryFile

from .ledger import Ledger

#: Bytes of a hash.
_BYTES = 8

#: Hashes that are looked through at a time, about.
_RANGE = 100_000


def ids_of(ledger: Ledger) -> bytes:
    """Hashes of the ids of a ledger's rows, sorted; unread rows may be called as others are."""
    ledger.commit()
    ids = ledger.database.execute("SELECT id FROM rows WHERE NOT unread")
    return hashes_of(id_ for (id_,) in ids)


def hashes_of(ids: Iterable[str]) -> bytes:
    """Hashes of ids, sorted."""
    return b"".join(sorted(map(_hash, ids)))


def _hash(id_: str) -> bytes:
    return blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest()


class Ids:
    """The ids of all parts. Use it in a `with` block."""

    def __init__(self, folder: Path) -> None:
        self._held = ExitStack()
        self._file = self._held.enter_context(TemporaryFile(dir=folder))  # noqa: SIM115 # held
        #: Where each part's begin, counted in hashes; and where the last ends.
        self._begins = [0]

    def __enter__(self) -> Ids:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def add(self, hashes: bytes) -> None:
        """Take in those of a part."""
        self._file.write(hashes)
        self._begins.append(self._begins[-1] + len(hashes) // _BYTES)

    def twice(self) -> set[bytes]:
        """The hashes that are there more than once."""
        if not self._begins[-1]:
            return set()
        self._file.flush()
        with mmap(self._file.fileno(), 0, access=ACCESS_READ) as told:
            return {found for hashes in self._ranges(told) for found in _doubled(hashes)}

    def _ranges(self, told: mmap) -> Iterator[bytes]:
        """All hashes, those of a range at a time."""
        begins, count = self._begins[:-1], self._begins[-1] // _RANGE + 1
        for number in range(1, count + 1):
            if number == count:
                ends = self._begins[1:]
            else:
                bound = (number * 2 ** (8 * _BYTES) // count).to_bytes(_BYTES)
                ends = [
                    bisect_left(_Hashes(told), bound, begin, end)
                    for begin, end in zip(begins, self._begins[1:], strict=True)
                ]
            cut = zip(begins, ends, strict=True)
            yield b"".join(told[begin * _BYTES : end * _BYTES] for begin, end in cut)
            begins = ends


class _Hashes:
    """Hashes by their place."""

    def __init__(self, told: mmap) -> None:
        self._told = told

    def __len__(self) -> int:
        return len(self._told) // _BYTES

    def __getitem__(self, place: int) -> bytes:
        return self._told[place * _BYTES : (place + 1) * _BYTES]


def _doubled(hashes: bytes) -> Iterator[bytes]:
    # As numbers: equal bytes are equal, whatever they count.
    numbers = memoryview(hashes).cast("Q").tolist()
    if len(set(numbers)) == len(numbers):
        return
    seen: set[bytes] = set()
    for at in range(0, len(hashes), _BYTES):
        one = hashes[at : at + _BYTES]
        if one in seen:
            yield one
        seen.add(one)


def first_twice(parts: Iterable[Iterable[str]], hashes: set[bytes]) -> str | None:
    """The first id that an earlier row has, of those with such hashes; None where hashes lie."""
    seen: set[str] = set()
    for ids in parts:
        for id_ in ids:
            if _hash(id_) in hashes:
                if id_ in seen:
                    return id_
                seen.add(id_)
    return None
