"""Every route of OpenAI's clients."""

from __future__ import annotations

from fastapi import APIRouter

from . import (
    audio_routes,
    chat_routes,
    completions_routes,
    embeddings_routes,
    images_routes,
    models_routes,
)

router = APIRouter()
for _room in (
    chat_routes,
    completions_routes,
    embeddings_routes,
    audio_routes,
    images_routes,
    models_routes,
):
    router.include_router(_room.router)
