"""What becomes of an image's edges: cut or squared, resized, cropped, and padded.

Each processor of `processor_table.py` names its rule.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from PIL import Image

from ....protocol.errors import RowError
from ..sizes import (
    Constrained,
    CutDown,
    Divisible,
    Exact,
    Resize,
    RoundedUp,
    ShortestEdge,
    Size,
    read_resize,
)
from .processor_table import Known

#: Under this edge a ConvNeXt crops what it resized; from it on it warps.
_WARPED = 384


@dataclass(frozen=True, slots=True)
class Region:
    """A square or rectangle that is cut out of an image, or made around it, before all else."""

    #: Width and height in parts of the image's shorter edge; None for a square of the longer one.
    parts: tuple[float, float] | None
    #: What is beyond the image.
    colour: tuple[int, ...] = (0, 0, 0)

    def size(self, size: Size) -> Size:
        """Its size, of an image of this size."""
        if self.parts is None:
            return max(size), max(size)
        return int(self.parts[0] * min(size)), int(self.parts[1] * min(size))

    def within(self, size: Size) -> tuple[int, ...]:
        """Left, top, right and bottom in an image of this size; () where it is larger."""
        width, height = self.size(size)
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
        return () if min(left, top) < 0 else (left, top, left + width, top + height)

    def of(self, image: Image.Image) -> Image.Image:
        """That part of an image, in its middle."""
        width, height = self.size(image.size)
        if self.parts is not None:
            return cropped(image, (width, height))
        around = Image.new("RGB", (width, height), self.colour)
        around.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
        return around


@dataclass(frozen=True, slots=True)
class UpTo:
    """A size for all. `lenient` lets larger edges stay as they are."""

    size: Size
    lenient: bool = False

    def __call__(self, size: Size) -> Size:
        """The size itself. Raises RowError for an image that is larger."""
        if self.lenient:
            return max(self.size[0], size[0]), max(self.size[1], size[1])
        if size[0] > self.size[0] or size[1] > self.size[1]:
            raise RowError(
                f"an image of {size[0]} x {size[1]} pixels does not fit into the "
                f"{self.size[0]} x {self.size[1]} that the model's processor pads to"
            )
        return self.size


@dataclass(frozen=True, slots=True)
class Multiple:
    """A multiple of `divisor`; with `more` never the size itself."""

    divisor: int
    more: bool = False

    def __call__(self, size: Size) -> Size:
        """Grow by `divisor` at most."""
        width, height = ((edge - (not self.more)) // self.divisor + 1 for edge in size)
        return width * self.divisor, height * self.divisor


@dataclass(frozen=True, slots=True)
class Frame:
    """What is around an image that was resized."""

    whole: Callable[[Size], Size]
    #: Zeros beside the normalised values, black before, or the image in a mirror.
    fill: Literal["zeros", "black", "mirror"] = "zeros"
    centred: bool = False
    #: Whether the model is told where the image lies.
    masked: bool = False

    def corner(self, size: Size) -> tuple[int, int]:
        """How far the image lies from the left, and from above."""
        whole = self.whole(size)
        if not self.centred:
            return 0, 0
        return (whole[0] - size[0]) // 2, (whole[1] - size[1]) // 2


@dataclass(frozen=True, slots=True)
class Edges:
    """All of it, in this order. `crop` is (width, height) in pixels."""

    region: Region | None = None
    resize: Resize | None = None
    crop: Size | None = None
    frame: Frame | None = None


def cropped(image: Image.Image, crop: Size) -> Image.Image:
    """The middle of an image, as transformers' processors place it."""
    # Pillow pads with black where the image is smaller, as the processors do.
    left, top = (image.width - crop[0]) // 2, (image.height - crop[1]) // 2
    return image.crop((left, top, left + crop[0], top + crop[1]))


def read_edges(known: Known, whole: Mapping[str, Any]) -> Edges | None:
    """What a processor's settings say; None for what is not known here."""
    try:
        edges = _RULES[known.rule](whole)
        frame = _FRAMES[known.pads](whole) if known.pads and whole["do_pad"] else None
    except (KeyError, TypeError):  # a setting that the rule needs, or one of another form
        return None
    if edges is None or (whole["do_resize"] and edges.resize is None):
        return None
    return replace(edges, resize=edges.resize if whole["do_resize"] else None, frame=frame)


def _plain(whole: Mapping[str, Any]) -> Edges:
    resize = read_resize(whole["size"], multiple=whole["multiple"])
    return Edges(resize=resize, crop=_crop(whole))


def _crop(whole: Mapping[str, Any]) -> Size | None:
    crop = whole["crop_size"] if whole["do_center_crop"] else None
    return crop and (int(crop["width"]), int(crop["height"]))


def _cropped_or_warped(whole: Mapping[str, Any]) -> Edges | None:
    """ConvNeXt's, and ResNet's."""
    edge = int(whole["size"]["shortest_edge"])
    if whole["do_center_crop"]:
        return None  # a second time
    if edge >= _WARPED:
        return Edges(resize=Exact((edge, edge)))
    crop = (edge, edge) if whole["do_resize"] else None
    return Edges(resize=ShortestEdge(int(edge / whole["crop_pct"])), crop=crop)


