"""A real server over a real Redis; the worker is played by the test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from wherry.api.app import create_app
from wherry.api.settings import ApiSettings
from wherry.jobs import JobsSettings, Outcome, Queue
from wherry.jobs.claim import BatchBudget, claim
from wherry.jobs.finish import finish
from wherry.jobs.fleet import groups, heartbeat
from wherry.jobs.owned import own_id
from wherry.jobs.record import BatchStats, ClaimedJob
from wherry.jobs.stores import open_store
from wherry.ops.redis_server import RedisServer
from wherry.protocol import codec, v2
from wherry.protocol.datatypes import Datatype
from wherry.protocol.errors import WherryError
from wherry.tasks.create import create_task
from wherry.tasks.models_file import load_catalog
from wherry.tasks.registry import task_names

from ..support.receiver import Receiver
from .keyed import Tenants, write_keys

#: A stub of every task, named after it; one has a second version.
MODELS = "".join(
    f"""
[[models]]
name = "{name}"
task = "{name}"
backend = "stub"
version = "{version}"
"""
    for name in task_names()
    for version in (("1", "2") if name == "embedding" else ("1",))
)

WORKER = "test@host/1"
BODY_LIMIT = 1_000_000


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that a test's fleet fetches from and calls."""
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of these tests' own: their API writes to it as long as the session lasts."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as own:
        yield own.url


@pytest.fixture(scope="session")
def models_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "models.toml"
    path.write_text(MODELS)
    return path


@pytest.fixture(scope="session")
def jobs_settings(server: str, tmp_path_factory: pytest.TempPathFactory) -> JobsSettings:
    return JobsSettings(
        redis_url=server,
        store_dir=tmp_path_factory.mktemp("blobs"),
        inline_max_bytes=100_000,
        max_waiting=50,
        result_ttl_s=100,
        run_places="/data/, s3://bucket/",
    )


@pytest.fixture(scope="session")
def api_settings(models_file: Path) -> ApiSettings:
    return ApiSettings(
        models=models_file,
        max_body_bytes=BODY_LIMIT,
        max_rows_per_job=64,
        infer_timeout_s=3,
        max_wait_s=3,
    )


