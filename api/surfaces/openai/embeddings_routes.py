"""Embeddings of texts and images, as lists of numbers or as base64 of little-endian float32."""

from __future__ import annotations

import base64
import struct

from fastapi import APIRouter, Request, Response

from ....tasks.base import TaskInput
from ....tasks.catalog import ModelDeclaration
from ....tasks.text.embedding import EmbeddingOutput
from ...core.run_and_wait import answer
from ...core.service import Service
from ...core.vectors import all_shortened
from ...core.views import json_response
from ...http.body import read_document
from ...http.errors import shaped
from ...http.fast_route import FastRoute
from .embeddings_requests import EmbeddingsRequest
from .requests import error_shape, model_for, validated

router = APIRouter(tags=["openai"], route_class=FastRoute)


@router.post("/v1/embeddings")
@router.post("/infinity/embeddings")
@shaped(error_shape)
async def embeddings(request: Request) -> Response:
    """Turn texts, and images where the model takes them, into vectors of length 1."""
    asked, model, given = await _read(request)
    output = await answer(request, model, given)
    assert isinstance(output, EmbeddingOutput)
    vectors = await all_shortened(output.embeddings, asked.dimensions or None)
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


async def _read(request: Request) -> tuple[EmbeddingsRequest, ModelDeclaration, TaskInput]:
    """A request, of which what is to be embedded is in the model's input alone."""
    service = Service.of(request)
    document, large = await read_document(request, service.settings.max_body_bytes)
    asked = validated(EmbeddingsRequest, document)
    model = model_for(service, asked.model, "embedding", "multimodal-embedding")
    given = await service.intake.outbound.files.read(
        lambda files: asked.task_input(model, files), in_thread=large
    )
    return asked.model_copy(update={"input": None, "messages": None}), model, given


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
