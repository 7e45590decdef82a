"""Chat about one file, of models that answer a text beside it: an image, or a sound."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from fastapi import Request, Response

from ....protocol.errors import InvalidRequest
from ....tasks.catalog import ModelDeclaration
from ....tasks.multimodal.asked import AskedInput
from ....tasks.multimodal.audio_text_to_text import AudioTextToTextInput
from ....tasks.multimodal.image_text_to_text import ImageTextToTextInput
from ....tasks.multimodal.written import WrittenOutput
from ....tasks.text.generation import Generation
from ...core.run_and_wait import answer
from ...core.service import Service
from ...core.views import json_response
from ...http.body import OFF_LOOP_BYTES
from ...http.media import read_media
from ...http.sse import EventStream
from . import choices
from .chat_requests import ChatMessage, ChatRequest
from .chat_responses import ChatReply


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """What a model is asked about."""

    one: str
    plural: str
    #: Where it is in a message.
    field: str
    #: What the model's task calls it.
    column: str
    input: type[AskedInput]
    files: Callable[[ChatMessage], list[str]]
    #: Whether a text alone is answered too.
    optional: bool = False


#: Task -> the files that it is about.
KINDS = {
    "audio-text-to-text": FileKind(
        one="sound",
        plural="sounds",
        field="input_audio",
        column="audio",
        input=AudioTextToTextInput,
        files=lambda message: message.sounds,
        optional=True,
    ),
    "image-text-to-text": FileKind(
        one="image",
        plural="images",
        field="image_url",
        column="images",
        input=ImageTextToTextInput,
        files=lambda message: message.images,
    ),
}


async def about_a_file(
    request: Request,
    model: ModelDeclaration,
    asked: ChatRequest,
    kind: FileKind,
    reply: choices.Reply | None = None,
) -> Response:
    """One question beside one file: the last message's. Raises InvalidRequest."""
    message = asked.messages[-1]
    _check(model, asked, kind)
    fields = {name: value for name, value in asked.parameters().items() if value != []}
    if found := asked.form():
        fields[found[0]] = fields.pop("structured_outputs")
    for name in fields.keys() - set(kind.input.parameter_names()):
        raise InvalidRequest(
            f"{name}: model {model.name!r}, which answers about {kind.plural}, has none"
        )
    file = await _file(Service.of(request), message, kind) if kind.files(message) else b""
    rows = {kind.column: [file], "texts": [message.text]}
    output = await answer(request, model, kind.input.validated({**rows, **fields}))
    assert isinstance(output, WrittenOutput)
    # The task counts no tokens.
    end = Generation(
        text=output.texts[0], finish_reason="stop", prompt_tokens=0, completion_tokens=0
    )
    reply = reply or ChatReply(model.name, logprobs=False)
    if asked.stream:
        return EventStream(_at_once(reply, end, usage=asked.with_usage))
    return json_response(reply.whole([end]))


def _check(model: ModelDeclaration, asked: ChatRequest, kind: FileKind) -> None:
    """Raise InvalidRequest for what such a model would leave out."""
    count = len(kind.files(asked.messages[-1]))
    if count > 1 or (count == 0 and not kind.optional):
        raise InvalidRequest(
            f"messages: model {model.name!r} answers about one {kind.one}, in the last message; "
            f"there are {count}"
        )
    for other in KINDS.values():
        if other is not kind and any(other.files(message) for message in asked.messages):
            raise InvalidRequest(f"messages: model {model.name!r} reads no {other.plural}")
    if asked.tools:
        raise InvalidRequest(
            f"tools: model {model.name!r}, which answers about {kind.plural}, has none"
        )
    if asked.n > 1:
        raise InvalidRequest(f"n: one choice only for models of {kind.plural}")


async def _file(service: Service, message: ChatMessage, kind: FileKind) -> bytes:
    """The file of a message, which is left without: its base64 would be held as long as that."""
    [data], message.content = kind.files(message), message.text
    return await service.intake.outbound.files.read(
        lambda files: read_media(data, f"messages: {kind.field}", files),
        in_thread=len(data) >= OFF_LOOP_BYTES,
    )


async def _at_once(reply: choices.Reply, end: Generation, *, usage: bool) -> AsyncIterator[bytes]:
    for begin in reply.begin(0):
        yield begin
    yield reply.part(choices.ChoiceDelta(0, end.text, end=end))
    for last in reply.end([end], usage=usage):
        yield last
