"""preprocessor_config.json as numpy and Pillow follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from ..image.pixels import Pixels
from ..sizes import Exact, Resize, Size
from .model import OnnxModel


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
        resample=Image.Resampling.BILINEAR,
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
    pixels = Pixels.from_config(config)
    if fixed is not None and not config.get("do_center_crop"):
        if pixels is not None and pixels.fixed == fixed:
            return pixels
        size = {"height": fixed[1], "width": fixed[0]}
        one_size = {"size": size, "keep_aspect_ratio": False, "size_divisor": None}
        pixels = Pixels.from_config({**config, **one_size})
    # A graph would have to be given the mask of what was added.
    return None if pixels is not None and pixels.masked else pixels
