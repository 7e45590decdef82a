from __future__ import annotations

import json

import pytest

from wherry.protocol import codec, v2
from wherry.protocol.datatypes import Datatype
from wherry.protocol.errors import (
    InvalidRequest,
    InvalidTensor,
    QueueFull,
    WherryError,
    from_code,
)
from wherry.protocol.states import JobState

FLOATS = v2.ResponseOutput(name="f", shape=[2, 2], datatype=Datatype.FP32, data=[[1, 2], [3, 4]])
FILES = v2.ResponseOutput(name="b", shape=[2], datatype=Datatype.BYTES, data=[b"\x00\xff", b"hi"])
TEXTS = v2.ResponseOutput(name="t", shape=[2], datatype=Datatype.BYTES, data=["ü", "b"])
RESPONSE = v2.InferenceResponse(model_name="m", id="ü 1", outputs=[FLOATS, FILES, TEXTS])


def test_json_marks_files_as_base64_and_leaves_text_alone() -> None:
    body, length = codec.encode_response(RESPONSE)
    assert length is None
    document = json.loads(body)
    assert document["id"] == "ü 1"
    floats, files, texts = document["outputs"]
    assert floats["data"] == [[1, 2], [3, 4]]
    assert files["data"] == ["AP8=", "aGk="]
    assert files["parameters"] == {"content_type": "base64"}
    assert (texts["data"], "parameters" in texts) == (["ü", "b"], False)


def test_a_mixed_response_is_read_back_whole() -> None:
    body, length = codec.encode_response(RESPONSE, binary_names={"b", "f"})
    read = codec.decode_response(body, length)
    assert list(read.output("f").flat()) == [1, 2, 3, 4]
    assert read.output("b").blobs() == [b"\x00\xff", b"hi"]
    assert read.output("t").texts() == ["ü", "b"]


def test_text_is_text_again_after_it_was_raw() -> None:
    body, length = codec.encode_response(RESPONSE, binary=True)
    text, _ = codec.encode_response(codec.decode_response(body, length))
    _, files, texts = json.loads(text)["outputs"]
    assert texts["data"] == ["ü", "b"]
    assert (files["data"], files["parameters"]) == (["AP8=", "aGk="], {"content_type": "base64"})


def test_a_raw_output_has_its_size_and_no_data() -> None:
    body, length = codec.encode_response(RESPONSE, binary_names={"f", "t"})
    assert length is not None
    floats, files, texts = json.loads(body[:length])["outputs"]
    assert (floats["parameters"], "data" in floats) == ({"binary_data_size": 16}, False)
    assert files["data"] == ["AP8=", "aGk="]
    assert "data" not in texts
    raw = b"\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\x40"
    assert body[length:] == raw + b"\x02\x00\x00\x00\xc3\xbc\x01\x00\x00\x00b"


@pytest.mark.parametrize("datatype", [Datatype.FP16, Datatype.BF16])
def test_half_floats_are_answered_in_binary_only(datatype: Datatype) -> None:
    half = v2.ResponseOutput(name="h", shape=[1], datatype=datatype, data=[1.0])
    response = v2.InferenceResponse(model_name="m", outputs=[half])
    with pytest.raises(InvalidTensor, match="ask for binary data"):
        codec.encode_response(response)
    body, length = codec.encode_response(response, binary_names={"h"})
    assert list(codec.decode_response(body, length).outputs[0].flat()) == [1.0]


def test_raw_data_asked_for_as_json_nests_per_row() -> None:
    body, length = codec.encode_response(RESPONSE, binary=True)
    text, none = codec.encode_response(codec.decode_response(body, length))
    assert none is None
    assert json.loads(text)["outputs"][0]["data"] == [[1, 2], [3, 4]]


def test_outputs_are_selected_and_ordered() -> None:
    wanted = [v2.RequestOutput(name="t"), v2.RequestOutput(name="f")]
    chosen = codec.select_outputs(RESPONSE, wanted)
    assert [tensor.name for tensor in chosen.outputs] == ["t", "f"]
    assert codec.select_outputs(RESPONSE, None) is RESPONSE
    with pytest.raises(InvalidRequest, match="'z'"):
        codec.select_outputs(RESPONSE, [v2.RequestOutput(name="z")])


@pytest.mark.parametrize(
    ("everything", "outputs", "expected"),
    [
        (None, None, (False, set())),
        (True, None, (True, set())),
        (None, [("a", True), ("b", None)], (False, {"a"})),
        (True, [("a", False), ("b", None)], (False, {"b"})),
    ],
)
def test_binary_wishes_are_read(everything: object, outputs: object, expected: object) -> None:
    request = v2.InferenceRequest(
        parameters={} if everything is None else {"binary_data_output": everything},
        inputs=[v2.RequestInput(name="x", shape=[1], datatype=Datatype.BOOL, data=[True])],
        outputs=None
        if outputs is None
        else [
            v2.RequestOutput(name=n, parameters={} if b is None else {"binary_data": b})
            for n, b in outputs  # type: ignore[attr-defined] # the table above
        ],
    )
    binary, names = codec.wants_binary(request)
    assert (binary, set(names)) == expected


def test_errors_survive_their_record() -> None:
    def tree(root: type[WherryError]) -> list[type[WherryError]]:
        own = [k for k in root.__subclasses__() if k.__module__ == WherryError.__module__]
        return [root, *(cls for child in own for cls in tree(child))]

    classes = tree(WherryError)
    assert len({cls.code for cls in classes}) == len(classes), "one code each"
    for cls in classes:
        again = from_code(cls.code, "text")
        assert (type(again), again.message) == (cls, "text")
        assert cls().message.endswith((".", "later.", "retry later.")), "the docstring is the text"
    assert QueueFull.retryable


def test_the_end_states_are_the_four() -> None:
    assert {state for state in JobState if state.terminal} == {
        "succeeded",
        "failed",
        "canceled",
        "expired",
    }
