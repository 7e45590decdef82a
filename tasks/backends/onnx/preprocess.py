"""preprocessor_config.json as numpy and Pillow follow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from ..image.pixels import Pixels
from ..sizes import Exact, Resize, Size
from .model import OnnxModel

_BILINEAR, _BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
_HALF = (0.5, 0.5, 0.5)


def _square(edge: int, resample: Image.Resampling, **more: Any) -> dict[str, Any]:
    size = {"height": edge, "width": edge}
    return {"size": size, "resample": resample, "image_mean": _HALF, "image_std": _HALF, **more}


#: Defaults of processors that resize in their own way, or whose extras do not matter here.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "DPT": _square(384, _BICUBIC),
    "OwlViT": _square(
        768,
        _BICUBIC,
        image_mean=(0.48145466, 0.4578275, 0.40821073),
        image_std=(0.26862954, 0.26130258, 0.27577711),
        crop_size={"height": 768, "width": 768},
    ),
    "Segformer": _square(
        512,
        _BILINEAR,
        image_mean=(0.485, 0.456, 0.406),
        image_std=(0.229, 0.224, 0.225),
    ),
    "Vilt": _square(384, _BICUBIC, size={"shortest_edge": 384}, size_divisor=32),
}


@dataclass(frozen=True, slots=True)
class Constrained:
    """DPT's rule: near `size`, aspect ratio kept, edges rounded to a multiple."""

    size: Size
    multiple: int = 1
    fixed: None = None

    def __call__(self, size: Size) -> Size:
        """Scale both edges by the factor that changes less."""
        scale = min((self.size[1] / size[1], self.size[0] / size[0]), key=lambda s: abs(1 - s))
        return self._rounded(scale * size[0]), self._rounded(scale * size[1])

    def _rounded(self, edge: float) -> int:
        return max(round(edge / self.multiple), 1) * self.multiple


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


def read_pixels(model: OnnxModel, image_input: str) -> Pixels:
    """The preprocessor's settings; the graph's own size wins where it is fixed.

    Raises ValueError for a processor that does more than resize, crop and normalise.
    """
    config = model.read_json("preprocessor_config.json")
    # Processors of several parts keep theirs in one file.
    config = config or model.read_json("processor_config.json").get("image_processor") or {}
    fixed = graph_size(model, image_input)
    if (
        not config
        and fixed
        and (model.wiring.normalises or model.graph.takes_integers(image_input))
    ):
        return plain(Exact(fixed))  # normalised as the operator says, or by the graph itself
    pixels = _known(config, fixed)
    if pixels is None:
        raise ValueError(
            f"{model.folder}: preprocessor_config.json is missing, or does more than resize, "
            "crop and normalise; the model parameters mean, std and rescale_factor can say how the "
            "images of a graph of fixed size are made"
        )
    return pixels


def plain(resize: Resize | None) -> Pixels:
    """Values from 0 to 1, not normalised."""
    return Pixels(
        resize=resize,
        crop=None,
        resample=_BILINEAR,
        scale=(1 / 255,) * 3,
        shift=(0.0,) * 3,
    )


def graph_size(model: OnnxModel, image_input: str) -> Size | None:
    """Width and height of the graph's input (.., 3, H, W); None where they are free."""
    match model.graph.inputs[image_input][-2:]:
        case (int(height), int(width)):
            return width, height
    return None


def _known(config: Mapping[str, Any], fixed: Size | None) -> Pixels | None:
    if fixed is not None and not config.get("do_center_crop"):
        config = {
            **config,
            "size": {"height": fixed[1], "width": fixed[0]},
            "keep_aspect_ratio": False,
            "size_divisor": None,
        }
    kind = str(config.get("image_processor_type") or config.get("feature_extractor_type") or "")
    name = next((known for known in _DEFAULTS if kind.startswith(f"{known}Image")), None)
    if name is None:
        return Pixels.from_config(config)
    given = {key: value for key, value in config.items() if value is not None}
    # With every value told, ViT's processor is the plain one.
    whole = {**_DEFAULTS[name], **given, "image_processor_type": "ViTImageProcessor"}
    pixels = Pixels.from_config(whole)
    return pixels and _own_resize(pixels, whole)


def _own_resize(pixels: Pixels, whole: Mapping[str, Any]) -> Pixels:
    if pixels.resize is None:
        return pixels
    if whole.get("keep_aspect_ratio"):
        size = whole["size"]
        rule = Constrained((size["width"], size["height"]), int(whole.get("ensure_multiple_of", 1)))
        return replace(pixels, resize=rule)
    if whole.get("size_divisor") and "shortest_edge" in whole["size"]:
        divisible = Divisible(int(whole["size"]["shortest_edge"]), int(whole["size_divisor"]))
        return replace(pixels, resize=divisible)
    return pixels
