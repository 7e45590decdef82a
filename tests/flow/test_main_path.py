"""From a file to a polled answer, through every process of the real stack."""

from __future__ import annotations

import base64
import io
import json
import struct
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from wherry.client import AsyncClient, Client
from wherry.ops.stack import Stack
from wherry.protocol import codec, errors, v2
from wherry.protocol.states import JobState
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.vision.image_classification import (
    ImageClassificationInput,
    ImageClassificationOutput,
)
from wherry.tasks.vision.object_detection import ObjectDetectionInput, ObjectDetectionOutput

#: Jobs of "slow", more than its worker claims ahead however unevenly its first batches are filled.
BLOCKERS = 24


def photo(seed: int = 0, size: int = 32) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (size, size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def classify(*images: bytes, **fields: Any) -> ImageClassificationInput:
    return ImageClassificationInput(images=list(images), **fields)


def test_a_photo_in_a_polled_result_out(client: Client) -> None:
    job = client.submit("image-classification", classify(photo(), top_k=3))
    assert job.status in (JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED)
    done = client.wait(job.id, timeout_s=30)
    assert [change.status for change in done.history] == ["queued", "running", "succeeded"]
    output = client.result(job.id)
    assert isinstance(output, ImageClassificationOutput)
    assert len(output.results[0]) == 3
    assert output.results[0][0].score >= output.results[0][1].score


def test_one_answer_however_it_is_asked_for(client: Client, stack: Stack) -> None:
    inputs = classify(photo(1), photo(2), top_k=2)
    queued = client.result(client.submit("image-classification", inputs).id)
    waited = client.infer("image-classification", inputs)
    text, _ = codec.encode_request(inputs.to_inference_request(), binary=False)
    answer = httpx.post(f"{stack.url}/v2/models/image-classification/infer", content=text).json()
    response = v2.InferenceResponse.parse(answer)
    read = ImageClassificationOutput.from_inference_response(response)
    for other in (queued, waited):
        assert isinstance(other, ImageClassificationOutput)
        for row, same in zip(read.results, other.results, strict=True):
            assert [r.label for r in row] == [r.label for r in same]
            assert np.allclose([r.score for r in row], [r.score for r in same], atol=1e-6)
    assert np.shape(answer["outputs"][0]["data"]) == (2, 2), "nested per row"


def test_a_batch_of_jobs_is_one_forward(
    client: Client, stack: Stack, let_go: Callable[[], None]
) -> None:
    before = _stats(stack, "slow")
    jobs = [client.submit("slow", classify(photo(n))) for n in range(13)]
    let_go()
    assert all(client.wait(job.id, 30).status is JobState.SUCCEEDED for job in jobs)
    after = _stats(stack, "slow")
    assert after["inference_count"] - before["inference_count"] == 13
    # The first may run at once, alone; the rest waits and fills batches of four.
    assert after["execution_count"] - before["execution_count"] <= 5


def _stats(stack: Stack, model: str) -> dict[str, int]:
    stats: dict[str, int] = httpx.get(f"{stack.url}/v2/models/{model}/stats").json()["model_stats"][
        0
    ]
    return stats


def test_one_bad_row_fails_alone_whatever_its_fault(client: Client) -> None:
    rows = [photo(1), b"RAISE", photo(2), b"REJECT", photo(3)] * 3
    answers = list(
        client.map("image-classification", (classify(row) for row in rows), return_errors=True)
    )
    for row, answer in zip(rows, answers, strict=True):
        if row == b"RAISE":
            assert isinstance(answer, errors.BackendError)
        elif row == b"REJECT":
            assert isinstance(answer, errors.RowError)
        else:
            assert isinstance(answer, ImageClassificationOutput)


def test_a_job_of_several_rows_names_its_bad_one_or_skips_it(client: Client) -> None:
    request = classify(photo(), b"REJECT").to_inference_request()
    with pytest.raises(errors.RowError, match="row 1"):
        client.infer("image-classification", request)
    request.parameters["on_row_error"] = "skip"
    response = client.infer("image-classification", request)
    assert isinstance(response, v2.InferenceResponse)
    assert list(json.loads(response.parameters["row_errors"])) == ["1"]
    output = ImageClassificationOutput.from_inference_response(response)
    assert [len(row) for row in output.results] == [5, 0]


def test_an_image_over_the_limit_fails_alone_in_a_job_that_skips(client: Client) -> None:
    head = struct.pack("<IHHHH", 12, 50_000, 50_000, 1, 24)
    request = classify(photo(), b"BM" + bytes(12) + head, photo()).to_inference_request()
    with pytest.raises(errors.PayloadTooLarge, match="row 1 has 2500000000 pixels"):
        client.infer("image-classification", request)
    request.parameters["on_row_error"] = "skip"
    response = client.infer("image-classification", request)
    assert isinstance(response, v2.InferenceResponse)
    assert "2500000000 pixels" in json.loads(response.parameters["row_errors"])["1"]["error"]
    output = ImageClassificationOutput.from_inference_response(response)
    assert [len(row) for row in output.results] == [5, 0, 5]


def test_ragged_boxes_come_back_as_they_were_found(client: Client) -> None:
    images = [photo(seed) for seed in range(8)]
    together = client.infer("object-detection", ObjectDetectionInput(images=images, threshold=0.1))
    alone = [
        client.infer("object-detection", ObjectDetectionInput(images=[image], threshold=0.1))
        for image in images
    ]
    assert isinstance(together, ObjectDetectionOutput)
    assert len({len(row) for row in together.detections}) > 1, "the rows differ in length"
    for row, single in zip(together.detections, alone, strict=True):
        assert isinstance(single, ObjectDetectionOutput)
        assert [item.label for item in row] == [item.label for item in single.detections[0]]


def test_a_large_payload_and_its_result_go_through_the_blob_store(
    client: Client, stack: Stack
) -> None:
    texts = [f"sentence {n} " * 50 for n in range(300)]
    job = client.submit("embedding", EmbeddingInput(texts=texts))
    output = client.result(job.id, timeout_s=30)
    assert isinstance(output, EmbeddingOutput)
    assert np.shape(output.embeddings) == (300, 8)
    blobs = [path for path in (stack.data_dir / "blobs").rglob("*") if path.is_file()]
    assert any(f"result%2F{job.id}" in path.name for path in blobs)
    assert not any(f"payload%2F{job.id}" in path.name for path in blobs), "it ends with the job"


def test_a_waiting_job_can_be_canceled(client: Client, let_go: Callable[[], None]) -> None:
    blockers = [client.submit("slow", classify(photo(n))) for n in range(BLOCKERS)]
    last = client.submit("slow", classify(photo(99)), priority=9)
    assert client.cancel(last.id).status is JobState.CANCELED
    with pytest.raises(errors.JobCanceled):
        client.result(last.id)
    let_go()
    for job in blockers:
        client.wait(job.id, 60)


def test_a_job_that_cannot_start_in_time_expires(
    client: Client, let_go: Callable[[], None]
) -> None:
    blockers = [client.submit("slow", classify(photo(n))) for n in range(BLOCKERS)]
    late = client.submit("slow", classify(photo(98)), timeout_s=0.05, priority=9)
    time.sleep(0.05)  # so long it may wait
    let_go()
    assert client.wait(late.id, 30).status is JobState.EXPIRED
    with pytest.raises(errors.JobExpired):
        client.result(late.id)
    for job in blockers:
        client.wait(job.id, 60)


def test_the_same_id_again_is_the_same_job(client: Client) -> None:
    name = f"order {uuid.uuid4()} / ümlaut"
    first = client.submit("image-classification", classify(photo()), id=name)
    again = client.submit("image-classification", classify(photo()), id=name)
    assert first.created_at == again.created_at
    with pytest.raises(errors.Conflict):
        client.submit("image-classification", classify(photo(5)), id=name)
    assert client.result(name)


def test_map_keeps_order_over_many_inputs(client: Client) -> None:
    inputs = (EmbeddingInput(texts=[f"text {n}"]) for n in range(700))
    answers = list(client.map("embedding", inputs, in_flight=100))
    expected = client.infer("embedding", EmbeddingInput(texts=[f"text {n}" for n in range(700)]))
    assert isinstance(expected, EmbeddingOutput)
    got = [answer.embeddings[0] for answer in answers if isinstance(answer, EmbeddingOutput)]
    assert np.allclose(got, expected.embeddings)


async def _async_round(url: str) -> None:
    async with AsyncClient(url) as client:
        job = await client.submit("embedding", EmbeddingInput(texts=["hello"]))
        assert (await client.wait(job.id)).status is JobState.SUCCEEDED
        single = await client.result(job.id)
        many = [
            answer
            async for answer in client.map(
                "embedding", [EmbeddingInput(texts=["hello"]) for _ in range(3)]
            )
        ]
        assert isinstance(single, EmbeddingOutput)
        vectors = [answer.embeddings[0] for answer in many if isinstance(answer, EmbeddingOutput)]
        assert np.allclose(vectors, [single.embeddings[0]] * 3, atol=1e-6)


def test_the_async_client_does_the_same(stack: Stack) -> None:
    import asyncio

    asyncio.run(_async_round(stack.url))


def test_events_tell_every_change_and_replay(client: Client, stack: Stack) -> None:
    job = client.submit("slow", classify(photo()))
    with httpx.stream("GET", f"{stack.url}{'/v2/jobs/' + job.id}/events", timeout=30) as stream:
        lines = [line for line in stream.iter_lines() if line.startswith("event")]
    assert lines == ["event: queued", "event: running", "event: succeeded"]
    rest = httpx.get(f"{stack.url}/v2/jobs/{job.id}/events", headers={"Last-Event-ID": "2"})
    assert [line for line in rest.text.splitlines() if line.startswith("id")] == ["id: 3"]


def test_prefer_wait_answers_when_the_job_is_done(stack: Stack) -> None:
    body = {
        "inputs": [
            {
                "name": "image",
                "shape": [1],
                "datatype": "BYTES",
                "data": [base64.b64encode(photo()).decode()],
            }
        ]
    }
    started = time.monotonic()
    answer = httpx.post(
        f"{stack.url}/v2/models/slow/jobs", json=body, headers={"Prefer": "wait=20"}, timeout=30
    )
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert 0.4 < time.monotonic() - started < 20


def test_the_fleet_shows_itself(client: Client) -> None:
    fleet = client.get("/v2/queues")
    assert {family for worker in fleet["workers"] for family in worker["families"]} == {
        "vision",
        "text",
    }
    assert fleet["totals"]["succeeded"] >= 0
    assert {model["state"] for model in client.models()} == {"READY"}
