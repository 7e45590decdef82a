"""Every route of OpenAI's clients."""

from __future__ import annotations

from . import (
    audio_routes,
    chat_routes,
    completions_routes,
    embeddings_routes,
    images_routes,
    models_routes,
    responses_routes,
)

#: One router a room; nested ones would miss the short way to plain routes.
ROOMS = (
    chat_routes,
    responses_routes,
    completions_routes,
    embeddings_routes,
    audio_routes,
    images_routes,
    models_routes,
)
