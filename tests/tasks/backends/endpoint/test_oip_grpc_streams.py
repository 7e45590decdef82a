"""Texts of servers that speak OIP over gRPC, piece by piece, and of those that cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc.aio
import pytest

from wherry.protocol.errors import RowError
from wherry.tasks.backends.endpoint.faults import AwayError, BrokenError
from wherry.tasks.backends.endpoint.http import Http
from wherry.tasks.backends.endpoint.protocols.base import RemoteModel, Told
from wherry.tasks.backends.endpoint.protocols.oip_grpc import OpenInferenceGrpc
from wherry.tasks.base import TaskOutput
from wherry.tasks.egress.addresses import parse_networks
from wherry.tasks.egress.allowed import Allowed
from wherry.tasks.egress.guard import OutboundGuard
from wherry.tasks.oip_grpc.messages import MESSAGES, SERVICE
from wherry.tasks.registry import get_task
from wherry.tasks.text.text_generation import TextGenerationInput
from wherry.tasks.text.tokens import Token

#: A server's own calls: what a stream's one request is answered, and what ModelInfer is.
Answers = Callable[[Any, Any], AsyncIterator[Any]]

RESPONSE = MESSAGES["ModelStreamInferResponse"]


def text(piece: str, name: str = "text", **counts: int) -> Any:
    """A response with a text, and perhaps counts."""
    message = RESPONSE()
    into = message.infer_response
    into.outputs.add(name=name, datatype="BYTES", shape=[1]).contents.bytes_contents.append(
        piece.encode()
    )
    for count, value in counts.items():
        into.outputs.add(name=count, datatype="INT32", shape=[1]).contents.int_contents.append(
            value
        )
    if counts:
        reason = into.outputs.add(name="finish_reason", datatype="BYTES", shape=[1])
        reason.contents.bytes_contents.append(b"length")
    return message


def final() -> Any:
    """Triton's empty last response."""
    message = RESPONSE()
    message.infer_response.parameters["triton_final_response"].bool_param = True
    return message


def failed(said: str) -> Any:
    return RESPONSE(error_message=said)


