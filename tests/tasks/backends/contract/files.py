"""Files that are broken, or too large, and what a row's error says of them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from wherry.tasks.base import Task
from wherry.tasks.vision.images import MAX_PIXELS

from ....support import sounds, tiny
from .case import Row

IMAGES: list[Row] = [{"images": [file]} for file in tiny.images()]

BROKEN_IMAGES: list[tuple[Row, str]] = [
    ({"images": [b""]}, "the image is empty"),
    ({"images": [b"junk"]}, "not an image of a known format"),
    ({"images": [tiny.images()[0][:-200]]}, "the image cannot be read"),
]


def picture_of(pixels: int) -> bytes:
    """The head of a PNG of so many pixels, on a line: nobody is to read on."""
    head = b"IHDR" + struct.pack(">IIBBBBB", pixels, 1, 8, 2, 0, 0, 0)
    body = b"\x00\x00\x00\x00IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    ) + body


def beyond_pixels(pixels: int = MAX_PIXELS) -> tuple[Row, str]:
    """An image of more pixels than are allowed."""
    # Between this limit and twice as many Pillow only warns, and warnings are errors here.
    many = 3 * pixels if pixels == MAX_PIXELS else pixels + 1
    return {"images": [picture_of(many)]}, f"pixels; {pixels} are allowed"


def cleared(task: Task, rows: Sequence[Row]) -> Row:
    """The first row with pictures, which now let the ground through here and there."""
    fields = [spec.field for spec in task.inputs if spec.content == "image"]
    row = next(row for row in rows if any(row.get(field) for field in fields))

    def clear(value: Any) -> Any:
        if isinstance(value, list):
            return [clear(part) for part in value]
        image = Image.open(io.BytesIO(value)).convert("RGBA")
        image.putalpha(tiny.noise(*image.size).convert("L"))
        return tiny.encode(image)

    return {name: clear(value) if name in fields else value for name, value in row.items()}


SOUNDS: list[Row] = [
    {"audio": [sounds.file(sounds.tone(1, 440))]},
    *({"audio": [tone.tobytes()], "sample_rate": sounds.RATE} for tone in sounds.tones()[1:]),
]

BROKEN_SOUNDS: list[tuple[Row, str]] = [
    ({"audio": [b""]}, "the sound is empty"),
    ({"audio": [b"RIFFjunkWAVE"]}, "the sound cannot be read"),
    ({"audio": [b"12345"], "sample_rate": 16_000}, "4 bytes each"),
    ({"audio": [sounds.tone(1, 440).tobytes()]}, "parameter sample_rate"),
    (
        {"audio": [np.full(9000, np.nan, np.float32).tobytes()], "sample_rate": 16_000},
        "samples must be finite",
    ),
]


def beyond_seconds(seconds: int) -> tuple[Row, str]:
    """A sound that lasts longer than is allowed."""
    return {"audio": [bytes(4 * 1000 * (seconds + 1))], "sample_rate": 1000}, f"over {seconds} sec"
