"""What Pixano's clients read, held against what our own client reads for the same inputs."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from wherry.client import Client
from wherry.tasks.boxes import BoxesOutput
from wherry.tasks.multimodal.image_text_to_text import ImageTextToTextInput, ImageTextToTextOutput
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.text.token_classification import (
    TokenClassificationInput,
    TokenClassificationOutput,
)
from wherry.tasks.values.masks import read_mask
from wherry.tasks.values.rle import encode_compressed
from wherry.tasks.vision.image_feature_extraction import ImageFeatureExtractionInput
from wherry.tasks.vision.mask_generation import MaskGenerationInput, MaskGenerationOutput
from wherry.tasks.vision.object_detection import ObjectDetectionInput
from wherry.tasks.vision.video_mask_generation import (
    VideoMaskGenerationInput,
    VideoMaskGenerationOutput,
)
from wherry.tasks.vision.zero_shot_object_detection import ZeroShotObjectDetectionInput

Value = Any  # what a script prints of a call

# What pixano_shared.py asks.
POINTS: Any = [[[32, 24]], [[8, 8], [60, 40]]]  # int to Pixano, float to our task
LABELS = [[1], [1, 0]]
BOXES: Any = [[16, 8, 48, 40]]
CLASSES = ["circle", "square"]
PROMPT, NAMED = "what is this?", "My name is Clara and I live in Berkeley."


def draw_frames(folder: Path) -> Path:
    """Three frames: a circle that moves."""
    for number in range(3):
        image = Image.new("RGB", (64, 48), "white")
        left = 16 + 2 * number
        ImageDraw.Draw(image).ellipse((left, 8, left + 32, 40), fill="red")
        image.save(folder / f"{number}.png")
    return folder


class Ours:
    """What our own client reads for the same inputs."""

    def __init__(self, client: Client, folder: Path) -> None:
        self._infer = functools.partial(client.infer, timeout_s=60)
        self.frames = [path.read_bytes() for path in sorted(folder.glob("*.png"))]

    def segmented(self) -> MaskGenerationOutput:
        given = MaskGenerationInput(images=self.frames[:1], points=[POINTS], labels=[LABELS])
        output = self._infer("mask-generation", given)
        assert isinstance(output, MaskGenerationOutput)
        assert len(output.masks[0]) == 6
        return output

    def followed(self, frames: slice = slice(None), **prompts: Any) -> VideoMaskGenerationOutput:
        fields = {"frame_indexes": [[0]], "boxes": [BOXES], **prompts}
        given = VideoMaskGenerationInput.validated(
            {"videos": [self.frames[frames]], "objects_ids": [[3]], **fields}
        )
        output = self._infer("video-mask-generation", given)
        assert isinstance(output, VideoMaskGenerationOutput)
        return output

    def found(self, *, classes: list[str] | None) -> dict[str, Any]:
        image = self.frames[:1]
        if classes is None:
            output = self._infer(
                "object-detection", ObjectDetectionInput(images=image, threshold=0)
            )
        else:
            given = ZeroShotObjectDetectionInput(
                images=image, candidate_labels=classes, threshold=0
            )
            output = self._infer("zero-shot-object-detection", given)
        assert isinstance(output, BoxesOutput)
        items = output.detections[0]
        return {
            "boxes": [
                [round(edge) for edge in (i.box.xmin, i.box.ymin, i.box.xmax, i.box.ymax)]
                for i in items
            ],
            "scores": [i.score for i in items],
            "classes": [i.label for i in items],
        }

    def written(self) -> str:
        given = ImageTextToTextInput(images=self.frames[:1], texts=[PROMPT], max_new_tokens=8)
        output = self._infer("image-text-to-text", given)
        assert isinstance(output, ImageTextToTextOutput)
        return output.texts[0]

    def entities(self) -> list[dict[str, Any]]:
        given = TokenClassificationInput(texts=[NAMED], aggregation_strategy="simple")
        output = self._infer("token-classification", given)
        assert isinstance(output, TokenClassificationOutput)
        return [
            {
                "text": NAMED[e.start : e.end],
                "label": e.entity,
                "start": e.start,
                "end": e.end,
                "score": e.score,
            }
            for e in output.entities[0]
        ]

    def embedded(self, given: EmbeddingInput | ImageFeatureExtractionInput) -> list[list[float]]:
        texts = isinstance(given, EmbeddingInput)
        output = self._infer("embedding" if texts else "image-feature-extraction", given)
        assert isinstance(output, EmbeddingOutput)
        return output.embeddings


def same_mask(read: dict[str, Any], png: bytes) -> None:
    mask = read_mask(png)
    assert read["size"] == list(mask.shape) == [48, 64]
    if "counts" in read:
        assert read["counts"] == encode_compressed(mask)
    else:
        assert read["pixels"] == hashlib.sha256(mask.tobytes()).hexdigest()


def segments(value: Value, ours: Ours) -> None:
    expected = ours.segmented().masks[0]
    assert value["status"] == "SUCCESS"
    assert [len(prompt) for prompt in value["masks"]] == [3, 3]
    for read, mask in zip(chain(*value["masks"]), expected, strict=True):
        same_mask(read, mask.mask)
    assert np.ravel(value["scores"]).tolist() == pytest.approx([mask.score for mask in expected])
    assert value.get("shape", [2, 3]) == [2, 3]
    assert value.get("image_embedding") in (None, [16])
    logits = value.get("mask_logits")  # null where the client asked for none
    assert logits is None or logits[:2] == [2, 3]


def polled(value: Value, ours: Ours) -> None:
    assert value["first"] in ("PENDING", "STARTED"), "a worker may be that quick"
    segments(value, ours)


def same_track(value: Value, expected: VideoMaskGenerationOutput, first: int = 0) -> None:
    assert value["objects_ids"] == expected.objects_ids[0]
    assert value["frame_indexes"] == [first + frame for frame in expected.frame_indexes[0]]
    for read, mask in zip(value["masks"], expected.masks[0], strict=True):
        same_mask(read, mask)


def follows(value: Value, ours: Ours) -> None:
    assert value["frame_indexes"] == [0, 1, 2]
    same_track(value, ours.followed())


def follows_an_interval(value: Value, ours: Ours) -> None:
    points: dict[str, Any] = {"points": [[[[32.0, 24.0]]]], "labels": [[[1]]], "boxes": None}
    same_track(value, ours.followed(slice(1, 3), **points), first=1)


def follows_a_keyframe(value: Value, ours: Ours) -> None:
    points: dict[str, Any] = {"points": [[[[32.0, 24.0]]]], "labels": [[[1]]]}
    same_track(value, ours.followed(frame_indexes=[[1]], **points))


def ends(value: Value, ours: Ours) -> None:
    assert (value["first"], value["last"]) == ("running", "completed")
    follows(value, ours)


def ends_with_data(value: Value, _: Ours) -> None:
    assert (value["first"], value["last"]) == ("running", "completed")
    assert (value["objectsIds"], value["frameIndexes"]) == ([3, 3, 3], [0, 1, 2])


def detects(value: Value, ours: Ours, classes: list[str] | None = CLASSES) -> None:
    expected = ours.found(classes=classes)
    assert expected["boxes"], "an empty answer would show nothing"
    assert value["boxes"] == expected["boxes"]
    assert value["classes"] == expected["classes"]
    assert value["scores"] == pytest.approx(expected["scores"], rel=1e-4, abs=1e-6)
    assert value.get("masks") is None


def detects_its_own(value: Value, ours: Ours) -> None:
    detects(value, ours, classes=None)


def writes(value: Value, ours: Ours) -> None:
    assert value["generated_text"] == ours.written()
    assert set(value["usage"]) == {"prompt_tokens", "completion_tokens", "total_tokens"}


def names_entities(value: Value, ours: Ours) -> None:
    assert value["entities"]
    for read, expected in zip(value["entities"], ours.entities(), strict=True):
        assert read == {**expected, "score": pytest.approx(expected["score"], rel=1e-4)}


def embeds(value: Value, ours: Ours) -> None:
    [expected] = ours.embedded(EmbeddingInput(texts=["a boat"]))
    assert value == pytest.approx(expected, abs=1e-6)


def embeds_texts(value: Value, ours: Ours) -> None:
    expected = ours.embedded(EmbeddingInput(texts=["a boat", "a buoy"]))
    assert np.allclose(value["embeddings"], expected, atol=1e-6)
    assert value["dim"] == len(expected[0])


def embeds_images(value: Value, ours: Ours) -> None:
    expected = ours.embedded(ImageFeatureExtractionInput(images=ours.frames))
    assert np.allclose(value["embeddings"], expected, atol=1e-4)


def embeds_an_image(value: Value, ours: Ours) -> None:
    [expected] = ours.embedded(ImageFeatureExtractionInput(images=ours.frames[:1]))
    [vector] = value["embeddings"]
    assert np.allclose(vector, np.array(expected) / np.linalg.norm(expected), atol=1e-5)


def is_(expected: Any) -> Callable[[Value, Ours], None]:
    def check(value: Value, _: Ours) -> None:
        assert value == expected

    return check


def holds(**expected: Any) -> Callable[[Value, Ours], None]:
    def check(value: Value, _: Ours) -> None:
        assert {name: value[name] for name in expected} == expected

    return check


def says(kind: str, text: str) -> Callable[[Value, Ours], None]:
    def check(value: Value, _: Ours) -> None:
        assert value["kind"] == kind
        assert text in value["text"]

    return check
