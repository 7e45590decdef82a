"""Open Inference Protocol v2 over gRPC: Triton, MLServer, KServe, Wherry."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import grpc
import grpc.aio
import httpx
from google.protobuf.message import DecodeError
from pydantic_core import to_json

from .....protocol import v2
from .....protocol.errors import InvalidRequest, RowError
from .....protocol.parameters import STREAM
from .....telemetry import traces
from ....base import Task, TaskInput
from ....egress.allowed import NoConnection, NotAllowed
from ....oip_grpc.messages import MESSAGES, SERVICE
from ....text.generation import GenerationOutput
from ..faults import AwayError, BrokenError, EndpointBusyError, EndpointFault, quoted
from ..http import Http
from .base import Hear, RemoteModel, Told
from .oip_grpc_text import StreamedText
from .rows_together import RowsTogether

_ROW = frozenset({"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"})
_ASTRAY = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND", "UNIMPLEMENTED"})

#: How implementations of gRPC say that a message is too large: their code is a full queue's.
_TOO_LARGE = re.compile("larger than max|exceeds maximum size", re.IGNORECASE)

#: Bytes of one message, or of one stream, at most.
_MOST_BYTES = 1 << 28

_KINDS = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}


class OpenInferenceGrpc(RowsTogether):
    """A batch a request, with raw tensors, over one channel to an address that was checked."""

    def __init__(self, task: Task, wanted: RemoteModel, http: Http) -> None:
        super().__init__(task, wanted, http)
        self._channel: grpc.aio.Channel | None = None
        self._opening = asyncio.Lock()
        #: Whether it is thought to tell texts piece by piece.
        self._streams = issubclass(task.output, GenerationOutput)

    async def look(self) -> None:
        """Whether the model is ready, and what it takes."""
        asked = {"name": self.wanted.model, "version": self.wanted.model_version}
        ready = await self._call("ModelReady", MESSAGES["ModelReadyRequest"](**asked))
        if not ready.ready:
            raise AwayError(f"its model {self.wanted.model!r} is not ready")
        told = await self._call("ModelMetadata", MESSAGES["ModelMetadataRequest"](**asked))
        inputs = [{"name": tensor.name, "shape": list(tensor.shape)} for tensor in told.inputs]
        self.learn({"inputs": inputs})

    async def ask(self, rows: Sequence[TaskInput], hear: Hear | None) -> Told:
        """As the base says."""
        request = self.request_of(rows)
        if hear is not None and self._streams:
            text = StreamedText(self.task, self.wanted.names, hear)
            if await self._streamed(request, text):
                return self.told(text.whole(), rows)
        message = self._message(request)
        return self.told(_response(await self._call("ModelInfer", message)), rows)

    async def _streamed(self, request: v2.InferenceRequest, text: StreamedText) -> bool:
        """Have a text told piece by piece; False where it has to be asked for as a whole.

        What is wrong with a request a stream says in words alone: ModelInfer has a code for it.
        """
        streamed = request.model_copy(update={"parameters": {**request.parameters, STREAM: True}})
        method, channel = "ModelStreamInfer", await self._opened()
        # A stream of one request: sent at once, so that waiting for the answer bounds that, too.
        call = channel.unary_stream(
            f"/{SERVICE}/{method}",
            request_serializer=MESSAGES["ModelInferRequest"].SerializeToString,
            response_deserializer=lambda body: body,
        )(self._message(streamed), metadata=self._metadata())
        try:
            async for response in self._pieces(call):
                if response.error_message and text.begun:
                    said = quoted(response.error_message.encode(), self.http.hidden)
                    raise BrokenError(f"the endpoint's stream ended{said}")
                if response.error_message:
                    # MLServer's message has the model's name in this place.
                    self._streams &= response.error_message != self.wanted.model
                    return False
                text.add(_response(response.infer_response))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                self._streams = False
                return False
            raise self._meaning(error) from None
        except DecodeError:  # MLServer answers another message than the protocol's
            self._streams = False
            return False
        finally:
            call.cancel()
        return True

    async def _pieces(self, call: Any) -> AsyncGenerator[Any]:
        read, size = MESSAGES["ModelStreamInferResponse"].FromString, 0
        while True:
            try:
                async with asyncio.timeout(self.http.timeout_s):
                    body = await call.read()
            except TimeoutError:
                raise BrokenError(f"no answer within {self.http.timeout_s:g} s") from None
            if body is grpc.aio.EOF:  # pyright: ignore[reportAttributeAccessIssue] # from Cython
                return
            size += len(body)
            if size > _MOST_BYTES:
                raise BrokenError(f"the endpoint's stream is over {_MOST_BYTES} bytes")
            yield read(body)

    def _message(self, request: v2.InferenceRequest) -> Any:
        message = MESSAGES["ModelInferRequest"](
            model_name=self.wanted.model, model_version=self.wanted.model_version
        )
        _write_parameters(message.parameters, request.parameters)
        for tensor in request.inputs:
            into = message.inputs.add(
                name=tensor.name, datatype=tensor.datatype.value, shape=tensor.shape
            )
            _write_parameters(into.parameters, tensor.parameters)
            message.raw_input_contents.append(bytes(tensor.raw()))
        return message

    async def _call(self, method: str, message: Any) -> Any:
        channel = await self._opened()
        call = channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=MESSAGES[f"{method}Request"].SerializeToString,
            response_deserializer=MESSAGES[f"{method}Response"].FromString,
        )
        try:
            return await call(message, timeout=self.http.timeout_s, metadata=self._metadata())
        except grpc.aio.AioRpcError as error:
            raise self._meaning(error) from None

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        told = {**self.http.own_headers, **traces.carried()}
        return tuple((name.lower(), value) for name, value in told.items())

    def _meaning(self, error: grpc.aio.AioRpcError) -> EndpointFault | RowError:
        code, said = error.code().name, quoted((error.details() or "").encode(), self.http.hidden)
        if code in _ROW:
            return RowError(f"the endpoint answered {code}{said}")
        if code in _ASTRAY:
            return AwayError(f"it answers {code}")
        if code == "RESOURCE_EXHAUSTED" and _TOO_LARGE.search(said):
            return RowError(f"the endpoint takes no message so large{said}")
        if code == "RESOURCE_EXHAUSTED":
            return EndpointBusyError(f"it answers {code}")
        if code == "UNAVAILABLE":
            there = grpc.ChannelConnectivity.READY
            is_there = self._channel is not None and self._channel.get_state() is there
            return (
                EndpointBusyError(f"it answers {code}") if is_there else AwayError("no connection")
            )
        return BrokenError(f"the endpoint answered {code}{said}")

    async def _opened(self) -> grpc.aio.Channel:
        """The channel, whose address was checked when it was opened; a lost one is checked anew."""
        lost = (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN)
        async with self._opening:
            if self._channel is not None and self._channel.get_state() in lost:
                channel, self._channel = self._channel, None
                await channel.close()
            if self._channel is None:
                self._channel = await self._dialed()
            return self._channel

    async def _dialed(self) -> grpc.aio.Channel:
        try:
            url, addresses = await self.http.resolved()
        except (NoConnection, NotAllowed) as error:
            raise AwayError(str(error)) from None
        port = url.port or {"https": 443, "http": 80}[url.scheme]
        targets = [f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for each in addresses]
        family = "ipv6" if ":" in addresses[0] else "ipv4"
        same = [each for each in targets if each.startswith("[") == (family == "ipv6")]
        return _channel(f"{family}:{','.join(same)}", url)

    async def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            await self._channel.close()
        await super().close()


def _channel(target: str, url: httpx.URL) -> grpc.aio.Channel:
    host = url.raw_host.decode("ascii")
    options = [
        ("grpc.default_authority", url.netloc.decode("ascii")),
        ("grpc.max_receive_message_length", _MOST_BYTES),
        ("grpc.max_send_message_length", -1),
        ("grpc.enable_http_proxy", 0),
    ]
    if url.scheme == "http":
        return grpc.aio.insecure_channel(target, options)
    named = [*options, ("grpc.ssl_target_name_override", host)]
    return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), named)


def _write_parameters(into: Any, parameters: Mapping[str, Any]) -> None:
    for name, value in parameters.items():
        kind = _KINDS.get(type(value))
        setattr(into[name], kind or "string_param", value if kind else to_json(value).decode())


def _response(message: Any) -> v2.InferenceResponse:
    raws = list(message.raw_output_contents)
    outputs = []
    for place, tensor in enumerate(message.outputs):
        data: Any = raws[place] if raws else _values(tensor)
        outputs.append(
            {
                "name": tensor.name,
                "shape": list(tensor.shape),
                "datatype": tensor.datatype,
                "parameters": _parameters(tensor.parameters),
                "data": data,
            }
        )
    try:
        return v2.InferenceResponse.parse(
            {
                "model_name": message.model_name,
                "parameters": _parameters(message.parameters),
                "outputs": outputs,
            }
        )
    except InvalidRequest as error:
        raise BrokenError(f"the endpoint's answer cannot be read: {error}") from None


def _values(tensor: Any) -> list[Any]:
    """The values of a tensor that is not raw: of the one field that has some."""
    for _, values in tensor.contents.ListFields():
        return list(values)
    return []


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: getattr(value, kind)
        for name, value in given.items()
        if (kind := value.WhichOneof("parameter_choice"))
    }
