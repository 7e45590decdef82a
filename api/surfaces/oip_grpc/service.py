"""The calls of inference.GRPCInferenceService."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import grpc
import grpc.aio
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError

from .... import __version__
from ....protocol import codec, v2
from ....protocol.errors import InvalidRequest, WherryError
from ....protocol.parameters import STREAM
from ....tasks.catalog import ModelDeclaration
from ....tasks.oip_grpc.messages import MESSAGES, SERVICE
from ...access.caller import caller
from ...core.envelope import Envelope
from ...core.health import EXTENSIONS, why_not_ready
from ...core.model_config import is_decoupled
from ...core.model_loading import load, unload
from ...core.models import index_of, metadata_of, stats_of, why_unavailable
from ...core.new_job import PreparedJob
from ...core.run_and_wait import finished, run
from ...core.service import Service
from ...http.body import OFF_LOOP_BYTES, off_loop, parsed
from ...http.hangup import never
from .config_calls import ConfigCalls
from .convert import read_json, read_request, write_response
from .errors import Context, guarded
from .ordered import in_order
from .pieces import EMPTY_FINAL, FINAL, pieces

log = logging.getLogger(__name__)

#: Elements of a response from which it is written in a thread.
_MANY = 20_000


class _InferRequest(NamedTuple):
    prepared: PreparedJob
    model: ModelDeclaration
    #: Whether the answer's tensors go raw.
    raw: bool
    #: Whether a stream is to tell its last answer to it by an empty one.
    empties_final: bool


class InferenceService(ConfigCalls):
    """One method a call, named as the protocol names it."""

    async def ServerLive(self, _: Any) -> Any:  # noqa: N802 # the protocol's name
        """Whether this process answers."""
        return MESSAGES["ServerLiveResponse"](live=True)

    async def ServerReady(self, _: Any) -> Any:  # noqa: N802 # the protocol's name
        """Whether every model's family has a live worker."""
        return MESSAGES["ServerReadyResponse"](ready=not await why_not_ready(self._service))

    async def ModelReady(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """Whether a live worker serves the model and it is not unloaded."""
        declared = self._service.catalog.get(asked.name, asked.version or None)
        reason = why_unavailable(self._service, declared, await self._service.fleet())
        return MESSAGES["ModelReadyResponse"](ready=not reason)

    async def ServerMetadata(self, _: Any) -> Any:  # noqa: N802 # the protocol's name
        """Name, version, extensions."""
        return MESSAGES["ServerMetadataResponse"](
            name="wherry", version=__version__, extensions=EXTENSIONS
        )

    async def ModelMetadata(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """What a model takes and gives."""
        declared = self._service.catalog.get(asked.name, asked.version or None)
        found = metadata_of(self._service, declared)
        message = MESSAGES["ModelMetadataResponse"](
            name=found.name, versions=found.versions, platform=found.platform
        )
        for into, tensors in ((message.inputs, found.inputs), (message.outputs, found.outputs)):
            for tensor in tensors:
                into.add(name=tensor.name, datatype=tensor.datatype.value, shape=tensor.shape)
        return message

    async def ModelStatistics(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """Counters of a model, or of all."""
        found = await stats_of(self._service, asked.name, asked.version)
        known = {"model_stats": found}
        # What Triton's message has no field for is left out.
        return ParseDict(known, MESSAGES["ModelStatisticsResponse"](), ignore_unknown_fields=True)

    async def ModelInfer(self, body: bytes) -> Any:  # noqa: N802 # the protocol's name
        """Run a request through the queue and wait for its answer."""
        asked = await self._prepare(body)
        return await _written(asked, await self._whole(asked.prepared))

    async def _prepare(self, body: bytes) -> _InferRequest:
        (request, model, raw), large = await parsed(body, self._read)
        empties_final = request.parameters.pop(EMPTY_FINAL, False) is True

        # A waiting client's id is echoed, not used as the job's: OIP lets ids repeat.
        making = self._service.intake.make(
            request, model.name, model.version, Envelope(caller.get()), large=large, use_id=False
        )
        del request
        task = model.definition
        return _InferRequest(await making, model, raw, empties_final and is_decoupled(task))

    def _read(self, body: bytes) -> tuple[v2.InferenceRequest, ModelDeclaration, bool]:
        """A message's request, its model, and whether it is to be answered raw. The message itself,
        which holds all data a second time, is let go.
        """
        message = _parsed(MESSAGES["ModelInferRequest"], body)
        request = read_request(message)
        model = self._service.catalog.get(message.model_name, message.model_version or None)
        request.parameters = read_json(request.parameters, model.definition)
        if _streams_tokens(model, request):
            request.parameters.setdefault("seed", secrets.randbits(62))
        raw = bool(message.raw_input_contents)
        return request, model, raw or codec.wants_binary(request) != (False, frozenset())

    async def _whole(self, prepared: PreparedJob) -> v2.InferenceResponse:
        ended = await run(self._service, never, prepared, self._service.settings.infer_timeout_s)
        stored = await finished(self._service, ended)
        return await off_loop(
            lambda: codec.decode_response(stored.body, stored.header_length),
            large=len(stored.body) >= OFF_LOOP_BYTES,
        )

    async def ModelStreamInfer(  # noqa: N802 # the protocol's name
        self, asked: AsyncIterator[bytes], context: Context
    ) -> None:
        """Answer requests of one stream in the order in which they come.

        One with the parameter `stream` gets a model's text piece by piece.
        """
        async with contextlib.aclosing(in_order(asked, self._stream)) as answers:
            async for answer in answers:
                await context.write(answer)

    async def _stream(self, body: bytes) -> AsyncIterator[Any]:
        """The answers to one request of a stream, or its error; raises none."""
        kind = MESSAGES["ModelStreamInferResponse"]
        try:
            async with contextlib.aclosing(self._answers(body)) as answers:
                async for answer in answers:
                    yield kind(infer_response=answer)
        except WherryError as error:
            yield kind(error_message=error.message, infer_response={"id": _id_of(body)})
        except Exception:
            log.exception("a request of a gRPC stream failed")
            yield kind(error_message="internal error", infer_response={"id": _id_of(body)})

    async def _answers(self, body: bytes) -> AsyncGenerator[Any]:
        asked = await self._prepare(body)
        async with contextlib.aclosing(self._parts(asked)) as parts:
            async for part in parts:
                if not (asked.empties_final and part.parameters.get(FINAL)):
                    yield await _written(asked, part)
                    continue
                end = v2.InferenceResponse.of(part.model_name, [])
                end.model_version, end.parameters = part.model_version, {FINAL: True}
                part.parameters = {**part.parameters, FINAL: False}
                yield await _written(asked, part)
                yield await _written(asked, end)

    async def _parts(self, asked: _InferRequest) -> AsyncGenerator[v2.InferenceResponse]:
        if not _streams_tokens(asked.model, asked.prepared.request):
            whole = await self._whole(asked.prepared)
            whole.parameters = {**whole.parameters, FINAL: True}
            yield whole
            return
        async with contextlib.aclosing(pieces(self._service, asked.model, asked.prepared)) as parts:
            async for part in parts:
                yield part

    async def RepositoryIndex(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """Every declared model and its state."""
        message = MESSAGES["RepositoryIndexResponse"]()
        for entry in await index_of(self._service, only_ready=asked.ready):
            message.models.add(
                **{name: entry[name] for name in ("name", "version", "state", "reason")}
            )
        return message

    async def RepositoryModelLoad(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """Serve a model as models.toml declares it now, and wait until it is loaded so."""
        given = {
            n: getattr(value, value.WhichOneof("parameter_choice"))
            for n, value in asked.parameters.items()
        }
        await load(self._service, asked.model_name, given)
        return MESSAGES["RepositoryModelLoadResponse"]()

    async def RepositoryModelUnload(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """Close a model to new requests; jobs that wait are done, then its memory is freed."""
        await unload(self._service, asked.model_name)
        return MESSAGES["RepositoryModelUnloadResponse"]()


def _streams_tokens(model: ModelDeclaration, request: v2.InferenceRequest) -> bool:
    """Whether a request of a stream is answered piece by piece."""
    return is_decoupled(model.definition) and request.parameters.get(STREAM) is True


async def _written(asked: _InferRequest, response: v2.InferenceResponse) -> Any:
    """A response as it was asked for: raw for a raw question, typed for a typed one."""
    response.id = asked.prepared.request.id
    return await off_loop(
        lambda: write_response(response, raw=asked.raw),
        large=sum(tensor.element_count for tensor in response.outputs) >= _MANY,
    )


def handler(service: Service) -> grpc.GenericRpcHandler:
    """The service as a server takes it. It reads messages itself: a bad one is the client's."""
    calls = InferenceService(service)
    handlers = {
        name.removesuffix("Request"): grpc.unary_unary_rpc_method_handler(
            guarded(_reading(kind, getattr(calls, name.removesuffix("Request")))),
            response_serializer=_serialized,
        )
        for name, kind in MESSAGES.items()
        if name.endswith("Request")
    }
    handlers["ModelInfer"] = grpc.unary_unary_rpc_method_handler(
        guarded(calls.ModelInfer), response_serializer=_serialized
    )
    handlers["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(
        calls.ModelStreamInfer, response_serializer=_serialized
    )
    return grpc.method_handlers_generic_handler(SERVICE, handlers)


def _serialized(message: Any) -> bytes:
    written: bytes = message.SerializeToString()
    return written


def _reading(
    kind: type[Any], call: Callable[[Any], Awaitable[Any]]
) -> Callable[[bytes], Awaitable[Any]]:
    async def read(body: bytes) -> Any:
        return await call(_parsed(kind, body))

    return read


def _id_of(body: bytes) -> str:
    """The id of a request that was refused; "" where the message is none."""
    try:
        return str(MESSAGES["ModelInferRequest"].FromString(body).id)
    except DecodeError:
        return ""


def _parsed(kind: type[Any], body: bytes) -> Any:
    try:
        return kind.FromString(body)
    except DecodeError as error:
        name = kind.DESCRIPTOR.name
        raise InvalidRequest(f"the message is no {SERVICE} {name}: {error}") from None
