"""How long a client is kept waiting, and what is left of one that hangs up, on every surface."""

from __future__ import annotations

import gc
import json
import logging
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
import pytest

from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings
from wherry.jobs.keys import Keys
from wherry.jobs.record import BatchStats, ClaimedJob
from wherry.jobs.token_stream import send_chunks
from wherry.ops.ports import free_port
from wherry.tasks.registry import task_names
from wherry.tasks.samples import PNG
from wherry.tasks.text.tokens import Chunk, Token

from ..conftest import WORKER, Server, Worker
from ..surfaces.instill.entries import MODELS, entries
from ..surfaces.label_studio.test_label_studio import BOXES, uri
from ..surfaces.label_studio.test_label_studio import asked as tasks
from ..surfaces.oip_grpc.test_oip_grpc import asked as grpc_asked
from ..surfaces.oip_grpc.test_oip_grpc import parameters, stream_stub, stub
from ..surfaces.pixano.asks import ASKS

KEYS = Keys("wherry")

CHAT = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}
SEEN = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": uri(PNG)}}]
IMAGE_CHAT = {"model": "image-text-to-text", "messages": [{"role": "user", "content": SEEN}]}
PROMPT = {"model": "text-generation", "prompt": "Once", "logprobs": 2}
ASKED = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nautomatic-speech-recognition'
    b'\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nsound\r\n--x--'
)


@dataclass(frozen=True)
class Surface:
    """How a client of one asks."""

    path: str
    #: JSON, or bytes of another kind.
    body: Any
    kind: str = "application/json"
    stream: bool = False
    #: What its errors call the end of the time.
    code: str = "deadline_exceeded"
    #: Jobs of one request.
    jobs: int = 1
    #: Whether the job goes on after the time, to be polled.
    goes_on: bool = True

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def streamed(path: str, body: Any, **fields: Any) -> Surface:
    return Surface(path, {**body, "stream": True}, stream=True, **fields)


SURFACES = {
    "oip": Surface("/v2/models/embedding/infer", ASKED),
    "triton": Surface("/v2/models/chat/generate", {"text_input": "hi"}),
    "triton stream": streamed("/v2/models/chat/generate_stream", {"text_input": "hi"}),
    "chat": Surface("/v1/chat/completions", CHAT),
    "chat logprobs": Surface("/v1/chat/completions", {**CHAT, "logprobs": True}),
    "chat stream": streamed("/v1/chat/completions", CHAT),
    "chat about an image": Surface("/v1/chat/completions", IMAGE_CHAT),
    "completion": Surface("/v1/completions", PROMPT),
    "completions": Surface(
        "/v1/completions", {**PROMPT, "n": 2, "temperature": 1, "seed": 1}, jobs=2
    ),
    "completion stream": streamed("/v1/completions", PROMPT),
    "completions stream": streamed(
        "/v1/completions", {**PROMPT, "n": 2, "temperature": 1, "seed": 1}, jobs=2
    ),
    "embeddings": Surface("/v1/embeddings", {"model": "embedding", "input": "a"}),
    "pictures": Surface(
        "/v1/images/generations", {"model": "text-to-image", "prompt": "a", "n": 2}, jobs=2
    ),
    "speech": Surface("/v1/audio/speech", {"model": "text-to-speech", "input": "a"}),
    "transcription": Surface(
        "/v1/audio/transcriptions", FORM, kind="multipart/form-data; boundary=x"
    ),
    "hugging face": Surface("/models/embedding", {"inputs": "a"}, code=""),
    "hugging face file": Surface("/models/object-detection", PNG, kind="image/png", code=""),
    "hugging face details": Surface(
        "/models/text-generation", {"inputs": "a", "parameters": {"details": True}}, code=""
    ),
    "hugging face stream": streamed("/models/text-generation", {"inputs": "a"}, code="generation"),
    "hugging face chat": streamed("/models/chat/v1/chat/completions", CHAT),
    "instill": Surface(f"{MODELS}/embedding/trigger", entries("embedding"), code=""),
    "instill jobs": Surface(
        f"{MODELS}/text-generation/trigger",
        entries("text-generation", {"seed": 1}, {"seed": 2}),
        code="",
        jobs=2,
    ),
    "pixano": Surface(
        "/pixano/v1/inference/detection", ASKS["detection"], code="timeout", goes_on=False
    ),
    "pixano 0.7": Surface("/pixano/inference/detection/", ASKS["detection"], goes_on=False),
    "label studio": Surface(
        "/label-studio/object-detection/predict",
        tasks(BOXES, *[{"picture": uri(PNG)}] * 2),
        jobs=2,
    ),
}

