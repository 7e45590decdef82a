"""Which part of a data set a row is for: training, validation or test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from ..rows import Annotation

#: The part of all rows that are in no other.
TRAIN = "train"
#: The others, as readers call them.
OTHERS = ("val", "test")


def part_of(annotation: Annotation, shares: Mapping[str, float]) -> str:
    """The part that a row is in. All frames of a film are in one, as are all pages of a document:
    they are nearly alike, and would tell nothing of what was learnt of the others.
    """
    whole = annotation.frame.file if annotation.frame else annotation.id
    return split_of(whole, shares)


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
