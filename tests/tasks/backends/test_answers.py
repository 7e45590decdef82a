"""From numbers to answers: labels, boxes, vectors, and the rows that failed."""

from __future__ import annotations

import numpy as np
import pytest

from wherry.protocol.errors import RowError
from wherry.tasks.backends.classify import classification, probabilities
from wherry.tasks.backends.image.detect import corners, detection
from wherry.tasks.backends.rows import Decoded, alike
from wherry.tasks.backends.text.pool import embeddings, pooled
from wherry.tasks.base import TaskInput
from wherry.tasks.registry import get_task
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.vision.image_classification import (
    ImageClassificationInput,
    ImageClassificationOutput,
)
from wherry.tasks.vision.object_detection import ObjectDetectionInput, ObjectDetectionOutput

LOGITS = np.array([[0.0, 2.0, -1.0]], dtype=np.float32)


def test_one_label_of_many_is_a_softmax() -> None:
    scores = probabilities(LOGITS, "single_label_classification")[0]
    assert scores.sum() == pytest.approx(1)
    assert scores.argmax() == 1


def test_many_labels_are_independent() -> None:
    scores = probabilities(LOGITS, "multi_label_classification")[0]
    assert scores == pytest.approx([0.5, 0.8808, 0.2689], abs=1e-4)


def test_one_logit_is_a_probability_by_itself() -> None:
    assert probabilities(np.zeros((1, 1), dtype=np.float32))[0, 0] == pytest.approx(0.5)


def test_large_logits_do_not_overflow() -> None:
    extreme = np.array([[1e4, -1e4]], dtype=np.float32)
    assert probabilities(extreme)[0] == pytest.approx([1, 0])
    assert probabilities(extreme, "multi_label_classification")[0] == pytest.approx([1, 0])


def test_regression_stays_as_it_is() -> None:
    assert np.array_equal(probabilities(LOGITS, "regression"), LOGITS)


def test_more_labels_asked_for_than_there_are() -> None:
    row = ImageClassificationInput(images=[b"x"], top_k=99)
    task = get_task("image-classification")
    output = classification(task, row, LOGITS[0], {0: "a", 1: "b"})
    assert isinstance(output, ImageClassificationOutput)
    (results,) = output.results
    assert [result.label for result in results] == ["b", "a", "2"]  # a label without a name


def test_boxes_become_corners_in_pixels() -> None:
    boxes = np.array([[0.5, 0.5, 0.5, 1.0]], dtype=np.float32)
    assert corners(boxes, (200, 100)).tolist() == [[50.0, 0.0, 150.0, 100.0]]


def test_objects_are_above_the_threshold_and_surest_first() -> None:
    row = ObjectDetectionInput(images=[b"x"], threshold=0.5)
    scores = np.array([0.5, 0.6, 0.9], dtype=np.float32)
    boxes = np.arange(12, dtype=np.float32).reshape(3, 4)
    task = get_task("object-detection")
    output = detection(task, row, scores, np.array([0, 1, 7]), boxes, {0: "a", 1: "b"})
    assert isinstance(output, ObjectDetectionOutput)
    (objects,) = output.detections
    assert [(o.label, o.box.xmin) for o in objects] == [("7", 8.0), ("b", 4.0)]


def test_padding_does_not_count_in_the_mean() -> None:
    hidden = np.array([[[1.0, 0.0], [3.0, 0.0], [99.0, 99.0]]], dtype=np.float32)
    assert pooled(hidden, np.array([[1, 1, 0]])).tolist() == [[2.0, 0.0]]


def test_each_row_says_whether_to_normalise() -> None:
    rows = [EmbeddingInput(texts=["a"]), EmbeddingInput(texts=["a"], normalize=False)]
    vectors = np.array([[3.0, 4.0], [3.0, 4.0]], dtype=np.float32)
    unit, plain = embeddings(rows, vectors)
    assert unit.embeddings[0] == pytest.approx([0.6, 0.8])
    assert plain.embeddings[0] == [3.0, 4.0]


def test_errors_keep_their_places() -> None:
    def decode(row: TaskInput) -> str:
        (text,) = row.texts  # type: ignore[attr-defined] # an EmbeddingInput
        if text == "bad":
            raise RowError("no")
        return str(text)

    rows = EmbeddingInput(texts=["bad", "a", "bad", "b"]).rows()
    decoded = Decoded(rows, decode)
    assert decoded.rows == ["a", "b"]
    answers = decoded.answers([EmbeddingOutput(embeddings=[[1.0]])] * 2)
    assert [isinstance(answer, RowError) for answer in answers] == [True, False, True, False]


def test_alike_keeps_order() -> None:
    assert alike(["x", "y", "x", "z", "y"]) == [[0, 2], [1, 4], [3]]
    assert alike([]) == []