#: How a text is asked for over gRPC: one answer, one of a stream, pieces of a stream.
GRPC: dict[str, dict[str, Any]] = {"infer": {}, "stream": {}, "pieces": {"stream": True}}


@dataclass(frozen=True)
class Api:
    """A running server, by HTTP and gRPC."""

    http: httpx.Client
    grpc: grpc.Channel
    worker: Worker = field(repr=False)

    def jobs(self, count: int) -> list[dict[str, Any]]:
        """All jobs, once there are so many."""
        while True:
            found: list[dict[str, Any]] = self.http.get("/v2/jobs").json()["jobs"]
            if len(found) >= count:
                return found

    def claimed(self, count: int) -> list[tuple[ClaimedJob, BatchStats]]:
        """Jobs that a worker has taken, and said a word for each."""
        taken: list[tuple[ClaimedJob, BatchStats]] = []
        while len(taken) < count:
            taken += self.worker.claim()
        tokens = [Token(id=number, text="word", logprob=-1.0) for number in (1, 2)]
        chunk = Chunk(row=0, at=0, tokens=tokens)
        said = [(job, chunk.model_dump_json().encode()) for job, _ in taken]
        self.worker.queue.run(send_chunks(WORKER, said, self.worker.jobs))
        return taken


def running(settings: ApiSettings, jobs: JobsSettings, seconds: float) -> Iterator[tuple[str, int]]:
    changes = {"infer_timeout_s": seconds, "grpc_port": free_port()}
    with Server(settings.model_copy(update=changes), jobs) as url:
        yield url, int(changes["grpc_port"])


@pytest.fixture(scope="module")
def hasty_server(
    api_settings: ApiSettings, jobs_settings: JobsSettings
) -> Iterator[tuple[str, int]]:
    yield from running(api_settings, jobs_settings, 0.2)


@pytest.fixture(scope="module")
def patient_server(
    api_settings: ApiSettings, jobs_settings: JobsSettings
) -> Iterator[tuple[str, int]]:
    yield from running(api_settings, jobs_settings, 600)


def reached(server: tuple[str, int], worker: Worker) -> Iterator[Api]:
    # It is there, and answers nothing.
    worker.beat("vision", "audio", "text", "multimodal", models=task_names())
    with (
        httpx.Client(base_url=server[0], timeout=30) as http,
        grpc.insecure_channel(f"127.0.0.1:{server[1]}") as channel,
    ):
        yield Api(http, channel, worker)


@pytest.fixture
def hasty(hasty_server: tuple[str, int], worker: Worker) -> Iterator[Api]:
    """An API that lets nobody wait for long."""
    yield from reached(hasty_server, worker)


@pytest.fixture
def patient(patient_server: tuple[str, int], worker: Worker) -> Iterator[Api]:
    """An API that lets everybody wait."""
    yield from reached(patient_server, worker)


@pytest.fixture
def errors(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """What the server has logged of anything that went wrong."""
    loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "wherry")]
    for logger in loggers:
        logger.addHandler(caplog.handler)

    def logged() -> list[str]:
        gc.collect()  # a task that failed unheard says so when it goes
        records = [r for r in caplog.records if r.levelno >= logging.WARNING or r.exc_info]
        return [record.getMessage() for record in records]

    yield logged
    for logger in loggers:
        logger.removeHandler(caplog.handler)


def last_event(text: str) -> Any:
    """A stream's last event."""
    *_, last = [line for line in text.splitlines() if line.startswith("data: ")]
    return json.loads(last.removeprefix("data: "))


