"""Pictures from texts."""

from __future__ import annotations

import asyncio
import base64
import re
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from ....protocol.errors import InvalidRequest
from ....tasks.multimodal.text_to_image import TextToImageInput, TextToImageOutput
from ...core.run_and_wait import answer
from ...core.service import Service
from ...core.views import json_response
from ...http.errors import shaped
from ...http.fast_route import FastRoute
from .requests import OpenAIRequest, error_shape, model_for, now, read

router = APIRouter(tags=["openai"], route_class=FastRoute)

_MAX_PICTURES = 10
_SIZE = re.compile(r"(\d{1,4})x(\d{1,4})")


class ImagesRequest(OpenAIRequest):
    """What to draw. The last four fields are our tasks' own."""

    prompt: str
    n: int | None = Field(default=1, ge=1, le=_MAX_PICTURES)
    size: str | None = "auto"
    response_format: Literal["b64_json", "url"] | None = "b64_json"
    output_format: Literal["png"] | None = None
    # About the looks of OpenAI's own models.
    quality: Any = None
    style: Any = None
    background: Any = None
    moderation: Any = None
    negative_prompt: str | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    seed: int | None = None


@router.post("/v1/images/generations")
@shaped(error_shape)
async def images(request: Request) -> Response:
    """Draw pictures: PNG files in base64."""
    service = Service.of(request)
    asked = await read(request, ImagesRequest)
    if asked.response_format == "url":
        raise InvalidRequest("response_format: pictures are not kept at a URL; use b64_json")
    model = model_for(service, asked.model, "text-to-image")
    drawn = await asyncio.gather(*(answer(request, model, given) for given in _inputs(asked)))
    pictures = [
        {"b64_json": base64.b64encode(image).decode()}
        for output in drawn
        if isinstance(output, TextToImageOutput)
        for image in output.images
    ]
    return json_response({"created": now(), "data": pictures})


def _inputs(asked: ImagesRequest) -> list[TextToImageInput]:
    """One a picture, each with a seed of its own where one was given."""
    fields: dict[str, Any] = {
        "prompts": [asked.prompt],
        "negative_prompt": asked.negative_prompt,
        "num_inference_steps": asked.num_inference_steps,
        "guidance_scale": asked.guidance_scale,
    }
    if asked.size not in (None, "auto"):
        size = _SIZE.fullmatch(asked.size or "")
        if not size:
            raise InvalidRequest("size: expected auto or, for example, 512x512")
        fields |= {"width": int(size[1]), "height": int(size[2])}
    given = {name: value for name, value in fields.items() if value is not None}
    seeds = [None if asked.seed is None else asked.seed + i for i in range(asked.n or 1)]
    return [TextToImageInput.validated({**given, "seed": seed}) for seed in seeds]
