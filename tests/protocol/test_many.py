"""Many requests, or answers, in one body: exact bytes, round trips, and what is broken by name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.protocol import codec, many, v2
from wherry.protocol.errors import InvalidRequest

from .test_identity import plain, tensors

PAGE = Path(__file__).parents[2] / "docs" / "async-extension.md"


def body(jobs: Any, raw: bytes = b"") -> tuple[bytes, int]:
    head = json.dumps({"jobs": jobs}).encode()
    return head + raw, len(head)


def job(*tensors: dict[str, Any]) -> dict[str, Any]:
    return {"model_name": "m", "request": {"inputs": list(tensors)}}


def raw_input(size: Any, **fields: Any) -> dict[str, Any]:
    parameters = {"binary_data_size": size}
    return {"name": "x", "datatype": "UINT8", "shape": [1], "parameters": parameters, **fields}


def test_the_bytes_are_those_of_the_page() -> None:
    """A reader in another language goes by these."""
    found = re.search(
        r"Inference-Header-Content-Length: (\d+)\n\n(\{.*\})\n```\n\n.*?\n\n"
        r"```text\n(.*?)\n```",
        PAGE.read_text(),
        re.DOTALL,
    )
    assert found is not None
    length, head, dump = found.groups()
    raw = bytes.fromhex("".join(line.split("|")[0] for line in dump.splitlines()))
    assert len(head.encode()) == int(length)
    document = many.decode_submission(head.encode() + raw, int(length))
    requests = [codec.request_of(entry["request"]) for entry in document["jobs"]]
    assert [request.id for request in requests] == ["a", "b"]
    assert [request.inputs[0].texts() for request in requests] == [["hi", "you"], ["é"]]
    assert many.encode_submission("embedding", requests) == (head.encode() + raw, int(length))


@given(st.lists(st.lists(tensors(), min_size=1, max_size=2), min_size=1, max_size=4))
def test_requests_come_back_as_they_were(jobs: list[list[dict[str, Any]]]) -> None:
    requests = [codec.request_of({"id": str(n), "inputs": each}) for n, each in enumerate(jobs)]
    sent, length = many.encode_submission("m", requests)
    document = many.decode_submission(sent, length)
    again = [codec.request_of(entry["request"]) for entry in document["jobs"]]
    assert [request.id for request in again] == [request.id for request in requests]
    assert list(map(plain, again)) == list(map(plain, requests))
    assert all(entry["model_name"] == "m" for entry in document["jobs"])
    assert many.encode_submission("m", again) == (sent, length)


@given(st.binary(max_size=200), st.integers(-5, 250))
def test_any_bytes_are_read_or_refused(sent: bytes, length: int) -> None:
    for read in (many.decode_submission, many.decode_results):
        try:
            read(sent, length)
        except InvalidRequest as error:
            assert error.message


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["jobs", "request", "inputs", "parameters", "binary_data_size"]),
                inner,
            )
        ),
        max_leaves=16,
    ),
    st.binary(max_size=8),
)
def test_any_document_is_read_or_refused(jobs: Any, raw: bytes) -> None:
    try:
        document = many.decode_submission(*body(jobs, raw))
        for entry in document["jobs"]:
            codec.request_of(entry["request"])
    except InvalidRequest as error:
        assert error.message
    except (KeyError, TypeError):
        pass  # no list of jobs: the caller's to see


@pytest.mark.parametrize(
    ("jobs", "raw", "says"),
    [
        ([job(raw_input(1)), job(raw_input(3))], b"ab", r"jobs\[1\]\.request\.{}.*is 3, but 1"),
        ([job(raw_input(-1))], b"", r"jobs\[0\]\.request\.{}.*non-negative"),
        ([job(raw_input("1"))], b"a", r"jobs\[0\]\.request\.{}.*integer"),
        ([job(raw_input(1, data=[1]))], b"ab", r"jobs\[0\]\.request\.{} has both"),
        ([job(raw_input(1)), 7, {"request": 7}], b"abc", "2 bytes follow"),
        ([{"request": {"inputs": 7}}], b"a", "1 bytes follow"),
        (7, b"a", "1 bytes follow"),
    ],
)
def test_what_is_broken_is_named(jobs: Any, raw: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says.format(r"inputs\[0\]")):
        many.decode_submission(*body(jobs, raw))
    with pytest.raises(InvalidRequest, match="is 99, the body"):
        many.decode_submission(b"{}", 99)
    with pytest.raises(InvalidRequest, match="JSON object, got a list"):
        many.decode_submission(b"[]", 2)


def test_an_entry_whose_tensor_does_not_fit_stops_no_other() -> None:
    sent, length = body([job(raw_input(2)), job(raw_input(1))], b"abc")
    odd, good = many.decode_submission(sent, length)["jobs"]
    with pytest.raises(InvalidRequest, match="expected 1 bytes"):
        codec.request_of(odd["request"])
    [tensor] = codec.request_of(good["request"]).inputs
    assert bytes(tensor.raw()) == b"c"
    assert isinstance(tensor.data, memoryview)
    assert tensor.data.obj is sent, "nothing is copied"


def test_answers_are_read_in_whichever_form_each_came() -> None:
    outputs = {"datatype": "UINT8", "shape": [2]}
    raw = {"name": "x", "parameters": {"binary_data_size": 2}, **outputs}
    jobs = [
        {"id": "a", "status": "succeeded", "result": {"model_name": "m", "outputs": [raw]}},
        {"id": "b", "status": "queued"},
        {
            "id": "c",
            "status": "succeeded",
            "result": {
                "model_name": "m",
                "outputs": [{"name": "y", "data": [7, 8], **outputs}, raw],
            },
        },
    ]
    views = many.decode_results(*body(jobs, b"\1\2\3\4"))["jobs"]
    read = [v2.InferenceResponse.parse(view["result"]) for view in (views[0], views[2])]
    assert [[list(t.flat()) for t in response.outputs] for response in read] == [
        [[1, 2]],
        [[7, 8], [3, 4]],
    ]
    assert [view["status"] for view in views] == ["succeeded", "queued", "succeeded"]
