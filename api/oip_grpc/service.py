"""The calls of inference.GRPCInferenceService."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError

from ... import __version__
from ...jobs.fleet import set_loaded
from ...protocol import codec, v2
from ...protocol.errors import InvalidRequest, WherryError
from ...protocol.parameters import STREAM
from ...tasks.catalog import ModelDeclaration
from ...tasks.text.generation import GenerationOutput
from ..intake import OFF_LOOP_BYTES, Prepared
from ..models_routes import index_of, metadata_of, stats_of, why_unavailable
from ..run import finished, run
from ..server_routes import EXTENSIONS, why_not_ready
from ..service import Service
from .convert import read_json, read_request, write_response
from .errors import Context, guarded
from .messages import MESSAGES, SERVICE
from .ordered import in_order
from .pieces import FINAL, pieces

log = logging.getLogger(__name__)

#: Elements of a response from which it is written in a thread.
_MANY = 20_000


class InferenceService:
    """One method a call, named as the protocol names it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def ServerLive(self, _: Any) -> Any:  # noqa: N802 # the protocol's name
        """Whether this process answers."""
        return MESSAGES["ServerLiveResponse"](live=True)

    async def ServerReady(self, _: Any) -> Any:  # noqa: N802 # the protocol's name
        """Whether every model's family has a live worker."""
        return MESSAGES["ServerReadyResponse"](ready=not await why_not_ready(self._service))

    async def ModelReady(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """Whether a live worker serves the model and it is not unloaded."""
        declared = self._service.catalog.get(asked.name, asked.version or None)
        reason = why_unavailable(declared, await self._service.fleet())
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

    async def ModelInfer(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """Run a request through the queue and wait for its answer."""
        prepared = await self._prepare(asked)
        return await _written(asked, prepared.request, await self._whole(prepared))

    async def _prepare(self, asked: Any) -> Prepared:
        def work() -> Prepared:
            request = read_request(asked)
            model = self._model(asked)
            request.parameters = read_json(request.parameters, model.definition)
            if _tells(model, request):
                request.parameters.setdefault("seed", secrets.randbits(62))
            # A waiting client's id is echoed, not used as the job's: OIP lets ids repeat.
            return self._service.intake.prepare(request, model.name, model.version, use_id=False)

        large = asked.ByteSize() >= OFF_LOOP_BYTES
        return await self._service.intake.outbound.files.read(work, in_thread=large)

    def _model(self, asked: Any) -> ModelDeclaration:
        return self._service.catalog.get(asked.model_name, asked.model_version or None)

    async def _whole(self, prepared: Prepared) -> v2.InferenceResponse:
        ended = await run(self._service, _never, prepared, self._service.settings.infer_timeout_s)
        stored = await finished(self._service, ended)
        if len(stored.body) < OFF_LOOP_BYTES:
            return codec.decode_response(stored.body, stored.header_length)
        return await asyncio.to_thread(codec.decode_response, stored.body, stored.header_length)

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
        asked = MESSAGES["ModelInferRequest"]()
        try:
            asked = _parsed(MESSAGES["ModelInferRequest"], body)
            async with contextlib.aclosing(self._answers(asked)) as answers:
                async for answer in answers:
                    yield kind(infer_response=answer)
        except WherryError as error:
            yield kind(error_message=error.message, infer_response={"id": asked.id})
        except Exception:
            log.exception("a request of a gRPC stream failed")
            yield kind(error_message="internal error", infer_response={"id": asked.id})

    async def _answers(self, asked: Any) -> AsyncGenerator[Any]:
        prepared, model = await self._prepare(asked), self._model(asked)
        if not _tells(model, prepared.request):
            whole = await self._whole(prepared)
            whole.parameters = {**whole.parameters, FINAL: True}
            yield await _written(asked, prepared.request, whole)
            return
        async with contextlib.aclosing(pieces(self._service, model, prepared)) as parts:
            async for part in parts:
                yield await _written(asked, prepared.request, part)

    async def RepositoryIndex(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """Every declared model and its state."""
        message = MESSAGES["RepositoryIndexResponse"]()
        for entry in await index_of(self._service, only_ready=asked.ready):
            message.models.add(
                **{name: entry[name] for name in ("name", "version", "state", "reason")}
            )
        return message

    async def RepositoryModelLoad(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """Open a model to requests again."""
        await self._set_loaded(asked.model_name, loaded=True)
        return MESSAGES["RepositoryModelLoadResponse"]()

    async def RepositoryModelUnload(self, asked: Any) -> Any:  # noqa: N802 # the protocol's name
        """Close a model to new requests."""
        await self._set_loaded(asked.model_name, loaded=False)
        return MESSAGES["RepositoryModelUnloadResponse"]()

    async def _set_loaded(self, name: str, *, loaded: bool) -> None:
        service = self._service
        declared = service.catalog.get(name)
        await service.queue.run(set_loaded(declared.name, service.jobs, loaded=loaded))


def _tells(model: ModelDeclaration, request: v2.InferenceRequest) -> bool:
    """Whether a request of a stream is answered piece by piece."""
    writes = issubclass(model.definition.output, GenerationOutput)
    return writes and request.parameters.get(STREAM) is True


async def _written(asked: Any, request: v2.InferenceRequest, response: v2.InferenceResponse) -> Any:
    """A response as it was asked for: raw for a raw question, typed for a typed one."""
    response.id = request.id
    raw = bool(asked.raw_input_contents) or codec.wants_binary(request) != (False, frozenset())
    if sum(tensor.element_count for tensor in response.outputs) < _MANY:
        return write_response(response, raw=raw)
    return await asyncio.to_thread(write_response, response, raw=raw)


async def _never() -> None:
    """Wait for ever: gRPC cancels the call itself when its client is gone."""
    await asyncio.get_running_loop().create_future()


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


def _parsed(kind: type[Any], body: bytes) -> Any:
    try:
        return kind.FromString(body)
    except DecodeError as error:
        name = kind.DESCRIPTOR.name
        raise InvalidRequest(f"the message is no {SERVICE} {name}: {error}") from None
