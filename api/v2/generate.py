"""Generated text in the shape of Triton's generate extension: one text in, one out, or a stream.

https://github.com/triton-inference-server/server, docs/protocol/extension_generate.md
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from ...protocol.errors import InvalidRequest
from ...protocol.parameters import WARNING
from ...tasks.base import TaskInput, TaskOutput
from ...tasks.catalog import ModelDeclaration
from ...tasks.text.generation import GenerationOutput
from ..core.run_and_wait import answer
from ..core.service import Service
from ..core.streams import Stream, rest
from ..core.views import json_response
from ..http.body import read_document
from ..http.fast_route import FastRoute
from ..http.sse import EventStream, event

router = APIRouter(tags=["generate extension"], route_class=FastRoute)

#: What Triton's own text models call their one input, and others.
_TEXT_INPUTS = ("text_input", "input_text")

#: Words of Triton's text models (TensorRT-LLM's, vLLM's) -> ours.
_RENAMED = {
    "beam_width": "num_beams",
    "max_tokens": "max_new_tokens",
    "min_tokens": "min_new_tokens",
    "random_seed": "seed",
    "stop_words": "stop",
}


@router.post("/v2/models/{model}/generate")
@router.post("/v2/models/{model}/versions/{version}/generate")
async def generate(request: Request) -> Response:
    """Answer with the whole text."""
    asked = await _read(request)
    output = await answer(request, asked.model, asked.given)
    return json_response(asked.view(_text(output), **_ends(output)))


@router.post("/v2/models/{model}/generate_stream")
@router.post("/v2/models/{model}/versions/{version}/generate_stream")
async def generate_stream(request: Request) -> Response:
    """Server-sent events, one for each few tokens; the last has why the text ended."""
    asked = await _read(request)
    stream = await Stream.start(request, asked.model, asked.given)
    return EventStream(_events(asked, stream), leave=stream.leave)


class _GenerateRequest(NamedTuple):
    model: ModelDeclaration
    given: TaskInput
    id: str | None

    def view(self, text: str, **fields: object) -> dict[str, object]:
        """An answer, or a part of one."""
        named = {"id": self.id} if self.id is not None else {}
        return {
            **named,
            "model_name": self.model.name,
            "model_version": self.model.version,
            "text_output": text,
            **fields,
        }


async def _events(asked: _GenerateRequest, stream: Stream) -> AsyncIterator[bytes | None]:
    seen = ""
    async for said in stream.tokens():
        if said is None:
            yield None
        elif said[1].text:
            seen += said[1].text
            yield event(asked.view(said[1].text))
    output = await stream.answer()
    yield event(asked.view(rest(0, seen, output), **_ends(output)))


async def _read(request: Request) -> _GenerateRequest:
    """Read a request. Raises InvalidRequest that names the field."""
    service = Service.of(request)
    model = service.declared(request)
    body = (await read_document(request, service.settings.max_body_bytes)).fields
    if not issubclass(model.definition.output, GenerationOutput):
        raise InvalidRequest(
            f"model {model.name!r} does {model.task}, which generates no text; use .../infer"
        )
    parameters = body.pop("parameters", {})
    if not isinstance(parameters, dict):
        raise InvalidRequest("parameters: expected an object")
    given_id = body.pop("id", None)
    if not isinstance(given_id, str | None):
        raise InvalidRequest("id: expected a string")
    body.pop("stream", None)
    parameters.pop("stream", None)  # the path says it
    fields = {**_ours(parameters), **_inputs(model, _ours(body))}
    return _GenerateRequest(model, model.definition.input.validated(fields), given_id)


def _ours(given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters under our names. Raises InvalidRequest for one that is said twice."""
    fields: dict[str, Any] = {}
    for name, value in given.items():
        own = _RENAMED.get(name, name)
        if own in fields:
            raise InvalidRequest(f"{name[:80]}: it is said twice, by {own} too")
        fields[own] = value
    if isinstance(fields.get("stop"), str):
        fields["stop"] = [fields["stop"]] if fields["stop"] else []
    if fields.get("bad_words") in ("", [], [""]):
        del fields["bad_words"]
    return fields


def _inputs(model: ModelDeclaration, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body's inputs as fields of one row; whatever is no input is a parameter."""
    fields = dict(body)
    named = [name for name in _TEXT_INPUTS if name in fields]
    if len(named) > 1:
        raise InvalidRequest(f"{named[1]}: the text is said twice, by {named[0]} too")
    for spec in model.definition.inputs:
        if spec.name in fields:
            fields[spec.field] = [fields.pop(spec.name)]
        elif named:
            text = fields.pop(named.pop())
            turn = spec.content == "json"  # a conversation of one turn
            fields[spec.field] = [[{"role": "user", "content": text}] if turn else text]
        elif not spec.optional:
            raise InvalidRequest(f"{_TEXT_INPUTS[0]}: the text is missing")
    return fields


def _text(output: TaskOutput) -> str:
    assert isinstance(output, GenerationOutput)
    return output.generations[0].text


def _ends(output: TaskOutput) -> dict[str, object]:
    assert isinstance(output, GenerationOutput)
    ends = output.generations[0].model_dump(exclude={"text"}, exclude_none=True)
    return {**ends, WARNING: output.warning} if output.warning else ends
