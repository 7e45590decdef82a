"""What OpenAI's clients may send: read, refused with the field's name, never a 500."""

from __future__ import annotations

import base64
import codecs
import json
import threading
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from wherry.api.surfaces.openai.audio_routes import SpeechRequest
from wherry.api.surfaces.openai.chat_requests import ChatRequest
from wherry.api.surfaces.openai.completions_routes import CompletionRequest
from wherry.api.surfaces.openai.embeddings_requests import EmbeddingsRequest
from wherry.api.surfaces.openai.images_routes import ImagesRequest
from wherry.jobs import Outcome
from wherry.tasks.samples import PNG, WAV

from ...conftest import Worker

HELLO = [{"role": "user", "content": "hi"}]
SOUND_PART = {
    "type": "input_audio",
    "input_audio": {"data": base64.b64encode(WAV).decode(), "format": "m4a"},  # the bytes decide
}
IMAGE = {
    "type": "image_url",
    "image_url": {"url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"},
}


TOOL = {"type": "function", "function": {"name": "f"}}


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "chat", "messages": HELLO, **fields}


BAD = [
    ("chat/completions", {"messages": HELLO}, "model"),
    ("chat/completions", chat(messages=[]), "messages"),
    ("chat/completions", chat(messages=[{"role": "judge", "content": "x"}]), "messages[0].role"),
    ("chat/completions", chat(messages=[{"role": "tool"}]), "messages[0]"),
    ("chat/completions", chat(messages=[{"role": "user", "content": [IMAGE]}]), "messages"),
    ("chat/completions", chat(n=2, temperature=0), "n"),
    ("chat/completions", chat(n=99, temperature=1), "n"),
    ("chat/completions", chat(frequency_penalty=3), "frequency_penalty"),
    ("chat/completions", chat(logit_bias={"a": 1}), "logit_bias"),
    ("chat/completions", chat(logprobs=True, top_logprobs=21), "top_logprobs"),
    ("chat/completions", chat(top_logprobs=2), "top_logprobs"),
    ("chat/completions", chat(min_tokens=-1), "min_tokens"),
    ("chat/completions", chat(n=2, top_p=0), "n"),
    ("chat/completions", chat(tools=[{}]), "tools"),
    ("chat/completions", chat(tool_choice="required"), "tool_choice"),
    ("chat/completions", chat(tools=[TOOL], tool_choice="perhaps"), "tool_choice"),
    ("chat/completions", chat(tools=[TOOL, TOOL]), "tools"),
    ("chat/completions", chat(model="image-text-to-text", tools=[TOOL]), "messages"),
    ("chat/completions", chat(response_format={"type": "xml"}), "response_format"),
    (
        "chat/completions",
        chat(response_format={"json_schema": {"schema": {"type": "object"}}}),
        "response_format",
    ),
    ("chat/completions", chat(response_format={"type": "json_schema"}), "response_format.json"),
    (
        "chat/completions",
        chat(response_format={"type": "json_schema", "json_schema": {"schema": {"type": "x"}}}),
        "response_format",
    ),
    ("chat/completions", chat(guided_json="{"), "guided_json"),
    ("chat/completions", chat(guided_regex="(["), "guided_regex"),
    ("chat/completions", chat(guided_choice=[]), "guided_choice"),
    ("chat/completions", chat(guided_choice=["a"], guided_regex="a"), "guided_choice"),
    ("chat/completions", chat(structured_outputs={"xml": "a"}), "structured_outputs"),
    (
        "completions",
        {"model": "text-generation", "prompt": "a", "guided_grammar": "start: nothing"},
        "guided_grammar",
    ),
    ("responses", {"model": "chat", "input": []}, "input"),
    ("responses", {"model": "chat", "input": "a", "previous_response_id": "b"}, "previous"),
    ("responses", {"model": "chat", "input": "a", "tools": [{"type": "web_search"}]}, "tools[0]"),
    ("responses", {"model": "chat", "input": [{"type": "computer_call"}]}, "input[0].type"),
    ("responses", {"model": "chat", "input": "a", "max_output_tokens": 0}, "max_output_tokens"),
    ("responses", {"model": "chat", "input": "a", "reasoning": {"effort": "high"}}, "reasoning"),
    (
        "responses",
        {"model": "chat", "input": "a", "text": {"format": {"type": "json_schema"}}},
        "text.format",
    ),
    ("chat/completions", chat(max_tokens=0), "max_tokens"),
    ("chat/completions", chat(max_token=5), "max_token"),
    ("chat/completions", chat(stop=[""]), "stop[0]"),
    ("chat/completions", chat(model="image-text-to-text"), "messages"),
    ("chat/completions", chat(model="image-text-to-text", stop="x"), "messages"),
    ("completions", {"model": "text-generation", "prompt": "a", "suffix": "b"}, "suffix"),
    ("completions", {"model": "text-generation", "prompt": []}, "prompt"),
    ("embeddings", {"model": "embedding", "input": [[1]]}, "input"),
    ("embeddings", {"model": "embedding", "input": "a", "encoding_format": "hex"}, "encoding"),
    ("embeddings", {"model": "embedding", "input": "a", "dimensions": 9}, "dimensions"),
    ("images/generations", {"model": "text-to-image", "prompt": "a", "size": "big"}, "size"),
    (
        "images/generations",
        {"model": "text-to-image", "prompt": "a", "response_format": "url"},
        "response_format",
    ),
    ("audio/speech", {"model": "text-to-speech", "input": ""}, "input"),
    (
        "audio/speech",
        {"model": "text-to-speech", "input": "a", "response_format": "ogg"},
        "response_format",
    ),
]


