from __future__ import annotations

import io
import struct
import sys

import pytest
from PIL import Image
from pydantic import ValidationError

from wherry.protocol import v2
from wherry.protocol.datatypes import Datatype
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.registry import get_task, task_names
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.vision.image_classification import ImageClassificationInput


def test_rows_keep_the_parameters() -> None:
    rows = ImageClassificationInput(images=[b"a", b"bc"], top_k=3).rows()
    assert [(row.images, row.top_k) for row in rows] == [([b"a"], 3), ([b"bc"], 3)]


def test_one_row_is_itself() -> None:
    inputs = ImageClassificationInput(images=[b"a"])
    assert inputs.rows()[0] is inputs


@pytest.mark.parametrize("letter", ["é", "–", "🚣"])
def test_a_text_that_was_read_takes_no_more_memory(letter: str) -> None:
    """Python keeps a text's UTF-8 with it, for C libraries that ask for it."""
    text = letter * 10_000
    size = sys.getsizeof(text)
    assert EmbeddingInput(texts=[text]).texts == [text]
    assert sys.getsizeof(text) == size


@pytest.mark.parametrize("at", [0, 70_000])
def test_half_a_surrogate_pair_is_refused_wherever_it_is(at: int) -> None:
    text = "–" * at + "\ud800" + "–" * 70_000
    with pytest.raises(ValidationError, match="texts: half a surrogate pair"):
        EmbeddingInput(texts=["a", text])


def test_cost_counts_bytes_and_characters() -> None:
    assert ImageClassificationInput(images=[b"abc", b"d"]).costs() == [0, 0]
    assert EmbeddingInput(texts=["five!", ""]).costs() == [2, 0]


def test_pixels_of_an_old_bitmap_are_told() -> None:
    # File and core header: sizes in 16 bits each; white rows of 192 pixels.
    head = struct.pack("<2sIHHIIHHHH", b"BM", 26 + 576 * 128, 0, 0, 26, 12, 192, 128, 1, 24)
    picture = head + bytes([255]) * 576 * 128
    with Image.open(io.BytesIO(picture)) as image:
        assert image.size == (192, 128)
    assert ImageClassificationInput(images=[picture]).costs() == [192 * 128]


def test_outputs_split_and_join_back() -> None:
    output = EmbeddingOutput(embeddings=[[1.0], [2.0], [3.0]])
    rows = output.rows()
    assert len(rows) == 3
    assert EmbeddingOutput.join(rows) == output


def test_join_of_nothing_has_no_rows() -> None:
    assert EmbeddingOutput.join([]).embeddings == []


def test_one_image_makes_a_batch_of_one() -> None:
    inputs = ImageClassificationInput(image=b"a")  # type: ignore[call-arg] # accepted, not declared
    assert inputs.images == [b"a"]


def test_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError):
        EmbeddingInput(texts=["a"], colour="red")  # type: ignore[call-arg] # on purpose


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"top_k": 0}, "top_k"),
        ({"top_k": "5"}, "top_k"),
        ({"top_k": 2.5}, "top_k"),
        ({"top_k": True}, "top_k"),
    ],
)
def test_bad_parameter_is_an_invalid_request_that_names_it(
    parameters: v2.Parameters, named: str
) -> None:
    image = v2.RequestInput(name="image", shape=[1], datatype=Datatype.BYTES, data=[b"a"])
    request = v2.InferenceRequest(inputs=[image], parameters=parameters)
    with pytest.raises(InvalidRequest, match=named):
        ImageClassificationInput.from_inference_request(request)


def test_missing_tensor_is_named() -> None:
    other = v2.RequestInput(name="x", shape=[1], datatype=Datatype.BYTES, data=["a"])
    with pytest.raises(InvalidRequest, match="'text'"):
        EmbeddingInput.from_inference_request(v2.InferenceRequest(inputs=[other]))


def test_no_rows_is_an_invalid_request() -> None:
    empty = v2.RequestInput(name="text", shape=[0], datatype=Datatype.BYTES, data=[])
    with pytest.raises(InvalidRequest, match="texts"):
        EmbeddingInput.from_inference_request(v2.InferenceRequest(inputs=[empty]))


def test_parameters_of_the_server_are_left_alone() -> None:
    text = v2.RequestInput(name="text", shape=[1], datatype=Datatype.BYTES, data=["a"])
    request = v2.InferenceRequest(
        inputs=[text], parameters={"priority": 1, "on_row_error": "skip", "normalize": False}
    )
    assert EmbeddingInput.from_inference_request(request) == EmbeddingInput(
        texts=["a"], normalize=False
    )


@pytest.mark.parametrize("name", task_names())
def test_files_say_that_they_are_base64_in_json(name: str) -> None:
    for spec in (*get_task(name).inputs, *get_task(name).outputs):
        parameters = spec.metadata().parameters or {}
        assert parameters["content"] == spec.content
        assert (parameters.get("content_type") == "base64") == spec.is_file