class Server:
    """Answers streams as told, and ModelInfer with the text `whole`."""

    def __init__(
        self,
        answers: Answers | None,
        infer: Callable[[Any], Any] | None = None,
        most_bytes: int = -1,
    ) -> None:
        self._answers, self._infer, self._most_bytes = answers, infer, most_bytes
        self.streamed: list[Any] = []
        self.asked = 0
        self.left = asyncio.Event()

    async def __aenter__(self) -> str:
        handlers = {"ModelInfer": grpc.unary_unary_rpc_method_handler(self._whole, *_READ)}
        if self._answers is not None:
            handlers["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(
                self._stream, *_READ
            )
        self._server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", self._most_bytes)]
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, handlers),)
        )
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return f"http://127.0.0.1:{port}"

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)

    async def _stream(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        assert self._answers is not None
        try:
            async for request in requests:
                self.streamed.append(request)
                async for answer in self._answers(request, context):
                    yield answer
        finally:
            self.left.set()

    async def _whole(self, request: Any, context: Any) -> Any:
        self.asked += 1
        if self._infer is not None:
            await context.abort(*self._infer(request))
        return text("whole", prompt_tokens=1, completion_tokens=2).infer_response


_READ = (MESSAGES["ModelInferRequest"].FromString, lambda message: message.SerializeToString())


async def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def protocol_at(url: str, **wanted: Any) -> OpenInferenceGrpc:
    allowed = Allowed.of("http", "127.0.0.1:*", setting="WHERRY_ENDPOINT")
    guard = OutboundGuard(allowed, parse_networks("127.0.0.1/32"), resolve=here)
    model = RemoteModel(model="m", **wanted)
    return OpenInferenceGrpc(get_task("text-generation"), model, Http(url, {}, guard, 20.0))


def generation_of(told: Told) -> dict[str, Any]:
    """The one row's text, and what is told of it."""
    [row] = told.rows
    assert isinstance(row, TaskOutput)
    generation: dict[str, Any] = row.model_dump()["generations"][0]
    return generation


def asked(server: Server, heard: list[str], *, times: int = 1, **wanted: Any) -> Told:
    """What a row is answered that somebody listens to."""

    async def run() -> Told:
        async with server as url:
            protocol = protocol_at(url, **wanted)
            try:
                for _ in range(times):
                    told = await protocol.ask(
                        [TextGenerationInput(texts=["a"])], lambda token: heard.append(token.text)
                    )
            finally:
                await protocol.close()
        return told

    return asyncio.run(run())


async def in_two(request: Any, context: Any) -> AsyncIterator[Any]:
    yield text("one ")
    yield text("two", prompt_tokens=3, completion_tokens=4)


async def as_triton(request: Any, context: Any) -> AsyncIterator[Any]:
    yield text("one ", "OUT")
    yield text("two", "OUT")
    yield final()


def test_pieces_are_heard_as_they_come_and_the_last_has_the_rest() -> None:
    heard: list[str] = []
    server = Server(in_two)
    generation = generation_of(asked(server, heard))
    assert heard == ["one ", "two"]
    assert generation["text"] == "one two"
    assert (generation["finish_reason"], generation["completion_tokens"]) == ("length", 4)
    [request] = server.streamed
    assert request.parameters["stream"].bool_param is True
    assert not server.asked


def test_a_decoupled_model_of_tritons_tells_texts_alone() -> None:
    heard: list[str] = []
    generation = generation_of(asked(Server(as_triton), heard, names={"text": "OUT"}))
    assert heard == ["one ", "two"]
    assert (generation["text"], generation["finish_reason"]) == ("one two", "stop")


def test_a_server_without_streams_is_asked_for_the_whole_once_it_said_so() -> None:
    heard: list[str] = []
    server = Server(None)
    assert generation_of(asked(server, heard, times=2))["text"] == "whole"
    assert (heard, server.asked) == ([], 2)


async def refusing(request: Any, context: Any) -> AsyncIterator[Any]:
    yield failed("the text is too long")


def test_a_row_that_a_stream_refuses_is_refused_with_a_code() -> None:
    """A stream has no code to tell a row's fault from a full queue by."""
    told = Server(refusing, lambda _: (grpc.StatusCode.INVALID_ARGUMENT, "the text is too long"))
    with pytest.raises(RowError, match="INVALID_ARGUMENT: the text is too long"):
        asked(told, [])


async def as_mlserver(request: Any, context: Any) -> AsyncIterator[Any]:
    """ModelInfer's own message, which has the model's name where others have an error."""
    message = text("one").infer_response
    message.model_name = "m"
    yield message


def test_a_server_whose_streams_are_of_another_form_is_asked_twice_once_only() -> None:
    server = Server(as_mlserver)
    assert generation_of(asked(server, [], times=3))["text"] == "whole"
    assert (len(server.streamed), server.asked) == (1, 3)


@pytest.mark.parametrize("hear", [None, lambda _: None])
def test_a_message_that_is_too_large_is_its_rows_fault(hear: Any) -> None:
    """Busy would be asked again for ever, and a batch would never be asked in parts."""

    async def run() -> None:
        async with Server(in_two, most_bytes=1000) as url:
            protocol = protocol_at(url)
            try:
                await protocol.ask([TextGenerationInput(texts=["a" * 2000])], hear)
            finally:
                await protocol.close()

    with pytest.raises(RowError, match="takes no message so large"):
        asyncio.run(run())


def test_a_server_that_does_not_read_is_not_waited_for_for_ever() -> None:
    async def run() -> None:
        async def deaf(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
            await asyncio.Event().wait()
            yield text("never")

        server = Server(in_two)
        server._stream = deaf  # type: ignore[method-assign] # reads nothing at all
        async with server as url:
            protocol = protocol_at(url)
            protocol.http.timeout_s = 0.5
            try:
                async with asyncio.timeout(20):
                    await protocol.ask([TextGenerationInput(texts=["a" * 30_000_000])], print)
            finally:
                await protocol.close()

    with pytest.raises(BrokenError, match="no answer within"):
        asyncio.run(run())


async def breaking_off(request: Any, context: Any) -> AsyncIterator[Any]:
    yield text("one ")
    yield failed("out of memory")


async def aborting(request: Any, context: Any) -> AsyncIterator[Any]:
    yield text("one ")
    await context.abort(grpc.StatusCode.INTERNAL, "out of memory")


@pytest.mark.parametrize("answers", [breaking_off, aborting])
def test_a_text_that_breaks_off_is_no_answer(answers: Answers) -> None:
    heard: list[str] = []
    server = Server(answers)
    with pytest.raises(BrokenError, match="out of memory"):
        asked(server, heard)
    assert (heard, server.asked) == (["one "], 0)


async def nothing(request: Any, context: Any) -> AsyncIterator[Any]:
    yield final()


async def other_tensors(request: Any, context: Any) -> AsyncIterator[Any]:
    yield text("one", "OUT")


@pytest.mark.parametrize(("answers", "said"), [(nothing, "an answer"), (other_tensors, "no text")])
def test_a_stream_without_a_text_is_no_answer(answers: Answers, said: str) -> None:
    with pytest.raises(BrokenError, match=said):
        asked(Server(answers), [])


def test_a_call_that_fails_while_another_dials_anew_is_away() -> None:
    async def run() -> None:
        dialing, gone = asyncio.Event(), asyncio.Event()
        async with Server(endless) as url:
            protocol, first = protocol_at(url), asyncio.Event()
            row = TextGenerationInput(texts=["a"])
            task = asyncio.create_task(protocol.ask([row], lambda _: first.set()))
            await first.wait()
        protocol._channel = None  # as one that dials anew has it

        async def dialed() -> grpc.aio.Channel:
            dialing.set()
            await gone.wait()
            raise AwayError("no connection")

        protocol._dialed = dialed  # type: ignore[method-assign] # one that takes its time
        other = asyncio.create_task(protocol.ask([row], None))
        await dialing.wait()
        try:
            with pytest.raises(AwayError):
                await task
        finally:
            gone.set()
            with pytest.raises(AwayError):
                await other
            await protocol.close()

    asyncio.run(run())


async def endless(request: Any, context: Any) -> AsyncIterator[Any]:
    yield text("one ")
    await asyncio.Event().wait()


def test_who_leaves_ends_the_call_at_the_server() -> None:
    async def run() -> None:
        server, first = Server(endless), asyncio.Event()
        async with server as url:
            protocol = protocol_at(url)

            def hear(token: Token) -> None:
                first.set()

            task = asyncio.create_task(protocol.ask([TextGenerationInput(texts=["a"])], hear))
            await first.wait()
            task.cancel()
            async with asyncio.timeout(20):
                await server.left.wait()
            await protocol.close()

    asyncio.run(run())