@pytest.mark.parametrize(("path", "body", "param"), BAD)
def test_a_refusal_names_the_field(
    http: httpx.Client, serving: Worker, path: str, body: dict[str, Any], param: str
) -> None:
    answer = http.post(f"/v1/{path}", json=body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["param"] or "").startswith(param), error
    assert error["type"] == "invalid_request_error"


def test_what_is_about_openais_own_service_is_left_unread(
    http: httpx.Client, serving: Worker
) -> None:
    body = chat(user="u", metadata={"a": "b"}, store=True, parallel_tool_calls=False, n=None)
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "Paris."


def test_the_path_names_the_model_for_hugging_faces_clients(
    http: httpx.Client, serving: Worker
) -> None:
    answer = http.post("/models/chat/v1/chat/completions", json=chat(model="dummy"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "chat"
    body = {"model": "dummy", "prompt": "The"}
    answer = http.post("/models/text-generation/v1/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "text-generation"


def test_a_model_of_images_answers_about_one(http: httpx.Client, serving: Worker) -> None:
    parts = [{"type": "text", "text": "What is this?"}, IMAGE]
    body = chat(model="image-text-to-text", messages=[{"role": "user", "content": parts}])
    whole = http.post("/v1/chat/completions", json=body)
    assert whole.json()["choices"][0]["message"]["content"] == "A grey square."
    streamed = http.post("/v1/chat/completions", json={**body, "stream": True})
    lines = [line for line in streamed.text.splitlines() if line]
    assert lines[-1] == "data: [DONE]"
    assert json.loads(lines[1].removeprefix("data: "))["choices"][0]["delta"] == {
        "content": "A grey square."
    }


def test_a_model_of_sounds_answers_about_one_or_none(http: httpx.Client, serving: Worker) -> None:
    words = {"type": "text", "text": "What is this?"}
    for parts in ([SOUND_PART, words], [words]):
        body = chat(model="audio-text-to-text", messages=[{"role": "user", "content": parts}])
        whole = http.post("/v1/chat/completions", json=body)
        assert whole.status_code == 200, whole.text
        assert whole.json()["choices"][0]["message"]["content"] == "Wind in the rigging."
    streamed = http.post("/v1/chat/completions", json={**body, "stream": True})
    lines = [line for line in streamed.text.splitlines() if line]
    assert lines[-1] == "data: [DONE]"
    assert json.loads(lines[1].removeprefix("data: "))["choices"][0]["delta"] == {
        "content": "Wind in the rigging."
    }


@pytest.mark.parametrize(
    ("model", "parts", "message"),
    [
        ("chat", [SOUND_PART], "model 'chat' reads no sounds"),
        ("image-text-to-text", [IMAGE, SOUND_PART], "model 'image-text-to-text' reads no sounds"),
        ("audio-text-to-text", [IMAGE], "model 'audio-text-to-text' reads no images"),
        (
            "audio-text-to-text",
            [SOUND_PART] * 2,
            "about one sound, in the last message",
        ),
        (
            "audio-text-to-text",
            [{**SOUND_PART, "input_audio": {"data": "%", "format": "wav"}}],
            "messages: input_audio: not base64",
        ),
    ],
)
def test_a_file_that_a_model_would_leave_out_is_refused(
    http: httpx.Client, model: str, parts: list[Any], message: str
) -> None:
    body = chat(model=model, messages=[{"role": "user", "content": parts}])
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]["message"]


def test_an_error_amid_a_stream_is_an_event(http: httpx.Client, worker: Worker) -> None:
    def fail() -> None:
        for job, stats in worker.claim():
            worker.finish(
                Outcome(id=job.id, attempt=1, error_type="backend_error", error="no"), stats
            )

    timer = threading.Timer(0.5, fail)
    timer.start()
    answer = http.post("/v1/chat/completions", json=chat(stream=True))
    timer.join()
    last = [line for line in answer.text.splitlines() if line][-1]
    assert json.loads(last.removeprefix("data: "))["error"]["message"] == "no"


@pytest.mark.parametrize(
    ("files", "data", "param"),
    [
        ({}, {"model": "automatic-speech-recognition"}, None),
        ({"file": b"x"}, {}, "model"),
        ({"sound": b"x"}, {"model": "automatic-speech-recognition"}, "sound"),
        (
            {"file": b"x"},
            {"model": "automatic-speech-recognition", "timestamp_granularities[]": "word"},
            "timestamp_granularities",
        ),
    ],
)
def test_a_bad_form_is_refused(
    http: httpx.Client,
    serving: Worker,
    files: dict[str, bytes],
    data: dict[str, str],
    param: str | None,
) -> None:
    answer = http.post("/v1/audio/transcriptions", files=files, data=data)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize("language", [{}, {"language": "en"}])
def test_verbose_json_tells_of_the_sound(
    http: httpx.Client, serving: Worker, language: dict[str, str]
) -> None:
    data = {"model": "automatic-speech-recognition", "response_format": "verbose_json", **language}
    answer = http.post("/v1/audio/transcriptions", files={"file": b"x"}, data=data)
    assert answer.status_code == 200, answer.text
    heard = answer.json()
    assert (heard["duration"], heard["language"]) == (0.125, "english")


@pytest.mark.parametrize(
    "content_type", ["", "multipart/form-data", "multipart/form-data; boundary=x", "text/plain"]
)
def test_what_is_no_form_is_refused(http: httpx.Client, content_type: str) -> None:
    answer = http.post(
        "/v1/audio/transcriptions", content=b"nonsense", headers={"Content-Type": content_type}
    )
    assert answer.status_code == 400, answer.text


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
FIELDS = [
    *("model", "messages", "prompt", "input", "n", "stop", "seed", "stream", "logprobs", "size"),
    *("max_tokens", "temperature", "stream_options", "response_format", "voice", "dimensions"),
]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=st.sampled_from(["chat/completions", "completions", "embeddings", "images/generations"]),
    body=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5),
    model=st.sampled_from(["chat", "text-generation", "embedding", "nope", None]),
)
def test_no_body_breaks_the_server(
    http: httpx.Client, serving: Worker, path: str, body: dict[str, Any], model: str | None
) -> None:
    answer = http.post(f"/v1/{path}", json={**body, **({"model": model} if model else {})})
    assert answer.status_code < 500, answer.text