class Server:
    """uvicorn on a free port, in a thread."""

    def __init__(self, api: ApiSettings, jobs: JobsSettings) -> None:
        config = uvicorn.Config(
            create_app(api, jobs), port=0, log_level="warning", ws="none", lifespan="on"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the API did not start"
            threading.Event().wait(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture(scope="session")
def api_url(api_settings: ApiSettings, jobs_settings: JobsSettings) -> Iterator[str]:
    with Server(api_settings, jobs_settings) as url:
        yield url


@pytest.fixture
def http(api_url: str, redis_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api_url, timeout=10) as client:
        yield client


@dataclass
class Worker:
    """A worker that runs in the test: it claims, answers with the stub, finishes."""

    queue: Queue
    jobs: JobsSettings
    models: Path

    def __post_init__(self) -> None:
        self._store = open_store(self.jobs)
        self._catalog = load_catalog(self.models)
        self._timers: list[threading.Timer] = []

    def beat(
        self,
        *families: str,
        models: tuple[str, ...] = (),
        notes: dict[str, str] | None = None,
        **told: object,
    ) -> None:
        info: dict[str, object] = {
            "families": list(families),
            "models": list(models),
            "notes": notes or {},
            **told,
        }
        self.queue.run(heartbeat(WORKER, info, self.jobs))

    def claim(self) -> list[tuple[ClaimedJob, BatchStats]]:
        claimed = []
        for seen in self.queue.run(groups(self.jobs))[0].values():
            if seen.waiting:
                budgets = {seen.group.model_id: BatchBudget()}
                batch = self.queue.run(claim(seen.group, WORKER, budgets, self.jobs))
                claimed += [(job, BatchStats(group=job.group)) for job in batch.jobs]
        return claimed

    def serve(self) -> int:
        """Answer what waits."""
        claimed = self.claim()
        for job, stats in claimed:
            self.finish(self.answer(job, stats), stats)
        return len(claimed)

    def serve_in(self, seconds: float) -> None:
        """Answer what waits then; `close` waits for it."""
        self._timers.append(threading.Timer(seconds, self.serve))
        self._timers[-1].start()

    def close(self) -> None:
        for timer in self._timers:
            timer.join()
        self.queue.close()

    def finish(self, outcome: Outcome, stats: BatchStats) -> None:
        self.queue.run(finish(WORKER, [outcome], stats, self.jobs))

    def answer(self, job: ClaimedJob, stats: BatchStats) -> Outcome:
        declared = self._catalog.get(stats.group.model, stats.group.version)
        with create_task("stub", declared.task, declared.name) as task:
            try:
                request = codec.decode_request(self._payload(job), job.header_length)
                response = task(request).model_copy(
                    update={
                        "id": own_id(stats.group.tenant, job.id),
                        "model_version": declared.version,
                    }
                )
                body, length = codec.encode_response(response)
            except WherryError as error:
                return Outcome(
                    id=job.id, attempt=job.attempt, error_type=error.code, error=error.message
                )
        length = length or len(body)
        if len(body) <= self.jobs.inline_max_bytes:
            return Outcome(id=job.id, attempt=job.attempt, result=body, header_length=length)
        ref = self._store.put(f"result/{job.id}", body)
        return Outcome(id=job.id, attempt=job.attempt, result_ref=ref, header_length=length)

    def _payload(self, job: ClaimedJob) -> bytes:
        if job.payload_ref:
            return self._store.get(job.payload_ref)
        [payload] = self.queue.values([job.payload_key])
        assert payload is not None
        return payload


@pytest.fixture
def worker(redis_url: str, jobs_settings: JobsSettings, models_file: Path) -> Iterator[Worker]:
    worker = Worker(Queue(redis_url), jobs_settings, models_file)
    yield worker
    worker.close()


@pytest.fixture
def serving(worker: Worker) -> Iterator[Worker]:
    """The worker, answering by itself."""
    stopped = threading.Event()

    def run() -> None:
        while not stopped.wait(0.005):
            worker.serve()

    thread = threading.Thread(target=run)
    thread.start()
    yield worker
    stopped.set()
    thread.join()


@pytest.fixture
def without_json_form(worker: Worker) -> Callable[[str], None]:
    """Answer a job with a vector that holds NaN."""

    def answer(job_id: str) -> None:
        data = [[1.0, float("nan")]]
        output = v2.ResponseOutput(
            name="embedding", shape=[1, 2], datatype=Datatype.FP32, data=data
        )
        response = v2.InferenceResponse(model_name="embedding", id=job_id, outputs=[output])
        body, length = codec.encode_response(response, binary=True)
        for job, stats in worker.claim():
            outcome = (
                Outcome(id=job.id, attempt=1, result=body, header_length=length or 0)
                if job.id == job_id
                else worker.answer(job, stats)
            )
            worker.finish(outcome, stats)

    return answer


@pytest.fixture(scope="session")
def keyed_jobs(jobs_settings: JobsSettings) -> JobsSettings:
    return jobs_settings.model_copy(update={"key_prefix": "keyed"})


@pytest.fixture(scope="session")
def keyed_url(
    api_settings: ApiSettings, keyed_jobs: JobsSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    file = write_keys(tmp_path_factory.mktemp("keys") / "keys.toml")
    # Batches stay as they were made: one that ran on would run into the next test.
    changes = {"api_keys": file, "batches_at_once": 0}
    with Server(api_settings.model_copy(update=changes), keyed_jobs) as url:
        yield url


@pytest.fixture
def tenants(keyed_url: str, redis_url: str) -> Iterator[Tenants]:
    """Clients of a server that wants API keys: `tenants["acme"]`, `tenants[""]` without one."""
    tenants = Tenants(keyed_url)
    yield tenants
    tenants.close()


@pytest.fixture
def keyed_worker(redis_url: str, keyed_jobs: JobsSettings, models_file: Path) -> Iterator[Worker]:
    worker = Worker(Queue(redis_url), keyed_jobs, models_file)
    yield worker
    worker.close()


Job = dict[str, object]


@pytest.fixture
def texts() -> Callable[..., Job]:
    """A request to embed some texts."""

    def make(*texts: str, **fields: object) -> Job:
        tensor = {
            "name": "text",
            "shape": [len(texts)],
            "datatype": "BYTES",
            "data": list(texts),
        }
        return {"inputs": [tensor], **fields}

    return make
