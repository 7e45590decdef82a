"""Triton's generate extension in the words of its text models."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from wherry.api.v2.generate import _ours
from wherry.protocol.errors import InvalidRequest

from ..conftest import Worker

PATH = "/v2/models/text-generation/generate"


def test_words_of_others_become_ours() -> None:
    assert _ours({"max_tokens": 9, "stop_words": ["."], "random_seed": 1, "beam_width": 2}) == {
        "max_new_tokens": 9,
        "stop": ["."],
        "seed": 1,
        "num_beams": 2,
    }
    assert _ours({"stop_words": ".", "bad_words": ""}) == {"stop": ["."]}
    assert _ours({"stop_words": "", "min_tokens": 2}) == {"stop": [], "min_new_tokens": 2}
    with pytest.raises(InvalidRequest, match="is said twice"):
        _ours({"max_tokens": 9, "max_new_tokens": 8})


@pytest.mark.parametrize("name", ["text_input", "input_text", "text"])
@pytest.mark.parametrize("nested", [True, False])
def test_a_text_is_written(http: httpx.Client, serving: Worker, name: str, nested: bool) -> None:
    words: dict[str, Any] = {"max_tokens": 5, "stop_words": ["x"], "bad_words": ""}
    more = {"parameters": words} if nested else words
    answer = http.post(PATH, json={name: "The capital", **more})
    assert answer.status_code == 200, answer.text
    assert answer.json()["text_output"] == " Paris."


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "text_input: the text is missing"),
        ({"text_input": "a", "bad_words": ["b"]}, "bad_words"),
        ({"text_input": "a", "input_text": "b"}, "input_text"),
    ],
)
def test_what_is_not_heeded_is_refused_by_name(
    http: httpx.Client, fields: dict[str, Any], says: str
) -> None:
    answer = http.post(PATH, json=fields)
    assert answer.status_code == 400
    assert says in answer.json()["error"]
