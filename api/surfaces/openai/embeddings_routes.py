"""Embeddings, as lists of numbers or as base64 of little-endian float32."""

from __future__ import annotations

import base64
import struct
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from ....protocol.errors import InvalidRequest
from ....tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from ...core.run_and_wait import answer
from ...core.service import Service
from ...core.views import json_response
from ...http.errors import shaped
from ...http.fast_route import FastRoute
from .requests import OpenAIRequest, Texts, error_shape, model_for, read

router = APIRouter(tags=["openai"], route_class=FastRoute)


class EmbeddingsRequest(OpenAIRequest):
    """Texts to embed."""

    input: Texts
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1)
    #: A text that is too long for the model is refused, as by OpenAI, unless this asks for a cut.
    truncate: bool = False


@router.post("/v1/embeddings")
@shaped(error_shape)
async def embeddings(request: Request) -> Response:
    """Turn texts into vectors of length 1."""
    service = Service.of(request)
    asked = await read(request, EmbeddingsRequest)
    model = model_for(service, asked.model, "embedding")
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    given = EmbeddingInput.validated({"texts": texts, "truncate": asked.truncate})
    output = await answer(request, model, given)
    assert isinstance(output, EmbeddingOutput)
    vectors = [_cut(vector, asked.dimensions) for vector in output.embeddings]
    packed = asked.encoding_format == "base64"
    return json_response(
        {
            "object": "list",
            "model": model.name,
            "data": [
                {
                    "object": "embedding",
                    "index": index,
                    "embedding": _base64(vector) if packed else vector,
                }
                for index, vector in enumerate(vectors)
            ],
            # The task counts no tokens.
            "usage": {"prompt_tokens": 0, "total_tokens": 0},
        }
    )


def _cut(vector: list[float], dimensions: int | None) -> list[float]:
    """The first dimensions, at length 1 again (Kusupati et al., 2022). Raises InvalidRequest."""
    if dimensions is None or dimensions == len(vector):
        return vector
    if dimensions > len(vector):
        raise InvalidRequest(f"dimensions: this model's vectors have {len(vector)}")
    kept = vector[:dimensions]
    length = sum(value * value for value in kept) ** 0.5
    return [value / length for value in kept] if length else kept


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
