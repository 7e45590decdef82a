"""Requests read without a validator are those that pydantic would have made, or none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.protocol.errors import InvalidRequest
from wherry.protocol.plain_form import plain_request
from wherry.protocol.v2 import MAX_NAME, InferenceRequest

_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.just([]),
    st.just({}),
)
_TENSOR = st.fixed_dictionaries(
    {},
    optional={
        "name": st.one_of(
            st.sampled_from(["text", "", "x" * MAX_NAME, "x" * (MAX_NAME + 1)]), _ODD
        ),
        "shape": st.one_of(
            st.lists(st.one_of(st.integers(-1, 3), st.just(2**63), st.booleans()), max_size=3),
            st.just([1] * 33),
            _ODD,
        ),
        "datatype": st.one_of(st.sampled_from(["BYTES", "FP32", "FP99"]), _ODD),
        "parameters": st.one_of(st.just({"a": 1}), _ODD),
        "data": st.one_of(st.just(["a"]), st.just(b"raw"), st.just(memoryview(b"raw")), _ODD),
        "more": _ODD,
    },
)
_DOCUMENT = st.fixed_dictionaries(
    {},
    optional={
        "id": st.one_of(st.just("mine"), _ODD),
        "parameters": st.one_of(st.just({"priority": 3}), _ODD),
        "inputs": st.one_of(st.lists(st.one_of(_TENSOR, _ODD), max_size=2), _ODD),
        "outputs": st.one_of(st.just([{"name": "label"}]), _ODD),
        "more": _ODD,
    },
)


@given(_DOCUMENT)
def test_what_is_read_without_a_validator_is_what_it_would_have_made(document: Any) -> None:
    quick = plain_request(document)
    if quick is None:
        return
    slow = InferenceRequest.parse(document)
    assert quick.model_dump() == slow.model_dump()
    assert [type(tensor) for tensor in quick.inputs] == [type(tensor) for tensor in slow.inputs]


_PLAIN = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}


@pytest.mark.parametrize(
    "document",
    [
        {"inputs": [_PLAIN]},
        {"id": "mine", "parameters": {"priority": 3}, "inputs": [_PLAIN, {**_PLAIN, "name": "b"}]},
        {"inputs": [{**_PLAIN, "parameters": None}], "outputs": None, "unknown": 1},
    ],
)
def test_the_plainest_are_read_so(document: dict[str, Any]) -> None:
    quick = plain_request(document)
    assert quick is not None
    assert quick.model_dump() == InferenceRequest.parse(document).model_dump()


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"inputs": [{**_PLAIN, "shape": [True]}]}, r"inputs\[0\].shape\[0\]"),
        ({"inputs": [{**_PLAIN, "datatype": "FP99"}]}, r"inputs\[0\].datatype"),
        ({"inputs": []}, "inputs"),
    ],
)
def test_what_is_odd_is_left_to_who_can_name_it(document: dict[str, Any], fault: str) -> None:
    assert plain_request(document) is None
    with pytest.raises(InvalidRequest, match=fault):
        InferenceRequest.parse(document)


def test_a_model_made_of_known_values_is_as_one_that_was_looked_at() -> None:
    fields: dict[str, Any] = {"id": None, "parameters": {}, "inputs": [], "outputs": None}
    made, built = InferenceRequest.made(**fields), InferenceRequest.model_construct(**fields)
    assert made == built
    assert made.model_copy(update={"id": "a"}).id == "a"
    assert made.model_dump() == built.model_dump()
