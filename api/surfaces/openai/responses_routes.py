"""OpenAI's Responses API, as far as it is chat in other words. Nothing is kept."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ....protocol.errors import InvalidRequest, NotFound
from ...core.service import Service
from ...http.errors import shaped
from ...http.fast_route import FastRoute
from .chat_about import KINDS
from .chat_routes import complete
from .requests import error_shape, model_for, read
from .responses_reply import ResponsesReply
from .responses_requests import ResponsesRequest

router = APIRouter(tags=["openai"], route_class=FastRoute)


@router.post("/v1/responses")
@router.post("/models/{model:path}/v1/responses")
@shaped(error_shape)
async def responses(request: Request) -> Response:
    """Answer a conversation."""
    asked = await read(request, ResponsesRequest, **request.path_params)
    model = model_for(Service.of(request), asked.model, "chat", *KINDS)
    try:
        return await complete(request, asked.chat(), ResponsesReply(model.name, asked))
    except InvalidRequest as error:
        raise type(error)(_in_its_words(error.message)) from None


@router.get("/v1/responses/{response_id}")
@router.delete("/v1/responses/{response_id}")
@router.post("/v1/responses/{response_id}/cancel")
@router.get("/v1/responses/{response_id}/input_items")
@shaped(error_shape)
async def stored(request: Request) -> Response:
    """Answers are not kept here."""
    raise NotFound(
        f"response {request.path_params['response_id'][:80]!r}: answers are not kept here"
    )


#: What a field of chat is called there.
_NAMES = {"messages": "input", "max_completion_tokens": "max_output_tokens"}


def _in_its_words(message: str) -> str:
    for ours, theirs in (*_NAMES.items(), ("response_format", "text.format")):
        if message.startswith(ours):
            return theirs + message[len(ours) :]
    return message
