"""What may be asked of an output beyond its format, looked over before a row is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...protocol.nearest import meant
from ..errors import UsageError
from .formats import Writer
from .formats.splits import OTHERS

if TYPE_CHECKING:
    from .prepared import Options

#: Pictures are not to be in the output.
NO_IMAGES = "none"

_IMAGES = ("link", "copy", NO_IMAGES)


def images_of(options: Options, format_name: str, writer: type[Writer]) -> str:
    """How pictures come to be in the output. Raises UsageError for what the format cannot do."""
    if options.images and options.images not in _IMAGES:
        hint = meant(options.images, _IMAGES) or f"; it is {', '.join(_IMAGES)}"
        raise UsageError(f"images {options.images!r}{hint}")
    _refuse_shares(options.split)
    asked = {
        "images": options.images not in ("", NO_IMAGES),
        "split": options.split,
        "media_prefix": options.media_prefix,
    }
    for name, value in asked.items():
        if value and name not in writer.uses:
            raise UsageError(f"{name}: format {format_name!r} has no use for it")
    return options.images or ("link" if writer.needs_pictures else NO_IMAGES)


def _refuse_shares(split: Mapping[str, float]) -> None:
    for name, part in split.items():
        if name not in OTHERS:
            hint = meant(name, OTHERS) or f"; there are {' and '.join(OTHERS)}, the rest is train"
            raise UsageError(f"split {name!r}{hint}")
        if not 0 < part < 1:
            raise UsageError(f"split {name}: {part} is no share between 0 and 1")
    if sum(split.values()) >= 1:
        raise UsageError(f"split: {sum(split.values()):g} leaves nothing for train")
