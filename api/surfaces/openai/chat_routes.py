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
from .chat_requests import ChatMessage, ChatRequest
from .chat_responses import ChatReply
from .requests import error_shape, model_for, read

router = APIRouter(tags=["openai"], route_class=FastRoute)


@router.post("/v1/chat/completions")
@router.post("/models/{model:path}/v1/chat/completions")
@shaped(error_shape)
async def chat_completions(request: Request) -> Response:
    """Answer a conversation. Hugging Face's endpoints have the model in the path."""
    return await complete(request, await read(request, ChatRequest, **request.path_params))


async def complete(request: Request, asked: ChatRequest) -> Response:
    """Run a conversation by what its model can do."""
    service = Service.of(request)
    model = model_for(service, asked.model, "chat", *KINDS)
    if kind := KINDS.get(model.task):
        return await about_a_file(request, model, asked, kind)
    for read_by_others in KINDS.values():
        if any(read_by_others.files(message) for message in asked.messages):
            raise InvalidRequest(f"messages: model {model.name!r} reads no {read_by_others.plural}")
    messages = [{"role": _role(m), "content": m.text} for m in asked.messages]
    given = ChatInput.validated({"messages": [messages], **asked.parameters()})
    inputs = asked.choices([given])
    reply = ChatReply(model.name, logprobs=bool(asked.logprobs))
    if asked.stream:
        streams = await choices.start(request, model, inputs)
        return choices.stream_response(reply, streams, usage=asked.with_usage)
    return json_response(reply.whole(await choices.whole(request, model, inputs)))


def _role(message: ChatMessage) -> str:
    return "system" if message.role == "developer" else message.role
