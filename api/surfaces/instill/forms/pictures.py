"""The form of text to image."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence

from .....tasks.multimodal.text_to_image import TextToImageOutput
from .form import EntryRequest, Form, Json, Style, TriggerEntry
from .texts import seeded

_ASPECTS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")

#: Edge in pixels of the square whose area pictures of another shape have.
_EDGE = 512

#: Edges are multiples of this many pixels.
_STEP = 8


def _read(entry: TriggerEntry) -> EntryRequest:
    fields = entry.parameters(ignored=("n", "aspect_ratio"), seed=0)
    fields["negative_prompt"] = fields.get("negative_prompt") or None
    return seeded(entry, {**_size(entry), **fields, "prompts": [entry.text("prompt")]})


def _size(entry: TriggerEntry) -> Json:
    """Width and height of an aspect ratio; of a square the model's own, which is none here."""
    given = entry.parameter.get("aspect-ratio", entry.parameter.get("aspect_ratio"))
    if given in (None, "1:1"):
        return {}
    if given not in _ASPECTS:
        raise entry.refuse("parameter.aspect-ratio", f"one of {', '.join(_ASPECTS)}")
    across, down = map(int, str(given).split(":"))
    edges = math.sqrt(across / down), math.sqrt(down / across)
    width, height = (round(_EDGE * edge / _STEP) * _STEP for edge in edges)
    return {"width": width, "height": height}


def _write(answers: Sequence[TextToImageOutput], _: Style) -> Json:
    return {
        "choices": [
            {"finish-reason": "success", "image": base64.b64encode(answer.images[0]).decode()}
            for answer in answers
        ]
    }


TEXT_TO_IMAGE = Form(_read, _write)
