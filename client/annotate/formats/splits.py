"""Which part of a data set a row is for: training, validation or test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

#: The part of all rows that are in no other.
TRAIN = "train"
#: The others, as readers call them.
OTHERS = ("val", "test")


def split_of(row_id: str, shares: Mapping[str, float]) -> str:
    """The part that a row is in, by its id alone: the same one when the data set has grown."""
    digest = hashlib.blake2b(row_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    place = int.from_bytes(digest) / 2**64
    for name in OTHERS:
        share = shares.get(name, 0.0)
        if place < share:
            return name
        place -= share
    return TRAIN