#: A body that each path answers, and the class that reads it.
BODIES: list[tuple[str, type[BaseModel], dict[str, Any]]] = [
    ("chat/completions", ChatRequest, chat()),
    ("completions", CompletionRequest, {"model": "text-generation", "prompt": "a"}),
    ("embeddings", EmbeddingsRequest, {"model": "embedding", "input": "a"}),
    ("images/generations", ImagesRequest, {"model": "text-to-image", "prompt": "a"}),
    ("audio/speech", SpeechRequest, {"model": "text-to-speech", "input": "a"}),
]


@pytest.mark.parametrize(("path", "kind", "body"), BODIES)
def test_null_is_as_if_left_out(
    http: httpx.Client, serving: Worker, path: str, kind: type[BaseModel], body: dict[str, Any]
) -> None:
    assert http.post(f"/v1/{path}", json=body).status_code == 200
    nulls = {name: None for name in kind.model_fields if name not in body}
    answer = http.post(f"/v1/{path}", json={**body, **nulls})
    assert answer.status_code == 200, answer.text
    for name in body:
        answer = http.post(f"/v1/{path}", json={**body, name: None})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, name)


def test_null_within_a_field_is_as_if_left_out(http: httpx.Client, serving: Worker) -> None:
    part = {"type": "text", "text": "hi", "image_url": None}
    message = {"role": "user", "content": [part], "name": None, "tool_calls": None}
    options = {"include_usage": None, "include_obfuscation": None}
    body = chat(messages=[message], stream=True, stream_options=options)
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    image = {**IMAGE, "text": None, "image_url": {**IMAGE["image_url"], "detail": None}}  # type: ignore[dict-item] # it is a dict
    content = [{"type": "text", "text": "What?"}, image]
    body = chat(model="image-text-to-text", messages=[{"role": "user", "content": content}])
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text


def test_a_byte_order_mark_before_a_body_is_passed_over(
    http: httpx.Client, serving: Worker
) -> None:
    content = codecs.BOM_UTF8 + json.dumps(chat()).encode()
    answer = http.post("/v1/chat/completions", content=content)
    assert answer.status_code == 200, answer.text
