"""Chat completions, whole or streamed."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ....protocol.errors import InvalidRequest
from ....tasks.text.chat import ChatInput
from ...core.service import Service
from ...core.views import json_response
from ...http.errors import shaped
from ...http.fast_route import FastRoute
from . import choices
from .chat_about import KINDS, about_a_file
from .chat_requests import ChatRequest
from .chat_responses import ChatReply
from .requests import error_shape, model_for, read

router = APIRouter(tags=["openai"], route_class=FastRoute)


@router.post("/v1/chat/completions")
@router.post("/models/{model:path}/v1/chat/completions")
@shaped(error_shape)
async def chat_completions(request: Request) -> Response:
    """Answer a conversation. Hugging Face's endpoints have the model in the path."""
    return await complete(request, await read(request, ChatRequest, **request.path_params))


async def complete(
    request: Request, asked: ChatRequest, reply: choices.Reply | None = None
) -> Response:
    """Run a conversation by what its model can do; `reply` writes the answer."""
    service = Service.of(request)
    model = model_for(service, asked.model, "chat", *KINDS)
    if kind := KINDS.get(model.task):
        return await about_a_file(request, model, asked, kind, reply)
    for read_by_others in KINDS.values():
        if any(read_by_others.files(message) for message in asked.messages):
            raise InvalidRequest(f"messages: model {model.name!r} reads no {read_by_others.plural}")
    reply = reply or ChatReply(model.name, logprobs=bool(asked.logprobs))
    with asked.named():
        inputs = inputs_of(asked)
        if not asked.stream:
            return json_response(reply.whole(await choices.whole(request, model, inputs)))
        streams = await choices.start(request, model, inputs)
    return choices.stream_response(reply, streams, usage=asked.with_usage, as_named=asked.as_named)


def inputs_of(asked: ChatRequest) -> list[ChatInput]:
    """Our task's inputs, one a choice. Raises InvalidRequest."""
    messages = [message.row() for message in asked.messages]
    given = {"messages": [messages], **asked.parameters(), **asked.tool_use()}
    return asked.choices([ChatInput.validated(given)])