@pytest.mark.parametrize(
    ("name", "begun"),
    [(n, begun) for n, s in SURFACES.items() for begun in (False, True) if s.stream or not begun],
)
def test_nobody_waits_longer_than_the_limit(hasty: Api, name: str, begun: bool) -> None:
    surface = SURFACES[name]
    headers = {"Content-Type": surface.kind}
    with hasty.http.stream("POST", surface.path, content=surface.content, headers=headers) as told:
        taken = hasty.claimed(surface.jobs) if begun else []
        text = told.read().decode()
    assert told.status_code == (200 if surface.stream else 504), text
    error = json.dumps(last_event(text)) if surface.stream else text
    assert surface.code in error
    if not surface.goes_on:
        assert "no answer within 0.2 s" in error
        return
    [path] = re.findall(r"no answer yet; poll (/v2/jobs/[0-9a-f-]+)", error)
    for job, stats in taken:
        hasty.worker.finish(hasty.worker.answer(job, stats), stats)
    hasty.worker.serve()
    assert hasty.http.get(f"{path}/result").status_code == 200
    if surface.stream:  # so does what its other choices come to
        assert {job["status"] for job in hasty.jobs(surface.jobs)} == {"succeeded"}


@pytest.mark.parametrize("begun", [False, True], ids=["unbegun", "begun"])
@pytest.mark.parametrize("call", GRPC)
def test_nor_does_anyone_over_grpc(hasty: Api, call: str, begun: bool) -> None:
    request = grpc_asked("text-generation", "a", parameters=parameters(**GRPC[call]))
    if call == "infer":
        answer = stub(hasty.grpc, "ModelInfer").future(request, timeout=30)
        if begun:
            hasty.claimed(1)
        assert answer.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert "no answer yet; poll /v2/jobs/" in answer.details()
        return
    answers = stream_stub(hasty.grpc)(iter([request]), timeout=30)
    if begun:
        hasty.claimed(1)
    *_, last = answers
    assert last.error_message.startswith("no answer yet; poll /v2/jobs/")


def expect_canceled(api: Api, taken: list[tuple[ClaimedJob, BatchStats]], count: int) -> None:
    """All jobs are canceled: those that wait at once, those that run when they end."""
    paths = [f"/v2/jobs/{job['id']}" for job in api.jobs(count)]
    running = {f"/v2/jobs/{job.id}" for job, _ in taken}
    for path in set(paths) - running:
        assert api.http.get(path, params={"wait": 3}).json()["status"] == "canceled"
    for job, stats in taken:
        while not api.worker.queue.redis.hexists(KEYS.job(job.id), "cancel"):
            pass
        api.worker.finish(api.worker.answer(job, stats), stats)
        assert api.http.get(f"/v2/jobs/{job.id}").json()["status"] == "canceled"


@pytest.mark.parametrize("begun", [False, True], ids=["unbegun", "begun"])
@pytest.mark.parametrize("name", SURFACES)
def test_who_hangs_up_is_no_error_and_its_jobs_end(
    patient: Api, errors: Callable[[], list[str]], name: str, begun: bool
) -> None:
    surface, url = SURFACES[name], patient.http.base_url
    head = (
        f"POST {surface.path} HTTP/1.1\r\nHost: a\r\nContent-Type: {surface.kind}\r\n"
        f"Content-Length: {len(surface.content)}\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port)) as client:
        client.sendall(head.encode() + surface.content)
        patient.jobs(surface.jobs)
        taken = patient.claimed(surface.jobs) if begun else []
        if begun and surface.stream:
            heard = b""
            while b"word" not in heard:
                heard += client.recv(65536)
    expect_canceled(patient, taken, surface.jobs)
    assert errors() == []


@pytest.mark.parametrize("begun", [False, True], ids=["unbegun", "begun"])
@pytest.mark.parametrize("call", GRPC)
def test_nor_is_who_hangs_up_over_grpc(
    patient: Api, errors: Callable[[], list[str]], call: str, begun: bool
) -> None:
    request = grpc_asked("text-generation", "a", parameters=parameters(**GRPC[call]))
    if call == "infer":
        under_way = stub(patient.grpc, "ModelInfer").future(request)
    else:
        under_way = stream_stub(patient.grpc)(iter([request]))
    patient.jobs(1)
    taken = patient.claimed(1) if begun else []
    under_way.cancel()
    expect_canceled(patient, taken, 1)
    assert errors() == []
