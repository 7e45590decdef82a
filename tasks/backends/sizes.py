"""How large an image becomes. Pure: a size in, a size out, as (width, height) in pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Size = tuple[int, int]


class Resize(Protocol):
    """A rule that gives the size to resize to."""

    @property
    def fixed(self) -> Size | None:
        """The size of every result; None where it follows the image."""

    def __call__(self, size: Size) -> Size:
        """The size that an image of this size becomes."""
        ...


@dataclass(frozen=True, slots=True)
class Exact:
    """One size for all; the aspect ratio gives way."""

    size: Size

    @property
    def fixed(self) -> Size:
        """The size itself."""
        return self.size

    def __call__(self, size: Size) -> Size:  # noqa: ARG002 # the one rule that does not look
        """The size itself."""
        return self.size


@dataclass(frozen=True, slots=True)
class ShortestEdge:
    """The shorter edge becomes `edge`, the longer follows."""

    edge: int
    fixed: None = None

    def __call__(self, size: Size) -> Size:
        """Keep the aspect ratio."""
        return _oriented(self.edge, int(self.edge * max(size) / min(size)), size)


@dataclass(frozen=True, slots=True)
class Bounded:
    """The shorter edge becomes `shortest`, or less where the longer would pass `longest`.

    Both are cut down to a multiple of `multiple`.
    """

    shortest: int
    longest: int
    multiple: int = 1
    fixed: None = None

    def __call__(self, size: Size) -> Size:
        """Keep the aspect ratio."""
        short, long = min(size), max(size)
        edge: float = self.shortest
        if long / short * edge > self.longest:
            edge = self.longest * short / long
        # The shorter edge rounds, the longer is cut, and follows the exact one: as DETR does.
        near = round(edge)
        far = long if near == short else int(edge * long / short)
        return _oriented(near - near % self.multiple, far - far % self.multiple, size)


@dataclass(frozen=True, slots=True)
class Within:
    """As large as fits into (width, height), aspect ratio kept: one edge is met."""

    size: Size
    fixed: None = None

    def __call__(self, size: Size) -> Size:
        """Keep the aspect ratio."""
        scale = min(self.size[1] / size[1], self.size[0] / size[0])
        return int(size[0] * scale), int(size[1] * scale)


@dataclass(frozen=True, slots=True)
class Constrained:
    """DPT's rule: near `size`, both edges rounded to a multiple; `kept` keeps the aspect ratio."""

    size: Size
    multiple: int = 1
    kept: bool = True
    fixed: None = None

    def __call__(self, size: Size) -> Size:
        """Scale both edges by the factor that changes less, or each by its own."""
        width, height = (to / own for to, own in zip(self.size, size, strict=True))
        if self.kept:
            width = height = width if abs(1 - width) < abs(1 - height) else height
        return self._rounded(width * size[0]), self._rounded(height * size[1])

    def _rounded(self, edge: float) -> int:
        return round(edge / self.multiple) * self.multiple


@dataclass(frozen=True, slots=True)
class Divisible:
    """ViLT's rule: the shorter edge becomes `shortest`, within a longest of 1333 / 800 of it; both
    are cut down to a multiple of `divisor`.
    """

    shortest: int
    divisor: int
    fixed: None = None

    def __call__(self, size: Size) -> Size:
        """Keep the aspect ratio."""
        scale = self.shortest / min(size)
        width, height = size[0] * scale, size[1] * scale
        longest = int(1333 / 800 * self.shortest)
        if max(width, height) > longest:
            scale = longest / max(width, height)
            width, height = width * scale, height * scale
        return self._cut(width), self._cut(height)

    def _cut(self, edge: float) -> int:
        return int(edge + 0.5) // self.divisor * self.divisor


@dataclass(frozen=True, slots=True)
class CutDown:
    """The image's own size, both edges cut down to a multiple of `divisor`."""

    divisor: int
    fixed: None = None

    def __call__(self, size: Size) -> Size:
        """Shrink by less than `divisor`."""
        return size[0] // self.divisor * self.divisor, size[1] // self.divisor * self.divisor


@dataclass(frozen=True, slots=True)
class RoundedUp:
    """What another rule gives, both edges brought up to a multiple of `divisor`."""

    rule: Resize
    divisor: int
    fixed: None = None

    def __call__(self, size: Size) -> Size:
        """Grow by less than `divisor`."""
        width, height = self.rule(size)
        return width + -width % self.divisor, height + -height % self.divisor


def _oriented(short: int, long: int, like: Size) -> Size:
    return (short, long) if like[0] <= like[1] else (long, short)


def read_resize(size: Mapping[str, Any], *, multiple: int = 1) -> Resize | None:
    """The rule of a processor's `size` setting; None for one that is not known here."""
    edges = {name: int(edge) for name, edge in size.items() if edge}
    match edges:
        case {"height": height, "width": width}:
            return Exact((width, height))
        case {"shortest_edge": shortest, "longest_edge": longest}:
            return Bounded(shortest, longest, multiple)
        case {"shortest_edge": shortest}:
            return ShortestEdge(shortest)
        case {"max_height": height, "max_width": width}:
            return Within((width, height))
    return None
