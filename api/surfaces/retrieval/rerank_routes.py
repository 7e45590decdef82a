"""Documents in the order in which they answer a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from ....protocol.errors import WherryError
from ....tasks.text.ranking import Ranked
from ...core.views import json_response
from ...http.documents import validated
from ...http.entry import told
from ...http.errors import Shape, shaped, shaped_response
from ...http.fast_route import FastRoute
from ...http.ids import uuid7
from . import tei_routes
from .requests import model_of, read
from .rerank_requests import RerankRequest
from .scoring import RANKING, ranked

router = APIRouter(tags=["rerank"], route_class=FastRoute)

#: Documents that one of Cohere's search units has.
_UNIT = 100


def error_shape(_: object, status: int, error: WherryError) -> dict[str, object]:
    """An error as Cohere's clients read it (`message`), Jina's (`detail`), and vLLM's (`error`)."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {
        "message": error.message,
        "detail": error.message,
        "error": {"message": error.message, "type": kind, "code": error.code},
    }


@router.post("/v1/rerank")
@router.post("/models/{model:path}/v1/rerank")
@shaped(error_shape)
async def rerank(request: Request) -> Response:
    """Put documents in order, as Cohere's first version, Jina, Infinity, Together and Voyage do."""
    return await _first(request, await read(request))


@router.post("/v2/rerank")
@router.post("/models/{model:path}/v2/rerank")
@shaped(error_shape)
async def rerank_second(request: Request) -> Response:
    """Put documents in order, as Cohere's second version does."""
    asked, model, found = await _ranked(request, await read(request))
    results = _results(asked, found, with_documents=bool(asked.return_documents))
    return json_response(
        {"id": uuid7(), "results": results, "model": model, "meta": _meta(asked, "2")}
    )


@router.post("/infinity/rerank")
@shaped(error_shape)
async def rerank_infinity(request: Request) -> Response:
    """Put documents in order as Infinity does, whose clients read documents as bare texts."""
    return await _first(request, await read(request), bare=True)


# After the paths that end alike.
@router.post("/rerank")
@router.post("/models/{model:path}/rerank")
async def rerank_either(request: Request) -> Response:
    """Put documents in order as vLLM and Infinity do, or `texts` as text-embeddings-inference."""
    shape: Shape = error_shape
    try:
        document = await read(request)
        if "texts" in document and "documents" not in document:
            shape = tei_routes.error_shape
            return await tei_routes.rank(request, document)
        return await _first(request, document)
    except WherryError as error:
        return shaped_response(request, error, shape)


async def _first(request: Request, document: dict[str, Any], *, bare: bool = False) -> Response:
    asked, model, found = await _ranked(request, document)
    # Jina's and vLLM's default; Voyage answers none, under another name.
    results = _results(asked, found, with_documents=asked.return_documents is not False)
    if bare:
        texts = asked.texts()
        results = [
            {**each, "document": texts[each["index"]]} if "document" in each else each
            for each in results
        ]
    data = _results(asked, found, with_documents=bool(asked.return_documents))
    return json_response(
        {
            "object": "rerank",
            "id": uuid7(),
            "model": model,
            "results": results,
            "data": data,
            # The tasks count no tokens.
            "usage": {"prompt_tokens": 0, "total_tokens": 0},
            "meta": _meta(asked, "1"),
        }
    )


async def _ranked(
    request: Request, document: dict[str, Any]
) -> tuple[RerankRequest, str, list[Ranked]]:
    asked = validated(RerankRequest, document)
    model = model_of(request, asked.model, *RANKING)
    found = await ranked(
        request,
        model,
        asked.query,
        asked.texts(),
        most=asked.most,
        raw_scores=asked.wants_raw,
        how=asked.options,
    )
    hearing = told.get()
    if asked.unheeded and hearing is not None:
        names = ", ".join(asked.unheeded)
        hearing.append(f"{names}: not heeded; a text is cut where the model's own length ends")
    return asked, model.name, found


def _results(
    asked: RerankRequest, found: Sequence[Ranked], *, with_documents: bool
) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for each in found:
        result: dict[str, Any] = {"index": each.index, "relevance_score": each.score}
        if with_documents:
            own = asked.documents[each.index]
            result["document"] = {"text": own} if isinstance(own, str) else own
        results.append(result)
    return results


def _meta(asked: RerankRequest, version: str) -> dict[str, Any]:
    units = -(-len(asked.documents) // _UNIT)
    return {"api_version": {"version": version}, "billed_units": {"search_units": units}}
