"""Input -> request -> Input and Output -> response -> Output, over both wire forms."""

from __future__ import annotations

import pytest

from wherry.protocol import codec
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.base import TaskInput, TaskOutput
from wherry.tasks.boxes import BoundingBox, DetectedObject
from wherry.tasks.labels import ClassificationResult
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.text.text_classification import TextClassificationInput
from wherry.tasks.vision.image_classification import (
    ImageClassificationInput,
    ImageClassificationOutput,
)
from wherry.tasks.vision.object_detection import ObjectDetectionInput, ObjectDetectionOutput

INPUTS: list[TaskInput] = [
    ImageClassificationInput(images=[b"\x89PNG\x00\xff", b"GIF"], top_k=2),
    ObjectDetectionInput(images=[b"\xff\xd8"], threshold=0.25),
    EmbeddingInput(texts=["naïve ☂", "", "base64=="], normalize=False),
]


def result(label: str, score: float) -> ClassificationResult:
    return ClassificationResult(label=label, score=score)


def found(label: str, *, at: float) -> DetectedObject:
    box = BoundingBox(xmin=at, ymin=at + 1, xmax=at + 2, ymax=at + 3.5)
    return DetectedObject(label=label, score=0.5, box=box)


OUTPUTS: list[TaskOutput] = [
    ImageClassificationOutput(results=[[result("cat", 0.5), result("dög", 0.25)]] * 2),
    ImageClassificationOutput(results=[[result("cat", 0.5), result("dog", 0.25)], []]),
    ObjectDetectionOutput(detections=[[found("cat", at=1)]]),
    ObjectDetectionOutput(
        detections=[[found("a", at=0), found("b", at=9)], [], [found("c", at=4)]]
    ),
    ObjectDetectionOutput(detections=[[], []]),
    EmbeddingOutput(embeddings=[[1.0, -0.5], [0.25, 0.0]]),
    EmbeddingOutput(embeddings=[[1.0, -0.5], []]),
]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("inputs", INPUTS, ids=lambda value: type(value).__name__)
def test_input_survives_the_wire(inputs: TaskInput, *, binary: bool) -> None:
    body, header_length = codec.encode_request(inputs.to_inference_request(), binary=binary)
    request = codec.decode_request(body, header_length)
    assert type(inputs).from_inference_request(request) == inputs


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("output", OUTPUTS, ids=lambda value: type(value).__name__)
def test_output_survives_the_wire(output: TaskOutput, *, binary: bool) -> None:
    response = output.to_inference_response("model")
    for tensor in response.outputs:
        tensor.check()
    body, header_length = codec.encode_response(response, binary=binary)
    decoded = codec.decode_response(body, header_length)
    assert decoded.model_name == "model"
    assert type(output).from_inference_response(decoded) == output


def test_none_parameters_stay_at_home() -> None:
    parameters = TextClassificationInput(texts=["a"]).to_inference_request().parameters
    assert parameters == {"truncate": True, "truncation_direction": "right"}


def test_boxes_are_one_flat_list_an_image() -> None:
    response = OUTPUTS[3].to_inference_response("model")
    box = response.output("box")
    assert box.shape == [3, 2, 4]
    assert [len(row) for row in box.data] == [8, 8, 8]
    assert box.parameters == {"row_lengths": "2,0,1"}


def test_missing_output_is_named() -> None:
    response = EmbeddingOutput(embeddings=[[1.0]]).to_inference_response("model")
    with pytest.raises(InvalidRequest, match="'label'"):
        ImageClassificationOutput.from_inference_response(response)
