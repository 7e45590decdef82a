"""Text piece by piece over gRPC, from a worker that writes it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.tasks.text.generation import GenerationOutput
from wherry.tasks.text.text_generation import TextGenerationInput

from ..support.waiting import until

grpc = pytest.importorskip("grpc", reason="in the extra of its name")
messages = pytest.importorskip("wherry.tasks.oip_grpc.messages", reason="needs the extra grpc")


@pytest.fixture
def channel(stack: Stack) -> Iterator[Any]:
    with grpc.insecure_channel(stack.grpc_url) as channel:
        yield channel


def stream(channel: Any, *requests: Any) -> Any:
    return channel.stream_stream(
        f"/{messages.SERVICE}/ModelStreamInfer",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=messages.MESSAGES["ModelStreamInferResponse"].FromString,
    )(iter(requests), timeout=60)


def asked(*texts: str, model: str = "writer", raw: bool = False, **fields: Any) -> Any:
    encoded = [text.encode() for text in texts]
    tensor: dict[str, Any] = {"name": "text", "shape": [len(texts)], "datatype": "BYTES"}
    if raw:
        fields["raw_input_contents"] = [
            b"".join(len(text).to_bytes(4, "little") + text for text in encoded)
        ]
    else:
        tensor["contents"] = {"bytes_contents": encoded}
    return messages.MESSAGES["ModelInferRequest"](
        model_name=model,
        inputs=[tensor],
        parameters={"stream": {"bool_param": True}},
        **fields,
    )


def texts(answer: Any) -> list[str]:
    [output] = [o for o in answer.infer_response.outputs if o.name == "text"]
    return [text.decode() for text in output.contents.bytes_contents]


def final(answer: Any) -> bool:
    value: bool = answer.infer_response.parameters["triton_final_response"].bool_param
    return value


def whole(client: Client, *given: str) -> GenerationOutput:
    output = client.infer("writer", TextGenerationInput(texts=list(given)), 60)
    assert isinstance(output, GenerationOutput)
    return output


def test_a_text_comes_in_pieces_and_ends_with_the_rest(channel: Any, client: Client) -> None:
    started, arrivals, answers = time.monotonic(), [], []
    for answer in stream(channel, asked("hi", id="mine")):
        arrivals.append(time.monotonic() - started)
        answers.append(answer)
    assert len(answers) > 10
    assert arrivals[-1] - arrivals[0] > 0.3  # as it is written, not all at once
    assert {answer.infer_response.id for answer in answers} == {"mine"}
    assert [final(answer) for answer in answers] == [*[False] * (len(answers) - 1), True]
    [ours] = whole(client, "hi").generations
    assert "".join(texts(answer)[0] for answer in answers) == ours.text
    last = {output.name: output.contents for output in answers[-1].infer_response.outputs}
    assert list(last["finish_reason"].bytes_contents) == [ours.finish_reason.encode()]
    assert list(last["completion_tokens"].int_contents) == [ours.completion_tokens]


def test_rows_come_side_by_side(channel: Any, client: Client) -> None:
    answers = list(stream(channel, asked("one", "two", "three")))
    joined = ["".join(row) for row in zip(*map(texts, answers), strict=True)]
    assert joined == [row.text for row in whole(client, "one", "two", "three").generations]


def test_raw_questions_get_raw_pieces(channel: Any, client: Client) -> None:
    answers = list(stream(channel, asked("hi", raw=True)))
    raws = [answer.infer_response.raw_output_contents[0][4:] for answer in answers]
    assert b"".join(raws).decode() == whole(client, "hi").generations[0].text


def test_outputs_are_chosen(channel: Any) -> None:
    [answer] = stream(channel, asked("hi", outputs=[{"name": "finish_reason"}]))
    assert final(answer)
    assert [output.name for output in answer.infer_response.outputs] == ["finish_reason"]


def test_models_that_write_nothing_answer_once(channel: Any) -> None:
    [answer] = stream(channel, asked("hi", model="embedding"))
    assert final(answer)
    assert answer.infer_response.outputs[0].name == "embedding"


def test_a_refusal_amid_a_stream_is_told(channel: Any) -> None:
    bad = asked("hi", id="bad", outputs=[{"name": "nope"}])
    first, *_, last = stream(channel, bad, asked("hi", id="good"))
    assert "unknown output 'nope'" in first.error_message
    assert first.infer_response.id == "bad"
    assert last.infer_response.id == "good"


def test_whoever_leaves_ends_the_text(channel: Any, stack: Stack) -> None:
    answers = stream(channel, asked("leaving"))
    next(answers)
    answers.cancel()
    newest = until(
        lambda: httpx.get(f"{stack.url}/v2/jobs?model=writer&limit=1").json()["jobs"][0],
        lambda job: job["status"] == "canceled",
    )
    assert [change["status"] for change in newest["history"]] == ["queued", "running", "canceled"]
