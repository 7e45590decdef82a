"""Masks as compressed run lengths, as COCO's JSON has them: `size` (height, width) and `counts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....tasks.values.masks import read_mask, write_mask
from ....tasks.values.rle import decode_compressed, encode_compressed


def runs_of(png: bytes) -> dict[str, Any]:
    """The run lengths of a mask's file; those of no pixels for no file."""
    if not png:
        return {"size": [0, 0], "counts": ""}
    mask = read_mask(png)
    return {"size": list(mask.shape), "counts": encode_compressed(mask)}


def file_of(runs: Mapping[str, Any]) -> bytes:
    """The file of a mask's run lengths."""
    if not runs["counts"]:
        return b""
    height, width = runs["size"]
    return write_mask(decode_compressed(runs["counts"], height, width))
