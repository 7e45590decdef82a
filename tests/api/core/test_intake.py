from __future__ import annotations

import asyncio
import base64
from dataclasses import replace

import pytest

from wherry.api.core.envelope import Envelope
from wherry.api.core.fleet_store import FleetStore, Presence
from wherry.api.core.intake import Intake
from wherry.api.core.submitter import Submitter
from wherry.api.egress.named_files import NO_FILES
from wherry.api.egress.outbound import Outbound
from wherry.api.settings import ApiSettings
from wherry.jobs import AsyncQueue, JobsSettings
from wherry.jobs.stores import FolderStore
from wherry.protocol import codec, v2
from wherry.protocol.errors import ModelNotFound, PayloadTooLarge, QueueFull
from wherry.tasks.catalog import Catalog
from wherry.tasks.models_file import load_catalog
from wherry.tasks.registry import get_task, task_names


@pytest.fixture
def make_intake(models_file):
    api = ApiSettings(models=models_file, max_rows_per_job=4)
    return lambda: Intake(load_catalog(models_file), api, Outbound(api))


def prepared(intake: Intake, request, model, version=None):
    return intake.prepare(intake.check(request, model, version, NO_FILES), Envelope())


def job_of(*asked):
    return prepared(*asked).job


def image_request(**changes):
    image = {"name": "image", "shape": [1], "datatype": "BYTES", "data": ["aGVsbG8="]}
    return v2.InferenceRequest.parse({"inputs": [image], **changes})


def test_two_ways_to_say_the_same_are_the_same_job(make_intake):
    intake = make_intake()
    plain = image_request(id="x", parameters={"a": 1, "b": 2})
    body, length = codec.encode_request(plain, binary=False)
    assert base64.b64encode(b"hello") in body
    raw = image_request(parameters={"b": 2, "a": 1, "top_k": 5, "binary_data_output": True})
    raw.inputs[0].data = b"\x05\x00\x00\x00hello"
    other = image_request(parameters={"a": 1, "b": 3})
    prints = [
        job_of(intake, request, "image-classification").fingerprint
        for request in (plain, codec.decode_request(body, length), raw, other)
    ]
    assert prints[0] == prints[1] == prints[2] != prints[3]


def test_another_version_is_another_job(make_intake, texts):
    intake = make_intake()
    jobs = [
        job_of(intake, v2.InferenceRequest.parse(texts("a")), "embedding", version)
        for version in (None, "1", "2")
    ]
    assert jobs[0].fingerprint == jobs[2].fingerprint != jobs[1].fingerprint
    assert [job.group.version for job in jobs] == ["2", "1", "2"]


def test_the_payload_is_raw_and_reads_back(make_intake):
    job = job_of(make_intake(), image_request(), "image-classification")
    request = codec.decode_request(job.payload, job.header_length)
    assert request.id is None
    assert request.input("image").blobs() == [b"hello"]
    assert request.parameters == {"background": "white", "top_k": 5}


def test_refusals(make_intake, texts):
    intake = make_intake()
    with pytest.raises(PayloadTooLarge):
        job_of(intake, v2.InferenceRequest.parse(texts(*"abcde")), "embedding")
    with pytest.raises(ModelNotFound):
        job_of(intake, v2.InferenceRequest.parse(texts("a")), "nope")


def test_a_refused_large_job_leaves_no_blob(make_intake, texts, tmp_path, redis_url):
    intake = make_intake()
    settings = JobsSettings(redis_url=redis_url, inline_max_bytes=1000, max_waiting=1)
    blobs = FolderStore(tmp_path / "blobs")

    async def fill(queue: AsyncQueue) -> None:
        presence = Presence(queue, FleetStore(blobs), Catalog([]), settings)
        submitter = Submitter(queue, blobs, settings, intake.outbound, presence)
        for name in ("first", None):
            request = v2.InferenceRequest.parse(texts("x" * 2000, id=name))
            await submitter.store(prepared(intake, request, "embedding"))

    async def run() -> None:
        queue = AsyncQueue(redis_url)
        try:
            await fill(queue)
        finally:
            await queue.close()

    with pytest.raises(QueueFull):
        asyncio.run(run())
    assert len([p for p in (tmp_path / "blobs").rglob("*") if p.is_file()]) == 1


@pytest.mark.parametrize("parameters", [{}, {"stream": True}, {"priority": 9}])
@pytest.mark.parametrize("name", task_names())
def test_what_a_surface_has_read_is_the_job_that_its_request_would_be(
    make_intake, name, parameters
):
    intake, given = make_intake(), get_task(name).example.input
    request = given.to_inference_request()
    request.parameters = {**request.parameters, **parameters}
    asked = prepared(intake, request, name)
    read = intake.prepare_input(
        given, intake.catalog.get(name, None), Envelope(), parameters=parameters
    )
    assert replace(read.job, id=asked.job.id) == asked.job
    assert (read.fresh, asked.fresh) == (True, True)


def test_a_request_that_was_read_is_as_it_was(make_intake):
    request, same = image_request(), image_request()
    prepared(make_intake(), request, "image-classification")
    assert request == same
