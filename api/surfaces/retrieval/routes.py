"""Every route of rerankers and of text-embeddings-inference."""

from __future__ import annotations

from . import rerank_routes, tei_routes

#: One router a room; nested ones would miss the short way to plain routes.
ROOMS = (rerank_routes, tei_routes)
