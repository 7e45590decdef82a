"""Reading Hugging Face's requests: parameters in our words, and whatever else may come."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wherry.api.surfaces.huggingface.parameters import fields
from wherry.api.surfaces.huggingface.requests import read_json, read_request
from wherry.api.surfaces.huggingface.routes import READERS
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG

from ...conftest import Worker

PICTURE = base64.b64encode(PNG).decode()


def test_a_handler_gets_the_whole_body() -> None:
    body = {"inputs": "x", "moreData": 1, "customTask": True, "parameters": {"odd": [1]}}
    task = get_task("custom")
    asked = read_request(task, json.dumps(body).encode(), {}, [])
    assert READERS["custom"](asked).fields == {"data": [body]}
    raw = read_request(task, b"a text", {}, [("shout", "true")])
    assert READERS["custom"](raw).fields == {
        "data": [{"inputs": "a text", "parameters": {"shout": True}}]
    }


def test_parameters_are_told_in_our_words() -> None:
    def of(task: str, **given: object) -> dict[str, Any]:
        return fields(get_task(task), given)

    assert of("summarization", truncation="longest_first") == {"truncate": True}
    assert of("summarization", truncation="do_not_truncate") == {"truncate": False}
    nested = {"max_length": 9, "num_beams": 2}
    assert of("translation", generate_parameters=nested, tgt_lang="de") == {
        "max_new_tokens": 9,
        "num_beams": 2,
        "tgt_lang": "de",
    }
    assert of("text-generation", temperature=0.7) == {"temperature": 0.7, "do_sample": True}
    assert of("text-generation", temperature=0.7, do_sample=False)["do_sample"] is False
    assert of("text-generation", stop_sequences=["."], best_of=1) == {"stop": ["."]}
    assert of("text-to-image", target_size={"width": 64, "height": 32}) == {
        "width": 64,
        "height": 32,
    }
    assert of("embedding", normalize=False, truncate=True) == {"normalize": False, "truncate": True}
    for task in ("embedding", "text-classification", "zero-shot-classification"):
        assert of(task, truncation="do_not_truncate") == {"truncate": False}
        assert of(task, truncation=True, truncation_direction="Left") == {
            "truncate": True,
            "truncation_direction": "left",
        }
    # It refuses what is too long in any case.
    assert of("text-generation", truncation=False) == {}
    with pytest.raises(InvalidRequest, match="truncation"):
        of("fill-mask", truncation=True)
    with pytest.raises(InvalidRequest, match="generate_kwargs"):
        of("summarization", generate_kwargs=3)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *("question", "context", "query", "table", "text", "image", "sentences", "texts"),
        *("source_sentence", "past_user_inputs", "generated_responses", "messages"),
        *("candidate_labels", "top_k", "word_boxes", "target_size", "boxes", "points"),
        *("max_new_tokens", "temperature", "generate_kwargs", "truncation", "stop"),
    ]
)
OBJECT = st.dictionaries(NAMES, JSON | st.just(PICTURE), max_size=4)
INPUTS = JSON | OBJECT | st.lists(OBJECT, max_size=2) | st.just(PICTURE)
BODIES = st.fixed_dictionaries(
    {},
    optional={"inputs": INPUTS, "parameters": JSON | OBJECT, "stream": JSON, "question": JSON},
)


@pytest.mark.parametrize("task", sorted(READERS))
@given(body=BODIES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_sent_is_read_or_refused(task: str, body: dict[str, Any]) -> None:
    definition = get_task(task)
    try:
        asked = read_request(definition, json.dumps(body).encode(), {}, [])
        rows = READERS[task](asked)
        filled = {**fields(definition, asked.parameters), **rows.fields}
        read = definition.input.validated(filled)
    except InvalidRequest as error:
        assert error.message
    else:
        assert read.to_inference_request().inputs


@given(
    body=st.binary(max_size=60) | st.text(alphabet='{}[]",: \\\n1ae', max_size=40).map(str.encode)
)
@settings(deadline=None)
def test_any_bytes_are_read_as_json_or_refused(body: bytes) -> None:
    try:
        found = read_json(body)
    except InvalidRequest:
        with pytest.raises(ValueError, match="."):
            json.loads(body)
    else:
        json.dumps(found).encode()


def test_reading_json_stays_linear() -> None:
    with pytest.raises(InvalidRequest):
        read_json(b'{"a": "' + b'\\"' * 500_000)
    with pytest.raises(InvalidRequest):
        read_json(b"{" + b", " * 500_000)


@given(
    task=st.sampled_from(sorted(READERS)),
    body=BODIES | st.binary(max_size=40),
    query=st.dictionaries(NAMES, st.text(alphabet="1.-truefalsex,", max_size=5), max_size=2),
)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_nothing_that_is_sent_makes_the_server_fail(
    task: str, body: Any, query: dict[str, str], http: httpx.Client, serving: Worker
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = http.post(f"/models/{task}", content=content, params=query)
    assert answer.status_code in (200, 400, 413), answer.text
