"""The paths of text-embeddings-inference, whose servers have one model: at the root it is the only
one that does the task, below `/models/{model}` the one that is named.
"""

from __future__ import annotations

from typing import Any, NoReturn

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from .... import __version__
from ....protocol.errors import InvalidRequest, WherryError
from ....tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from ....tasks.text.feature_extraction import FeatureExtractionInput, FeatureExtractionOutput
from ....tasks.text.text_classification import TextClassificationInput, TextClassificationOutput
from ...core.fitting import only_model
from ...core.run_and_wait import answer
from ...core.service import Service
from ...core.vectors import all_shortened
from ...core.views import json_response
from ...http.documents import validated
from ...http.errors import shaped
from ...http.fast_route import FastRoute
from .requests import model_of, read
from .scoring import ALIKE, RANKING, cosines, ranked
from .tei_requests import (
    EmbedAllRequest,
    EmbedRequest,
    PredictRequest,
    RankRequest,
    SimilarityRequest,
)

router = APIRouter(tags=["text-embeddings-inference"], route_class=FastRoute)

#: Status -> the kind of error, where it is not that the request is wrong.
_KINDS = {401: "Unauthorized", 403: "Unauthorized", 429: "Overloaded", 503: "Overloaded"}

#: Task -> what such a model is there.
_MODEL_TYPES = {
    "embedding": "embedding",
    "feature-extraction": "embedding",
    "ranking": "reranker",
    "sentence-similarity": "embedding",
    "text-classification": "classifier",
}


def error_shape(_: object, status: int, error: WherryError) -> dict[str, object]:
    """An error as clients of text-embeddings-inference read it."""
    kind = _KINDS.get(status, "Validation" if status < 500 else "Backend")
    return {"error": error.message, "error_type": kind}


@router.post("/embed")
@router.post("/models/{model:path}/embed")
@shaped(error_shape)
async def embed(request: Request) -> Response:
    """A vector per text."""
    asked = validated(EmbedRequest, await read(request))
    model = model_of(request, asked.model, "embedding")
    how = asked.options
    fields = {"texts": asked.texts, "normalize": asked.normalize, "prompt_name": how.prompt_name}
    output = await answer(request, model, EmbeddingInput.validated({**fields, **how.cut}))
    assert isinstance(output, EmbeddingOutput)
    return json_response(await all_shortened(output.embeddings, asked.dimensions))


@router.post("/embed_all")
@router.post("/models/{model:path}/embed_all")
@shaped(error_shape)
async def embed_all(request: Request) -> Response:
    """A vector per token of each text."""
    asked = validated(EmbedAllRequest, await read(request))
    if asked.prompt_name:
        raise InvalidRequest("prompt_name: vectors of tokens are made without a prompt")
    model = model_of(request, asked.model, "feature-extraction")
    given = FeatureExtractionInput.validated({"texts": asked.texts, **asked.options.cut})
    output = await answer(request, model, given)
    assert isinstance(output, FeatureExtractionOutput)
    return Response(to_json(output.features, inf_nan_mode="null"), media_type="application/json")


@router.post("/similarity")
@router.post("/models/{model:path}/similarity")
@shaped(error_shape)
async def similarity(request: Request) -> Response:
    """How alike a sentence and others are."""
    asked = validated(SimilarityRequest, await read(request))
    model = model_of(request, asked.model, *ALIKE)
    inputs, how = asked.inputs, asked.parameters.options
    found = await cosines(request, model, inputs.source_sentence, inputs.sentences, how=how)
    return json_response(found)


@router.post("/predict")
@router.post("/models/{model:path}/predict")
@shaped(error_shape)
async def predict(request: Request) -> Response:
    """The classes of texts, or of pairs of them."""
    asked = validated(PredictRequest, await read(request))
    model = model_of(request, asked.model, "text-classification")
    rows = asked.rows()
    fields: dict[str, Any] = {"texts": rows.firsts, "text_pairs": rows.seconds}
    if asked.raw_scores:
        fields["function_to_apply"] = "none"
    given = TextClassificationInput.validated({**fields, **asked.options.cut})
    output = await answer(request, model, given)
    assert isinstance(output, TextClassificationOutput)
    found = [[{"score": each.score, "label": each.label} for each in row] for row in output.results]
    return json_response(found if rows.many else found[0])


async def rank(request: Request, document: dict[str, Any]) -> Response:
    """Texts in the order in which they fit a query: what `/rerank` answers to `texts`."""
    asked = validated(RankRequest, document)
    model = model_of(request, asked.model, *RANKING)
    found = await ranked(
        request,
        model,
        asked.query,
        asked.texts,
        most=None,
        raw_scores=asked.raw_scores,
        how=asked.options,
    )
    ranks: list[dict[str, Any]] = [{"index": each.index, "score": each.score} for each in found]
    if asked.return_text:
        ranks = [{**each, "text": asked.texts[each["index"]]} for each in ranks]
    return json_response(ranks)


@router.get("/info")
@router.get("/models/{model:path}/info")
@shaped(error_shape)
async def info(request: Request) -> Response:
    """What a model is."""
    service = Service.of(request)
    name = request.path_params.get("model")
    model = service.catalog.find(name) if name else only_model(service, *_MODEL_TYPES)
    kind = _MODEL_TYPES.get(model.task)
    return json_response(
        {
            "model_id": model.name,
            "model_sha": model.version,
            "model_pipeline_tag": model.task,
            **({"model_type": {kind: {}}, "auto_truncate": True} if kind else {}),
            "max_client_batch_size": service.settings.max_rows_per_job,
            "version": __version__,
        }
    )


@router.post("/embed_sparse")
@router.post("/models/{model:path}/embed_sparse")
@shaped(error_shape)
async def embed_sparse(request: Request) -> Response:
    """Refused: no task answers sparse vectors."""
    _refuse(request, "sparse vectors are answered by no task; /embed answers dense ones")


@router.post("/tokenize")
@router.post("/models/{model:path}/tokenize")
@router.post("/decode")
@router.post("/models/{model:path}/decode")
@shaped(error_shape)
async def tokens(request: Request) -> Response:
    """Refused: tokenizers are with the workers."""
    _refuse(request, "tokenizers are with the workers, which are asked for answers alone")


def _refuse(request: Request, why: str) -> NoReturn:
    name = request.path_params.get("model")
    if name:
        Service.of(request).catalog.find(name)
    raise InvalidRequest(f"{request.url.path.rpartition('/')[2]}: {why}")
