"""Chat completions, whole or streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from fastapi import APIRouter, Request, Response

from ...protocol.errors import InvalidRequest, WherryError
from ...tasks.catalog import ModelDeclaration
from ...tasks.multimodal.image_text_to_text import ImageTextToTextInput, ImageTextToTextOutput
from ...tasks.text.chat import ChatInput
from ...tasks.text.generation import Generation
from ..errors import shaped, status_of
from ..media import read_media
from ..plain import PlainRoute
from ..run import answer
from ..service import Service
from ..streams import STILL_HERE, EventStream, Stream, event
from ..views import json_response
from . import choices
from .chat_reply import DONE, ChatReply
from .chat_request import ChatMessage, ChatRequest
from .shapes import error_shape, model_for, read

router = APIRouter(tags=["openai"], route_class=PlainRoute)

_IMAGE_TASK = "image-text-to-text"


@router.post("/v1/chat/completions")
@shaped(error_shape)
async def chat_completions(request: Request) -> Response:
    """Answer a conversation."""
    return await complete(request, await read(request, ChatRequest))


@router.post("/models/{model:path}/v1/chat/completions")
@shaped(error_shape)
async def model_chat_completions(request: Request) -> Response:
    """The same for the model of the path, as Hugging Face's endpoints have it."""
    return await complete(
        request, await read(request, ChatRequest, model=request.path_params["model"])
    )


async def complete(request: Request, asked: ChatRequest) -> Response:
    """Run a conversation by what its model can do."""
    service = Service.of(request)
    model = model_for(service, asked.model, "chat", _IMAGE_TASK)
    if model.task == _IMAGE_TASK:
        return await _about_images(request, model, asked)
    if any(message.images for message in asked.messages):
        raise InvalidRequest(f"messages: model {model.name!r} reads no images")
    messages = [{"role": _role(m), "content": m.text} for m in asked.messages]
    given = ChatInput.validated({"messages": [messages], **asked.parameters()})
    inputs = asked.choices([given])
    reply = ChatReply(model.name, logprobs=bool(asked.logprobs))
    if asked.stream:
        streams = await choices.start(service, model, inputs)
        return EventStream(_events(reply, streams, usage=asked.with_usage), *streams)
    found = await choices.whole(request, model, inputs, tokens=bool(asked.logprobs))
    return json_response(reply.whole(found))


def _role(message: ChatMessage) -> str:
    return "system" if message.role == "developer" else message.role


async def _about_images(request: Request, model: ModelDeclaration, asked: ChatRequest) -> Response:
    """One question beside one image: the last message's."""
    message = asked.messages[-1]
    if len(message.images) != 1:
        raise InvalidRequest(
            f"messages: model {model.name!r} answers about one image, in the last message; "
            f"there are {len(message.images)}"
        )
    if asked.n > 1:
        raise InvalidRequest("n: one choice only for models of images")
    fields = asked.parameters()
    known = ImageTextToTextInput.parameter_names()
    given = ImageTextToTextInput.validated(
        {
            "images": [read_media(message.images[0], "messages: image_url")],
            "texts": [message.text],
            **{name: value for name, value in fields.items() if name in known},
        }
    )
    output = await answer(Service.of(request), request.receive, model, given)
    assert isinstance(output, ImageTextToTextOutput)
    # The task counts no tokens.
    end = Generation(
        text=output.texts[0], finish_reason="stop", prompt_tokens=0, completion_tokens=0
    )
    reply = ChatReply(model.name, logprobs=False)
    if asked.stream:
        return EventStream(_at_once(reply, end, usage=asked.with_usage))
    return json_response(reply.whole([choices.Choice(end)]))


async def _at_once(reply: ChatReply, end: Generation, *, usage: bool) -> AsyncIterator[bytes]:
    yield reply.begin(0)
    yield reply.part(choices.Said(0, end.text, end=end))
    if usage:
        yield reply.usage([end])
    yield DONE


async def _events(
    reply: ChatReply, streams: Sequence[Stream], *, usage: bool
) -> AsyncIterator[bytes]:
    ends: list[Generation] = []
    for index in range(len(streams)):
        yield reply.begin(index)
    try:
        async for said in choices.merged(streams):
            if said is None:
                yield STILL_HERE
                continue
            if said.end:
                ends.append(said.end)
            yield reply.part(said)
        if usage:
            yield reply.usage(ends)
        yield DONE
    except WherryError as error:
        yield event(error_shape(None, status_of(error), error))
