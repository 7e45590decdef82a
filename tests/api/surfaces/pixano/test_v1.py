"""Pixano's wire from 0.8 on: `/v1`."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable

import httpx
import numpy as np
import pytest

from wherry.api.surfaces.pixano.responses import write_answer
from wherry.tasks.samples import PNG
from wherry.tasks.text.embedding import EmbeddingOutput
from wherry.tasks.vision.video_mask_generation import (
    VideoMaskGenerationInput,
    VideoMaskGenerationOutput,
)

from ...conftest import Worker
from .asks import ASKS, IMAGE, Document, answered, camel, post


def test_v1_writes_arrays_as_bytes(http: httpx.Client, serving: Worker) -> None:
    data = post(http, "/pixano/v1/inference/segmentation", camel(ASKS["segmentation"]))["data"]
    assert data["scores"]["shape"] == [1, 1]
    assert data["scores"]["dtype"] == "float32"
    assert struct.unpack("<f", base64.b64decode(data["scores"]["data"])) == (0.875,)
    assert data["imageEmbedding"] is None


@pytest.mark.parametrize("ask", [camel, dict], ids=["camel", "snake"])
def test_v1_takes_keyframes(
    ask: Callable[[Document], Document],
    http: httpx.Client,
    worker: Worker,
) -> None:
    keyframe = {
        "frame_index": 2,
        "prompts": {
            "points": [{"x": 3, "y": 4, "label": 1}, {"x": 1, "y": 1, "label": 0}],
            "box": {"x": 1, "y": 2, "width": 3, "height": 4},
            "mask": None,
        },
    }
    request = {
        "model": "video-mask-generation",
        "video": [IMAGE] * 5,
        "objects_ids": [7],
        "frame_indexes": [2],
        "propagate": True,
        "interval": {"start_frame": 1, "end_frame": 3, "direction": "forward"},
        "keyframes": [keyframe],
    }
    job = post(http, "/pixano/v1/inference/tracking/jobs", ask(request), 202)
    assert job["status"] == "running"
    # The frames before and after the interval stay behind.
    assert answered(
        worker,
        VideoMaskGenerationOutput(objects_ids=[[7, 7]], frame_indexes=[[0, 1]], masks=[[PNG, PNG]]),
    ) == VideoMaskGenerationInput(
        videos=[[PNG] * 3],
        objects_ids=[[7]],
        frame_indexes=[[1]],
        points=[[[[3.0, 4.0], [1.0, 1.0]]]],
        labels=[[[1, 0]]],
        boxes=[[[1.0, 2.0, 4.0, 6.0]]],
    )
    done = http.get(f"/pixano/v1/jobs/{job['jobId']}").json()
    assert done["status"] == "completed"
    assert done["data"]["objectsIds"] == [7, 7]
    assert done["data"]["frameIndexes"] == [1, 2]
    assert [frame["frameIndex"] for frame in done["data"]["frames"]] == [1, 2]
    [tracked] = done["data"]["frames"][0]["objects"]
    assert tracked["trackId"] == 7
    assert tracked["mask"] == done["data"]["masks"][0]


def test_v1_tracks_one_frame_without_propagation(http: httpx.Client, worker: Worker) -> None:
    ask = {**ASKS["tracking"], "propagate": False, "frame_indexes": [1]}
    job = post(http, "/pixano/v1/inference/tracking/jobs", camel(ask), 202)
    seen = answered(
        worker, VideoMaskGenerationOutput(objects_ids=[[1]], frame_indexes=[[0]], masks=[[PNG]])
    )
    assert isinstance(seen, VideoMaskGenerationInput)
    assert seen.videos == [[PNG]]
    done = http.get(f"/pixano/v1/jobs/{job['jobId']}").json()
    assert done["data"]["frameIndexes"] == [1]


def test_v1_embeds_texts_and_images(http: httpx.Client, serving: Worker) -> None:
    texts = post(http, "/pixano/v1/inference/embedding", ASKS["embedding"])["data"]
    values = np.frombuffer(base64.b64decode(texts["embeddings"]["data"]), "<f4")
    assert texts["embeddings"]["shape"] == [2, texts["dim"]]
    assert values.size == 2 * texts["dim"]
    for model in ("image-feature-extraction", "multimodal-embedding"):
        ask = {"model": model, "image": IMAGE}
        image = post(http, "/pixano/v1/inference/embedding", ask)["data"]
        unit = np.frombuffer(base64.b64decode(image["embeddings"]["data"]), "<f4")
        assert np.linalg.norm(unit) == pytest.approx(1)
    both = post(http, "/pixano/v1/inference/embedding", {"model": model, "text": ["a", "b"]})[
        "data"
    ]
    assert both["embeddings"]["shape"] == [2, image["dim"]]  # of the same space


def test_vectors_stay_as_long_as_they_are_unless_asked() -> None:
    vectors = EmbeddingOutput(embeddings=[[3.0, 4.0], [0.0, 0.0]])
    assert write_answer(vectors, 0)["embeddings"].values == [3.0, 4.0, 0.0, 0.0]
    assert write_answer(vectors, 1)["embeddings"].values == [0.6, 0.8, 0.0, 0.0]


def test_v1_detects_with_a_models_own_classes(http: httpx.Client, serving: Worker) -> None:
    ask = {"model": "object-detection", "image": IMAGE, "classes": None, "boxThreshold": 0.2}
    data = post(http, "/pixano/v1/inference/detection", ask)["data"]
    assert len(data["boxes"]) == len(data["scores"]) == len(data["classes"])
    assert all(isinstance(edge, int) for box in data["boxes"] for edge in box)


def test_v1_names_entities(http: httpx.Client, serving: Worker) -> None:
    data = post(http, "/pixano/v1/inference/ner", ASKS["ner"])["data"]
    assert data["entities"][0] == {
        "text": "FOX",
        "label": "ANIMAL",
        "start": 16,
        "end": 19,
        "score": 0.875,
    }


def test_v1_lists_models_bare_and_tells_of_itself(http: httpx.Client, worker: Worker) -> None:
    worker.beat("vision", models=("mask-generation",))
    models = {m["name"]: m for m in http.get("/pixano/v1/models").json()}
    assert models["mask-generation"]["status"] == "RUNNING"
    assert models["mask-generation"]["modelClass"] == "stub"
    assert models["embedding"]["status"] == "NOT_STARTED"
    info = http.get("/pixano/v1/info").json()
    assert info["appName"] == "Wherry"
    assert info["modelsStatus"]["mask-generation"] == "RUNNING"
    ready = http.get("/pixano/v1/ready")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)


def test_errors_have_their_generations_shape(http: httpx.Client) -> None:
    ask = {**ASKS["detection"], "model": "nobody"}
    old = http.post("/pixano/inference/detection/", json=ask)
    assert old.status_code == 404
    assert "nobody" in old.json()["error"]
    new = http.post("/pixano/v1/inference/detection", json=ask)
    assert new.status_code == 404
    error = new.json()["error"]
    assert error["code"] == "not_found"
    assert "nobody" in error["message"]
    assert error["requestId"] == new.headers["x-request-id"]
