"""Entries that are wrong: each is refused by its name, and none breaks the reader."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.api.egress.named_files import NO_FILES
from wherry.api.surfaces.instill.trigger import FORMS, read
from wherry.protocol.errors import InvalidRequest, PayloadTooLarge, RowError, WherryError
from wherry.tasks.registry import get_task

from .entries import DATA, IMAGE, SEEN, WORDS, asked, inputs


@pytest.mark.parametrize(
    ("task", "entry", "says"),
    [
        ("chat", None, r"taskInputs: expected a list"),
        ("chat", 3, r"taskInputs\[1\]: expected an object"),
        ("chat", {}, r"taskInputs\[1\].data: expected an object"),
        ("chat", {"data": WORDS, "parameter": []}, r"taskInputs\[1\].parameter: expected"),
        ("chat", {"data": {}}, r"taskInputs\[1\].data.messages: expected a list"),
        ("chat", {"data": {"messages": [1]}}, r"data.messages\[0\]: expected an object"),
        ("chat", {"data": {"messages": [{"role": "user"}]}}, r"messages\[0\].content: expected"),
        ("chat", {"data": {"messages": [{"role": "cook", "content": "a"}]}}, "taskInputs.1..*role"),
        ("chat", {"data": SEEN}, r"content\[1\]: the model reads text alone.*image-text-to-text"),
        ("chat", {"data": WORDS, "parameter": {"n": 17}}, r"parameter.n: 1 to 16"),
        ("chat", {"data": WORDS, "parameter": {"n": True}}, r"parameter.n: 1 to 16"),
        ("chat", {"data": WORDS, "parameter": {"seed": "a"}}, r"taskInputs\[1\]: seed"),
        ("chat", {"data": WORDS, "parameter": {"depth": 1}}, r"parameter.depth: unknown; chat tak"),
        ("chat", {"data": WORDS, "parameter": {"max-tokens": 0}}, r"taskInputs\[1\]: max_new_tok"),
        ("image-text-to-text", {"data": WORDS}, "one message of a user, with an image and text"),
        ("text-generation", {"data": {}}, r"data.prompt: expected text"),
        ("object-detection", {"data": {}}, r"data.type: use image-base64 or image-url"),
        ("object-detection", {"data": {"type": "image-base64"}}, r"image-base64: expected base64"),
        ("object-detection", {"data": {"image-url": "http://a/b"}}, "image-url: URLs are not fet"),
        ("object-detection", {"data": {"image-base64": "?"}}, r"1\].data.image-base64: not base64"),
        (
            "embedding",
            {"data": {"embeddings": [IMAGE]}},
            r"embeddings\[0\]: the model embeds texts",
        ),
        ("embedding", {"data": {"embeddings": []}}, "one object or more"),
        ("text-to-image", {"data": {"prompt": "a"}, "parameter": {"aspect-ratio": "7:1"}}, "16:9,"),
        ("custom", {"data": {"parameters": 1}, "parameter": {"a": 1}}, "not both"),
    ],
)
def test_a_bad_entry_is_named(task: str, entry: Any, says: str) -> None:
    good = {"data": DATA[task]}
    with pytest.raises(InvalidRequest, match=says):
        read({} if entry is None else {"taskInputs": [good, entry]}, get_task(task), 64, NO_FILES)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "base64"),
        ("truncate", "Middle"),
        ("truncate", 0),
        ("dimensions", 0),
        ("dimensions", "a"),
    ],
)
def test_what_would_change_a_vector_in_silence_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidRequest, match=f"parameter.{name}"):
        inputs("embedding", DATA["embedding"], **{name: value})
    assert inputs("embedding", DATA["embedding"], format="float", truncate="End", dimensions=None)


def test_too_many_entries_are_too_large() -> None:
    with pytest.raises(PayloadTooLarge, match="send 2 at most"):
        asked("custom", *[{"data": {}}] * 3, rows=2)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RowError("row 2: broken"), "taskInputs[1]: broken"),
        (InvalidRequest("row 0 has 9 tokens; few"), "taskInputs[0]: has 9 tokens; few"),
        (RowError("row 9: odd"), "row 9: odd"),
        (InvalidRequest("nobody's"), "nobody's"),
        (PayloadTooLarge("row 1 has much"), "taskInputs[0]: has much"),
        (WherryError("row 0: ours"), "row 0: ours"),
    ],
)
def test_an_error_of_a_row_is_the_one_of_its_entry(error: WherryError, said: str) -> None:
    plan = asked("embedding", {"data": DATA["embedding"]}, {"data": DATA["embedding"]})
    blamed = plan.layout.blame(0, error)
    assert (type(blamed), blamed.message) == (type(error), said)


def test_an_error_of_a_job_with_one_entry_is_that_entrys() -> None:
    seeds = [{"data": WORDS, "parameter": {"seed": seed}} for seed in (0, 1)]
    blamed = asked("chat", *seeds).layout.blame(1, RowError("broken"))
    assert blamed.message == "taskInputs[1]: broken"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(IMAGE),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
_KEYS = """
    messages prompt embeddings type role content text image-base64 image-url system-message n
    max-tokens temperature top-p seed dimensions aspect-ratio negative-prompt stop threshold
    subtask top-k truncate parameters
"""
keys = st.sampled_from(_KEYS.split())
named = st.recursive(
    anything, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=4)
)


@given(st.sampled_from(sorted(FORMS)), st.dictionaries(keys, named), st.dictionaries(keys, named))
def test_any_entry_is_read_or_refused(task: str, data: Any, parameter: Any) -> None:
    for entry in ({"data": data, "parameter": parameter}, {"data": {**DATA[task], **data}}, data,
                  {"data": DATA[task], "parameter": parameter}):  # fmt: skip
        try:
            plan = asked(task, entry)
        except InvalidRequest as error:
            assert error.message.startswith("taskInputs[0]"), error.message
        else:
            for job in plan.jobs:
                job.costs()
                job.to_inference_request()


@given(anything)
def test_any_document_is_read_or_refused(document: Any) -> None:
    for given_document in ({"taskInputs": document}, {"task_inputs": document}):
        with pytest.raises(InvalidRequest):
            read(given_document, get_task("chat"), 64, NO_FILES)
