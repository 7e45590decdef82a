"""Pixano's wire, generation by generation. Its real clients are driven in tests/peers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from wherry.api.egress.named_files import NamedFiles
from wherry.api.surfaces.pixano.arrays import Array
from wherry.api.surfaces.pixano.capabilities import BY_NAME
from wherry.api.surfaces.pixano.requests import SegmentationAsk
from wherry.api.surfaces.pixano.responses import Wire, write_answer
from wherry.jobs import Outcome
from wherry.jobs.fleet import set_loaded
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG
from wherry.tasks.values.masks import write_mask
from wherry.tasks.vision.mask_generation import (
    MaskGenerationInput,
    MaskGenerationOutput,
    ObjectMask,
)

from ...conftest import Worker
from .asks import ASKS, IMAGE, Document, answered, mask_of, post

Form = list[tuple[str, tuple[str, str | bytes, str]]]

DETECTION = {"boxes": [[1, 2, 7, 6]], "scores": [0.875], "classes": ["boat"], "masks": None}
USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@pytest.fixture
def loaded(worker: Worker) -> Iterator[None]:
    yield
    for name in ("mask-generation", "embedding"):
        worker.queue.run(set_loaded(name, worker.jobs, loaded=True))


# --- The seed's generation ------------------------------------------------------------------------


def test_the_seed_reads_its_result_at_once_and_again(http: httpx.Client, serving: Worker) -> None:
    path = "/pixano/tasks/image/mask_generation/"
    first = post(http, path, ASKS["segmentation"])
    assert first["status"] == "SUCCESS"
    assert first["metadata"] == {
        "model": "mask-generation",
        "version": "1",
        "task": "mask-generation",
    }
    assert first["timestamp"].endswith("+00:00")
    assert first["processing_time"] >= 0
    assert first["data"]["scores"] == {"values": [0.875], "shape": [1, 1]}
    [[mask]] = first["data"]["masks"]
    assert mask["size"] == [8, 8]
    assert mask_of(mask).all()
    assert first["data"]["image_embedding"] is None
    assert http.get(path + first["id"]).json() == first


@pytest.mark.parametrize(
    ("path", "ask", "data"),
    [
        ("image/zero_shot_detection", "detection", DETECTION),
        (
            "multimodal/text-image/conditional_generation",
            "vlm",
            {"generated_text": "A grey square.", "usage": USAGE, "generation_config": {}},
        ),
    ],
)
def test_the_seeds_other_tasks(
    path: str, ask: str, data: Document, http: httpx.Client, serving: Worker
) -> None:
    assert post(http, f"/pixano/tasks/{path}/", ASKS[ask])["data"] == data


def test_the_seed_reads_three_parallel_lists_of_a_video(
    http: httpx.Client, serving: Worker
) -> None:
    data = post(http, "/pixano/tasks/video/mask_generation/", ASKS["tracking"])["data"]
    assert data["objects_ids"] == [1, 1]
    assert data["frame_indexes"] == [0, 1]
    assert [mask["size"] for mask in data["masks"]] == [[8, 8], [8, 8]]


@pytest.mark.parametrize("wire", Wire)
def test_logits_and_embeddings_go_both_ways(wire: Wire, http: httpx.Client, worker: Worker) -> None:
    seed = "/pixano056/tasks/image/mask_generation/"
    ask = {**ASKS["segmentation"], "points": [[[2, 3]], [[4, 4]]], "labels": [[1], [0]]}
    ask |= {"return_logits": True, "multimask_output": False}
    task = post(http, seed, ask)
    grids = [[[0.5, -1.5, 2.0], [3.0, 4.0, 5.0]], [[1.0, 1.5, 2.5], [3.5, 4.5, 5.5]]]
    name = "00ff" * 8
    found = [ObjectMask(mask=PNG, score=0.5, logits=grid) for grid in grids]
    first = answered(worker, MaskGenerationOutput(masks=[found], image_embeddings=[name]))
    assert isinstance(first, MaskGenerationInput)
    assert first.return_logits
    assert first.return_image_embedding
    data = http.get(seed + task["id"]).json()["data"]
    logits, embedding = data["mask_logits"], data["image_embedding"]
    assert logits == {"values": np.ravel(grids).tolist(), "shape": [2, 1, 2, 3]}
    assert embedding == {"values": [0, 255] * 8, "shape": [16]}
    arrays = {"mask_input": logits, "image_embedding": embedding}
    again = {
        **ask,
        "image": "",
        **{key: Array(given["values"], tuple(given["shape"])) for key, given in arrays.items()},
    }
    segmented = SegmentationAsk.model_validate(wire.write(again))
    (declared,) = (m for m in worker._catalog.models if m.name == "mask-generation")
    given_input = segmented.task_request(declared, NamedFiles(None)).input
    assert isinstance(given_input, MaskGenerationInput)
    assert given_input.images == [b""]
    assert given_input.image_embeddings == [name]
    assert given_input.mask_inputs == [grids]


def test_masks_go_by_prompt_and_still_do_when_read_again(
    http: httpx.Client, worker: Worker
) -> None:
    ask = {**ASKS["segmentation"], "multimask_output": True}
    ask |= {"points": [[[2, 3]], [[4, 4], [5, 5]]], "labels": [[1], [1, 0]]}
    path = "/pixano056/tasks/image/mask_generation/"
    task = post(http, path, ask)
    assert task["status"] == "PENDING"
    masks = [np.zeros((3, 5), np.bool_) for _ in range(6)]
    for number, mask in enumerate(masks):
        mask[number % 3, :number] = True
    given_input = answered(
        worker,
        MaskGenerationOutput(
            masks=[[ObjectMask(mask=write_mask(m), score=i / 8) for i, m in enumerate(masks)]]
        ),
    )
    assert given_input == MaskGenerationInput(
        images=[PNG],
        points=[ask["points"]],
        labels=[ask["labels"]],
        multimask_output=True,
        return_image_embedding=True,
    )
    data = http.get(path + task["id"]).json()["data"]
    assert [len(prompt) for prompt in data["masks"]] == [3, 3]
    assert data["scores"] == {"values": [i / 8 for i in range(6)], "shape": [2, 3]}
    read = [mask_of(mask) for prompt in data["masks"] for mask in prompt]
    assert all(map(np.array_equal, read, masks))


def test_without_prompts_all_masks_stand_together() -> None:
    found = [ObjectMask(mask=PNG, score=0.5)] * 4
    data = write_answer(MaskGenerationOutput(masks=[found]), 0)
    assert [len(prompt) for prompt in data["masks"]] == [4]
    assert data["scores"].shape == (1, 4)
    # Pixano's arrays have no axis of length 0.
    nothing = write_answer(MaskGenerationOutput(masks=[[]]), 3)
    assert nothing["masks"] == [[]]
    assert nothing["scores"] == ([0.0], (1, 1))


# --- pixano-inference 0.5.6 ----------------------------------------------------------------------


def test_056_polls_a_celery_task(http: httpx.Client, worker: Worker) -> None:
    path = "/pixano056/tasks/image/zero_shot_detection/"
    task = post(http, path, ASKS["detection"])
    assert task == {"id": task["id"], "status": "PENDING"}
    assert http.get(path + task["id"]).json() == task
    claimed = worker.claim()
    assert http.get(path + task["id"]).json()["status"] == "STARTED"
    for job, stats in claimed:
        worker.finish(worker.answer(job, stats), stats)
    done = http.get(path + task["id"]).json()
    assert done["status"] == "SUCCESS"
    assert done["data"] == DETECTION


def test_056_revokes(http: httpx.Client) -> None:
    path = "/pixano056/tasks/video/mask_generation/"
    task = post(http, path, ASKS["tracking"])
    assert http.delete(path + task["id"]).status_code == 200
    assert http.get(path + task["id"]).json()["status"] == "REVOKED"


def test_056_sees_a_failure(http: httpx.Client, worker: Worker) -> None:
    path = "/pixano056/tasks/image/zero_shot_detection/"
    task = post(http, path, ASKS["detection"])
    [(job, stats)] = worker.claim()
    worker.finish(Outcome(id=job.id, attempt=1, error_type="invalid_row", error="no"), stats)
    assert http.get(path + task["id"]).json()["status"] == "FAILURE"


def test_a_job_is_under_its_own_path_alone(http: httpx.Client) -> None:
    task = post(http, "/pixano056/tasks/video/mask_generation/", ASKS["tracking"])
    other = http.get(f"/pixano056/tasks/image/mask_generation/{task['id']}")
    assert other.status_code == 404


def test_056_allows_its_settings_no_further_key(http: httpx.Client) -> None:
    seen = http.get("/pixano056/app/settings/").json()
    assert set(seen) == {
        *("app_name", "app_version", "app_description", "num_cpus", "num_gpus", "num_nodes"),
        *("gpus_used", "gpu_to_model", "models", "models_to_task"),
    }
    assert seen["models_to_task"]["mask-generation"] == "image_mask_generation"
    assert seen["gpus_used"] == []


# --- pixano 0.7 ----------------------------------------------------------------------------------


def test_07_sends_an_image_as_it_is(http: httpx.Client, serving: Worker) -> None:
    ask = {name: value for name, value in ASKS["segmentation"].items() if name != "image"}
    form: Form = [
        ("metadata", ("metadata.json", json.dumps(ask), "application/json")),
        ("image", ("image.bin", PNG, "application/octet-stream")),
    ]
    answer = http.post("/pixano/inference/segmentation/binary", files=form)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["scores"]["shape"] == [1, 1]


def test_07_tracks_in_a_job(http: httpx.Client, worker: Worker) -> None:
    ask = {name: value for name, value in ASKS["tracking"].items() if name != "video"}
    form: Form = [("metadata", ("metadata.json", json.dumps(ask), "application/json"))]
    files: Form = [*form, *(("frames", (f"{i}.bin", PNG, "image/png")) for i in range(2))]
    submitted = http.post("/pixano/inference/tracking/jobs/binary", files=files)
    assert submitted.status_code == 202, submitted.text
    job = submitted.json()
    assert (job["status"], job["data"], job["detail"]) == ("running", None, None)
    worker.serve()
    path = f"/pixano/inference/tracking/jobs/{job['job_id']}"
    done = http.get(path).json()
    assert done["status"] == "completed"
    assert done["data"]["objects_ids"] == [1, 1]
    # Canceling what has ended changes nothing.
    assert http.delete(path).json() == done


def test_07_cancels(http: httpx.Client) -> None:
    job = post(http, "/pixano/inference/tracking/jobs/", ASKS["tracking"], 202)
    canceled = http.delete(f"/pixano/inference/tracking/jobs/{job['job_id']}").json()
    assert canceled["status"] == "canceled"


def test_07_reads_capabilities(http: httpx.Client) -> None:
    models = {m["name"]: m for m in http.get("/pixano/app/models/").json()}
    assert models["object-detection"]["capability"] == "detection"
    assert models["image-text-to-text"]["capability"] == "vlm"
    assert "summarization" not in models
    seen = http.get("/pixano/app/settings/").json()
    assert seen["models_to_capability"]["video-mask-generation"] == "tracking"


# --- Models --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("loaded")
def test_models_are_loaded_and_unloaded(http: httpx.Client) -> None:
    def names() -> set[str]:
        return {model["name"] for model in http.get("/pixano/app/models/").json()}

    assert http.delete("/pixano/providers/model/mask-generation").status_code == 200
    assert "mask-generation" not in names()
    refused = http.post("/pixano/tasks/image/mask_generation/", json=ASKS["segmentation"])
    assert refused.status_code == 503
    config = {"name": "mask-generation", "task": "image_mask_generation", "path": None}
    body = {"provider": "sam2", "config": config}
    opened = post(http, "/pixano/providers/instantiate", body)
    assert opened == {"id": "mask-generation", "status": "SUCCESS"}
    assert http.get(f"/pixano/providers/instantiate/{opened['id']}").json() == opened
    assert "mask-generation" in names()


@pytest.mark.usefixtures("loaded")
def test_v1_deploys_and_undeploys(http: httpx.Client) -> None:
    gone = http.delete("/pixano/v1/models/embedding").json()
    assert gone == {"status": "deleted", "model": "embedding"}
    assert "embedding" not in {m["name"] for m in http.get("/pixano/v1/models").json()}
    body = {"name": "embedding", "modelClass": "Clip", "modelParams": {}, "deployment": {}}
    assert post(http, "/pixano/v1/models", body, 201)["capability"] == "embedding"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("DELETE", "/pixano/providers/model/nobody", None, 404, "nobody"),
        ("DELETE", "/pixano/providers/model/summarization", None, 404, "summarization"),
        ("GET", "/pixano/providers/instantiate/nobody", None, 404, "nobody"),
        ("POST", "/pixano/providers/instantiate", {"config": 1}, 400, "config"),
        ("POST", "/pixano/providers/instantiate", {"config": {"task": "x"}}, 400, "name"),
        (
            "POST",
            "/pixano/providers/instantiate",
            {"config": {"name": "embedding", "task": "x"}},
            400,
            "config.task",
        ),
        (
            "POST",
            "/pixano/providers/instantiate",
            {"config": {"name": "embedding", "task": "image_mask_generation"}},
            400,
            "does embedding",
        ),
        ("POST", "/pixano/v1/models", {"modelClass": "Sam"}, 400, "name"),
        ("GET", "/pixano/v1/jobs/nobody", None, 404, "nobody"),
        ("DELETE", "/pixano/v1/jobs/nobody", None, 404, "nobody"),
        ("POST", "/pixano/v1/inference/nothing", {}, 404, "segmentation"),
        ("POST", "/pixano/tasks/image/nothing/", {}, 404, "image/mask_generation"),
    ],
)
def test_what_is_not_there(
    method: str, path: str, body: Document | None, status: int, text: str, http: httpx.Client
) -> None:
    answer = http.request(method, path, json=body)
    assert answer.status_code == status
    assert text in answer.text


# --- Jobs -----------------------------------------------------------------------------------------


def test_a_turn_of_a_chat_is_a_prompt(http: httpx.Client, worker: Worker) -> None:
    content = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
        {"type": "text", "text": "What is this?"},
    ]
    prompt = [{"role": "user", "content": content}]
    ask = {**ASKS["vlm"], "images": None, "prompt": prompt, "temperature": 0.5}
    post(http, "/pixano056/tasks/multimodal/text-image/conditional_generation/", ask)
    given_input = answered(worker, get_task(BY_NAME["vlm"].tasks[0]).example.output)
    assert given_input.model_dump(exclude={"images", "background"}) == {
        "texts": ["What is this?"],
        "max_new_tokens": 16,
        "do_sample": True,
        "temperature": 0.5,
        "top_p": None,
        "seed": None,
    }


def test_a_request_that_takes_too_long_is_given_up(http: httpx.Client, worker: Worker) -> None:
    answer = http.post("/pixano/v1/inference/detection", json=ASKS["detection"])
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "timeout"
    assert not worker.claim()


def test_a_repeated_key_makes_no_second_job(http: httpx.Client) -> None:
    path = "/pixano056/tasks/image/mask_generation/"
    key = {"Idempotency-Key": "once"}
    first, second = (http.post(path, json=ASKS["segmentation"], headers=key) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
