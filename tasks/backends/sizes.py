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
    return None
