"""The paths that a batch's lines may ask."""

from __future__ import annotations

import re
from urllib.parse import unquote

from .....protocol.errors import InvalidRequest
from ....http.fast_route import Endpoint
from .. import chat_routes, completions_routes, embeddings_routes

#: Paths whose routes answer a line as they answer a request.
ROUTES: dict[str, Endpoint] = {
    "/v1/chat/completions": chat_routes.chat_completions,
    "/v1/completions": completions_routes.completions,
    "/v1/embeddings": embeddings_routes.embeddings,
}

#: The endpoint of a batch whose lines each name their own model.
_ANY = "/v2/models/{model}/infer"
_INFER = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer")


def infer_model(url: str) -> tuple[str, str | None] | None:
    """Name and version of an infer path's model; None for any other path."""
    found = _INFER.fullmatch(url)
    if found is None:
        return None
    return unquote(found[1]), unquote(found[2]) if found[2] else None


def checked_endpoint(given: str) -> str:
    """A batch's endpoint. Raises InvalidRequest for one that a batch cannot have."""
    if given in ROUTES or given == _ANY or infer_model(given):
        return given
    raise InvalidRequest(
        f"endpoint: {given[:100]!r}: use {', '.join(ROUTES)}, /v2/models/NAME/infer, or "
        f"{_ANY} as it stands for lines of several models"
    )


def fits(url: str, endpoint: str) -> bool:
    """Whether a line may ask that path in a batch of that endpoint."""
    return infer_model(url) is not None if endpoint == _ANY else url == endpoint
