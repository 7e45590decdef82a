"""Pixels of any kind of picture as a viewer shows them: eight bits of red, green and blue."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from ...protocol.errors import RowError

#: How many bits the values of a deep grey picture may have: the fewest that hold its brightest.
#: Cameras and scanners keep 10 and 12 in files of 16, and say so nowhere.
_DEPTHS = (8, 10, 12, 16, 32)

#: TIFF 6.0's tags, and what they say of numbers below 0 and of pictures whose 0 is white.
_PHOTOMETRIC, _SAMPLE_FORMAT = 262, 339
_WHITE_IS_ZERO, _UNSIGNED = 0, 1

#: What is still a picture of floats of 0 to 1.
_OVER_ONE = 1.5


def rgb(image: Image.Image, background: str = "white") -> Image.Image:
    """RGB on the background, a colour's name or #rrggbb, where a picture lets it through.

    Values of 10, 12, 16 and 32 bits become 8, and floats of 0 to 1 are 0 to 255. Raises RowError
    for values that say no brightness (below 0, or not finite), and for no colour.
    """
    if image.mode.startswith("I"):
        return Image.fromarray(_eight_bits(_whole_numbers(image))).convert("RGB")
    if image.mode == "F":
        grey = _of_floats(np.asarray(image))
        return Image.fromarray(255 - grey if _white_is_zero(image) else grey).convert("RGB")
    if image.has_transparency_data:
        return _on(background, image.convert("RGBA"))
    if image.mode == "RGB":
        image.load()
        return image
    return image.convert("RGB")


def _on(background: str, image: Image.Image) -> Image.Image:
    alpha = image.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return image.convert("RGB")
    try:
        colour = ImageColor.getrgb(background)[:3]
    except ValueError:
        raise RowError(f"background {background!r} is no CSS colour, nor #rrggbb") from None
    ground = Image.new("RGB", image.size, colour)
    ground.paste(image, mask=alpha)
    return ground


def _whole_numbers(image: Image.Image) -> NDArray[Any]:
    values = np.asarray(image)
    if values.dtype == np.int32 and _is_unsigned(image):
        values = values.view(np.uint32)
    if values.min(initial=0) < 0:
        raise RowError("the image has values below 0, which are no brightness; send 8 or 16 bits")
    if _white_is_zero(image):
        values = np.iinfo(np.uint16 if image.mode.startswith("I;16") else values.dtype).max - values
    return values


def _is_unsigned(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", None)  # a TIFF's; without a word its numbers have no sign
    return tags is not None and bool(tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] == _UNSIGNED)


def _white_is_zero(image: Image.Image) -> bool:
    return bool(getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO)


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    most = int(values.max(initial=0))
    bits = next(bits for bits in _DEPTHS if most < 1 << bits)
    return (values >> bits - 8).astype(np.uint8)


def _of_floats(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    least, most = float(values.min(initial=0)), float(values.max(initial=0))
    if not (least >= 0 and most < np.inf):  # NaN is neither
        raise RowError(
            f"the image has values from {least:g} to {most:g}, which are no brightness; "
            "send floats of 0 to 1, or 8 or 16 bits"
        )
    # Who resizes a picture of 0 to 1 leaves values a little over 1.
    top = 1 if most <= _OVER_ONE else next((top for top in (255, 65535) if most <= top), most)
    scaled: NDArray[np.uint8] = np.rint(values.clip(0, top) * (255 / top)).astype(np.uint8)
    return scaled