def _enlarged(whole: Mapping[str, Any]) -> Edges:
    """PoolFormer's: what is cropped is a part of the size."""
    part, size = whole["crop_pct"], whole["size"]
    if part is None:
        return _plain(whole)
    edges = (size.get("shortest_edge"), size.get("width"), size.get("height"))
    edge, width, height = (int(e / part) if e else 0 for e in edges)
    square = ShortestEdge(edge or height)
    return Edges(
        resize=square if edge or width == height else Exact((width, height)), crop=_crop(whole)
    )


def _with_a_margin(whole: Mapping[str, Any]) -> Edges:
    """LeViT's: 32 pixels more than 224."""
    edge = whole["size"].get("shortest_edge")
    edges = _plain(whole)
    return replace(edges, resize=ShortestEdge(int(256 / 224 * edge))) if edge else edges


def _divided(whole: Mapping[str, Any]) -> Edges:
    edges = _plain(whole)
    divisor = int(whole["size_divisor"] or 0)
    if divisor and edges.resize:
        return replace(edges, resize=RoundedUp(edges.resize, divisor))
    return edges


def _constrained(whole: Mapping[str, Any]) -> Edges:
    size, multiple = whole["size"], whole["ensure_multiple_of"]
    rule = Constrained((size["width"], size["height"]), multiple, kept=whole["keep_aspect_ratio"])
    exact = multiple == 1 and not whole["keep_aspect_ratio"]
    return Edges(resize=Exact(rule.size) if exact else rule)


def _cut_down(whole: Mapping[str, Any]) -> Edges:
    return Edges(resize=CutDown(int(whole["size_divisor"])))


def _divisible(whole: Mapping[str, Any]) -> Edges:
    """ViLT's, and BridgeTower's, which crops a square."""
    crop = whole["crop_size"]["shortest_edge"] if whole["do_center_crop"] else None
    size = whole["size"]
    if whole.get("size_divisor") is None and {"height", "width"} <= set(size):
        return Edges(resize=read_resize(size), crop=crop and (crop, crop))
    rule = Divisible(int(size["shortest_edge"]), int(whole["size_divisor"]))
    return Edges(resize=rule, crop=crop and (crop, crop))


def _squared(whole: Mapping[str, Any]) -> Edges:
    """LLaVA's: the ground is what becomes 0."""
    ground = tuple(int(mean * 255) for mean in whole["image_mean"])
    return replace(_plain(whole), region=Region(None, ground) if whole["do_pad"] else None)


def _cropped_first(whole: Mapping[str, Any]) -> Edges:
    """Perceiver's: the crop is a part of the image, which is then resized."""
    size, crop = whole["size"], whole["crop_size"]
    parts = size["width"] / crop["width"], size["height"] / crop["height"]
    region = Region(parts) if whole["do_center_crop"] else None
    return Edges(region=region, resize=read_resize(size))


def _as_the_crop_wants(whole: Mapping[str, Any]) -> Edges:
    """V-JEPA 2's, whatever size is written."""
    return Edges(
        resize=ShortestEdge(int(whole["crop_size"]["height"] * 256 / 224)), crop=_crop(whole)
    )


_RULES: dict[str, Callable[[Mapping[str, Any]], Edges | None]] = {
    "plain": _plain,
    "as the crop wants": _as_the_crop_wants,
    "constrained": _constrained,
    "cropped first": _cropped_first,
    "cropped or warped": _cropped_or_warped,
    "cut down": _cut_down,
    "divided": _divided,
    "divisible": _divisible,
    "enlarged": _enlarged,
    "squared": _squared,
    "with a margin": _with_a_margin,
}


def _to_size(whole: Mapping[str, Any], *, masked: bool = False) -> Frame | None:
    size = whole.get("pad_size")
    return Frame(UpTo((size["width"], size["height"])), masked=masked) if size else None


def _below(whole: Mapping[str, Any]) -> Frame:
    """EoMT's."""
    size = whole["size"]
    edges = size["longest_edge"] or size["shortest_edge"], size["shortest_edge"]
    return Frame(UpTo(edges, lenient=True), "black")


def _around(whole: Mapping[str, Any]) -> Frame | None:
    divisor = whole.get("size_divisor")
    return Frame(Multiple(int(divisor)), centred=True) if divisor else None


def _mirrored(whole: Mapping[str, Any]) -> Frame:
    """Swin2SR's, which always adds something."""
    return Frame(Multiple(int(whole["size_divisor"]), more=True), "mirror")


_FRAMES: dict[str, Callable[[Mapping[str, Any]], Frame | None]] = {
    "around": _around,
    "below": _below,
    "mirrored": _mirrored,
    "to size": _to_size,
    "with a mask": functools.partial(_to_size, masked=True),
}
