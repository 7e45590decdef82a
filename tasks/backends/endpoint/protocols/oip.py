"""Open Inference Protocol v2 over HTTP: Triton, MLServer, KServe, Wherry."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from .....protocol import codec, v2
from .....protocol.errors import InvalidRequest, WherryError
from ....base import TaskInput
from ....text.generation import Generation, GenerationOutput
from ....text.tokens import Token
from ..faults import BrokenError, EndpointFault, quoted
from ..http import EndpointReply
from .base import UNNUMBERED, Hear, Told
from .rows_together import RowsTogether
from .streams import events

#: Where Triton's model configuration says how many rows one request may have.
_MOST_ROWS = "max_batch_size"

_LENGTH = "Inference-Header-Content-Length"

_JSON = {"Content-Type": "application/json"}

#: What a server's metadata calls the extension by which tensors go raw.
_RAW = "binary_tensor_data"


class OpenInference(RowsTogether):
    """A batch a request, as large as the model's metadata allows; raw where the server can."""

    _raw = False

    async def look(self) -> None:
        """Whether the model is ready, what it takes, and whether the server takes raw tensors."""
        server = (await self.http.get("/v2")).json()
        extensions = server.get("extensions") if isinstance(server, Mapping) else None
        self._raw = isinstance(extensions, list) and _RAW in extensions
        await self.http.get(f"{self._path}/ready")
        self.learn((await self.http.get(self._path)).json())
        with contextlib.suppress(EndpointFault, WherryError):  # Triton's own; others have none
            config = (await self.http.get(f"{self._path}/config")).json()
            self.learn_most(config.get(_MOST_ROWS) if isinstance(config, Mapping) else None)

    @property
    def _path(self) -> str:
        version = self.wanted.model_version
        return f"/v2/models/{self.wanted.model}" + (f"/versions/{version}" if version else "")

    async def ask(self, rows: Sequence[TaskInput], hear: Hear | None) -> Told:
        """As the base says."""
        if hear is not None and issubclass(self.task.output, GenerationOutput):
            return await self._streamed(rows[0], hear)
        request = self.request_of(rows)
        if self._raw:
            request.parameters = {**request.parameters, "binary_data_output": True}
        body, length = codec.encode_request(request, binary=self._raw)
        headers = _JSON
        if length is not None:
            headers = {"Content-Type": "application/octet-stream", _LENGTH: str(length)}
        reply = await self.http.post(f"{self._path}/infer", body, headers)
        return self.told(_response(reply), rows)

    async def _streamed(self, row: TaskInput, hear: Hear) -> Told:
        """By Triton's generate extension, which tells a text piece by piece."""
        parameters = row.to_inference_request().parameters
        fields: dict[str, Any] = {"parameters": {**parameters, **self.wanted.extra}}
        for spec in self.task.inputs:
            if (value := getattr(row, spec.field)) is not None:
                name = self.wanted.names.get(spec.name, spec.name)
                fields[name] = value[0] if spec.field in row.ROWS else value
        text, ends, has_text = "", dict[str, Any](), False
        path, body = f"{self._path}/generate_stream", to_json(fields)
        async with self.http.open("POST", path, body, _JSON) as reply:
            async for event in events(reply.aiter_bytes()):
                if "error" in event:
                    said = quoted(to_json(event), self.http.hidden)
                    raise BrokenError(f"the endpoint's stream ended{said}")
                ends, has_text = event, has_text or "text_output" in event
                if piece := str(event.get("text_output") or ""):
                    text += piece
                    hear(Token(UNNUMBERED, piece, None))
        if not has_text:
            raise BrokenError("the endpoint's stream ended without an answer")
        told = {name: ends[name] for name in Generation.model_fields if name in ends}
        counted = {"finish_reason": "stop", "prompt_tokens": 0, "completion_tokens": 0}
        generation = Generation.model_validate({**counted, **told, "text": text})
        output = self.task.output
        assert issubclass(output, GenerationOutput)
        return Told([output(generations=[generation])])


def _response(reply: EndpointReply) -> v2.InferenceResponse:
    length = reply.headers.get(_LENGTH.lower())
    try:
        return codec.decode_response(reply.body, int(length) if length else None)
    except (InvalidRequest, ValueError) as error:
        raise BrokenError(f"the endpoint's answer cannot be read: {error}") from None
