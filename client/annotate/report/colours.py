"""Colours of labels: the same in charts and on pictures, legible on a light and on a dark page."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Colour(NamedTuple):
    """Red, green and blue, 0 to 255."""

    red: int
    green: int
    blue: int

    @property
    def rgb(self) -> tuple[int, int, int]:
        """As Pillow wants it."""
        return self.red, self.green, self.blue

    @property
    def css(self) -> str:
        """As CSS and SVG want it."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"


#: Of middling lightness: each stands out from white and from near-black by 3 to 1, and black text
#: on it by 4.5 to 1 (WCAG 2.2, 1.4.3 and 1.4.11).
PALETTE = (
    Colour(0x4A, 0x86, 0xDB),
    Colour(0xD9, 0x73, 0x0D),
    Colour(0x2E, 0x9E, 0x5B),
    Colour(0xE0, 0x50, 0x50),
    Colour(0x9C, 0x6F, 0xDB),
    Colour(0x15, 0x95, 0xA3),
    Colour(0xD6, 0x4F, 0xA0),
    Colour(0x9A, 0x82, 0x1F),
)


@dataclass(frozen=True, slots=True)
class Colours:
    """Who has which colour: the commonest labels one of their own, the others share."""

    places: dict[str, int]

    @classmethod
    def of(cls, labels: Iterable[str]) -> Colours:
        """For labels, the commonest first."""
        return cls({label: at for at, label in zip(range(len(PALETTE)), labels, strict=False)})

    def __getitem__(self, label: str) -> Colour:
        place = self.places.get(label)
        return PALETTE[zlib.crc32(label.encode("utf-8", "replace")) % 8 if place is None else place]


def numbered(number: int) -> Colour:
    """For things without a label."""
    return PALETTE[number % len(PALETTE)]
