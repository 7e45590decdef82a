"""Chat completions, whole or streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response

from ....protocol.errors import InvalidRequest
from ....tasks.catalog import ModelDeclaration
from ....tasks.multimodal.image_text_to_text import ImageTextToTextInput, ImageTextToTextOutput
from ....tasks.text.chat import ChatInput
from ....tasks.text.generation import Generation
from ...core.run_and_wait import answer
from ...core.service import Service
from ...core.views import json_response
from ...http.body import OFF_LOOP_BYTES
from ...http.errors import shaped
from ...http.fast_route import FastRoute
from ...http.media import read_media
from ...http.sse import EventStream
from . import choices
from .chat_requests import ChatMessage, ChatRequest
from .chat_responses import ChatReply
from .requests import error_shape, model_for, read

router = APIRouter(tags=["openai"], route_class=FastRoute)

_IMAGE_TASK = "image-text-to-text"


@router.post("/v1/chat/completions")
@router.post("/models/{model:path}/v1/chat/completions")
@shaped(error_shape)
async def chat_completions(request: Request) -> Response:
    """Answer a conversation. Hugging Face's endpoints have the model in the path."""
    return await complete(request, await read(request, ChatRequest, **request.path_params))


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
        streams = await choices.start(request, model, inputs)
        return choices.stream_response(reply, streams, usage=asked.with_usage)
    return json_response(reply.whole(await choices.whole(request, model, inputs)))


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
    fields = {name: value for name, value in asked.parameters().items() if value != []}
    for name in fields.keys() - set(ImageTextToTextInput.parameter_names()):
        raise InvalidRequest(f"{name}: model {model.name!r}, which answers about images, has none")
    image = await _image(Service.of(request), message)
    given = ImageTextToTextInput.validated({"images": [image], "texts": [message.text], **fields})
    output = await answer(request, model, given)
    assert isinstance(output, ImageTextToTextOutput)
    # The task counts no tokens.
    end = Generation(
        text=output.texts[0], finish_reason="stop", prompt_tokens=0, completion_tokens=0
    )
    reply = ChatReply(model.name, logprobs=False)
    if asked.stream:
        return EventStream(_at_once(reply, end, usage=asked.with_usage))
    return json_response(reply.whole([end]))


async def _image(service: Service, message: ChatMessage) -> bytes:
    """The image of a message, which is left without: its base64 would be held as long as that."""
    url, message.content = message.images[0], message.text
    return await service.intake.outbound.files.read(
        lambda files: read_media(url, "messages: image_url", files),
        in_thread=len(url) >= OFF_LOOP_BYTES,
    )


async def _at_once(reply: ChatReply, end: Generation, *, usage: bool) -> AsyncIterator[bytes]:
    for begin in reply.begin(0):
        yield begin
    yield reply.part(choices.ChoiceDelta(0, end.text, end=end))
    if usage:
        yield reply.usage([end])
    yield choices.DONE
