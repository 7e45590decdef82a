"""A picture with its answer drawn on it, as SVG in the image's own pixels.

A tile is some 300 pixels wide: `unit` is how much of the image one pixel of the page is then, so
that text and lines are as large on an icon as on a map.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from .answers import Item
from .colours import numbered
from .markup import cut, data_uri, escaped, number, score
from .skeletons import limbs
from .thumbnails import overlay

#: Pixels of a tile on the page.
_TILE = (300, 225)

#: Pixels on the page: of text, of a chip's padding, of a point.
_FONT, _PADDING, _RADIUS = 12.0, 3.0, 3.5

#: Width of a letter, of its height.
_LETTER = 0.62

#: Boxes that are drawn, and those that have a chip: more hide the picture.
_MOST_BOXES, _MOST_CHIPS, _CHIP_LETTERS = 100, 12, 16

#: Images up to this side keep their pixels' edges.
_COARSE = 128


class Area(NamedTuple):
    """A rectangle in the image's pixels."""

    left: float
    top: float
    width: float
    height: float

    def meets(self, other: Area) -> bool:
        """Whether they overlap."""
        return (
            self.left < other.left + other.width
            and other.left < self.left + self.width
            and self.top < other.top + other.height
            and other.top < self.top + self.height
        )


def drawn(picture: bytes, size: tuple[int, int], items: Sequence[Item], alt: str) -> str:
    """The picture of a row and what was found in it. `alt` is read to those who cannot see it."""
    width, height = size
    unit = max(width / _TILE[0], height / _TILE[1])
    coarse = ' class="coarse"' if max(size) <= _COARSE else ""
    parts = [
        f'<image{coarse} width="{width}" height="{height}" preserveAspectRatio="none" '
        f'href="{data_uri(picture)}"/>',
        *_masks(items, size),
        *_boxes(items, size, unit),
        *_points(items, unit),
    ]
    return (
        f'<svg class="picture" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escaped(alt)}">{"".join(parts)}</svg>'
    )


def _masks(items: Sequence[Item], size: tuple[int, int]) -> Iterator[str]:
    masked = [item for item in items if isinstance(getattr(item.value, "mask", None), bytes)]
    if not masked:
        return
    png = overlay([item.value for item in masked], size, [item.colour for item in masked])
    if png:
        yield (
            f'<image class="mask coarse" width="{size[0]}" height="{size[1]}" '
            f'preserveAspectRatio="none" href="{data_uri(png)}"/>'
        )


def _boxes(items: Sequence[Item], size: tuple[int, int], unit: float) -> Iterator[str]:
    boxed = [(item, area) for item in items if (area := _area(item.value))][:_MOST_BOXES]
    for item, area in boxed:
        place = _place(area)
        title = escaped(f"{item.name} {score(item.score)}")
        yield f'<rect class="halo" {place}/>'
        yield f'<rect class="box" {place} stroke="{item.colour.css}"><title>{title}</title></rect>'
    taken: list[Area] = []
    surest = sorted(boxed, key=lambda pair: -(pair[0].score or 0))
    for item, area in surest[:_MOST_CHIPS]:
        text = f"{cut(item.name, _CHIP_LETTERS)} {score(item.score)}".strip()
        chip = _chip(area, _text_width(text) * unit, size, unit, taken)
        if chip is None:
            continue  # the box's title and the caption tell
        taken.append(chip)
        yield (
            f'<rect class="chip" {_place(chip)} fill="{item.colour.css}"/>'
            f'<text x="{number(chip.left + _PADDING * unit)}" '
            f'y="{number(chip.top + chip.height - (_PADDING + 1) * unit)}" '
            f'font-size="{number(_FONT * unit)}">{escaped(text)}</text>'
        )


def _points(items: Sequence[Item], unit: float) -> Iterator[str]:
    points = [item.value for item in items if _is_point(item.value)]
    points.sort(key=lambda point: point.object)
    for place, group in groupby(points, key=lambda point: point.object):
        of_object, colour = list(group), numbered(place).css
        for start, end in limbs(of_object):
            yield (
                f'<line x1="{number(start.x)}" y1="{number(start.y)}" x2="{number(end.x)}" '
                f'y2="{number(end.y)}" stroke="{colour}"/>'
            )
        for point in of_object:
            title = escaped(f"{point.label} {score(point.score)}")
            yield (
                f'<circle cx="{number(point.x)}" cy="{number(point.y)}" '
                f'r="{number(_RADIUS * unit)}" fill="{colour}"><title>{title}</title></circle>'
            )


def _is_point(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("x", "y", "object", "label")) and math.isfinite(
        value.x + value.y
    )


def _area(value: Any) -> Area | None:
    box = getattr(value, "box", None)
    if box is None or not math.isfinite(box.xmin + box.ymin + box.xmax + box.ymax):
        return None
    return Area(box.xmin, box.ymin, max(0, box.xmax - box.xmin), max(0, box.ymax - box.ymin))


def _place(area: Area) -> str:
    return (
        f'x="{number(area.left)}" y="{number(area.top)}" '
        f'width="{number(area.width)}" height="{number(area.height)}"'
    )


def _chip(
    box: Area, text_width: float, size: tuple[int, int], unit: float, taken: Sequence[Area]
) -> Area | None:
    """Where a box's label goes: above it, inside, below; the first place that is free, if any."""
    width = text_width + 2 * _PADDING * unit
    height = (_FONT + _PADDING) * unit
    left = max(0.0, min(box.left, size[0] - width))
    bottom = box.top + box.height
    tops = (box.top - height, box.top, bottom, bottom - height)
    places = [Area(left, max(0.0, min(top, size[1] - height)), width, height) for top in tops]
    if box.top < height:
        places = [*places[1:], places[0]]
    free = (place for place in places if not any(place.meets(other) for other in taken))
    return next(free, None)


def _text_width(text: str) -> float:
    """Pixels of a text on the page, about: letters of East Asia are as wide as high."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return _FONT * (wide + (len(text) - wide) * _LETTER)
