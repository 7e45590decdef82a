"""APIs and workers of the version before share a Redis with this one's, and no job is lost.

The version before is a commit of this repository's history, in a folder and an environment of its
own: an upgrade meets its data in Redis, its tickets and its heartbeats.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wherry.client import Client, JobView
from wherry.jobs import JobsSettings, Queue
from wherry.jobs.read import read
from wherry.ops.child import Child
from wherry.ops.ports import free_port
from wherry.ops.redis_server import RedisServer
from wherry.ops.services import api_command, worker_command
from wherry.protocol.states import JobState
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.text.text_generation import TextGenerationInput

from ..support.waiting import until

pytestmark = pytest.mark.slow

#: The last commit before records were made compact.
BEFORE = "58e8c1c"

ROOT = Path(__file__).parents[2]

MODELS = """
[[models]]
name = "embedding"
task = "embedding"
backend = "stub"
max_batch_size = 4
parameters = { delay_s = 0.05 }

[[models]]
name = "text-generation"
task = "text-generation"
backend = "stub"
parameters = { words = 3 }
"""

#: Text enough for the blob store, and little.
TEXTS = [f"row {number} " * (3000 if number % 10 == 0 else 1) for number in range(120)]


@pytest.fixture(scope="module")
def python_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the version before, with the packages of ours."""
    folder = tmp_path_factory.mktemp("before")
    tree, own = folder / "tree", folder / "venv"
    packed = subprocess.run(["git", "-C", ROOT, "archive", BEFORE], capture_output=True)
    if packed.returncode:
        pytest.skip(f"this checkout has no history: {packed.stderr.decode()}")
    tree.mkdir()
    subprocess.run(["tar", "-x", "-C", tree], input=packed.stdout, check=True)
    venv.create(own, symlinks=True)
    python = own / "bin" / "python"
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    ours = [path for path in sys.path if Path(path).name == "site-packages"]  # not our sources
    paths = (tree / "src", *ours)
    Path(packages, "paths.pth").write_text("".join(f"{path}\n" for path in paths))
    return python


@dataclass
class Fleet:
    """Services of two versions, one by one, on one Redis and one blob store."""

    redis_url: str
    folder: Path
    pythons: dict[str, Path]
    #: Whether it was told some time ago that the version before is to read what it writes.
    goes_back: bool = False
    children: list[Child] = field(default_factory=list)
    #: What they print, for whoever reads a failure.
    lines: list[str] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)

    def _start(self, version: str, name: str, command: list[str]) -> Child:
        python = self.pythons.get(version)
        env = {
            **os.environ,
            "WHERRY_REDIS_URL": self.redis_url,
            "WHERRY_STORE_DIR": str(self.folder / "blobs"),
            "WHERRY_MODELS": str(self.folder / "models.toml"),
            "WHERRY_INLINE_MAX_BYTES": "10000",
            "WHERRY_LEASE_TTL_S": "5",
            "WHERRY_COMPACT_RECORDS": str(not self.goes_back),
        }
        if python:
            command = [str(python) if word == sys.executable else word for word in command]
        child = Child(name, command, env=env, on_line=self.lines.append)
        self.children.append(child)
        child.start()
        return child

    def api(self, version: str) -> tuple[Child, Client]:
        port = free_port()
        child = self._start(version, f"api-{version}", api_command(port))
        client = Client(f"http://127.0.0.1:{port}", patience_s=60)
        self.clients.append(client)
        return child, client

    def worker(self, version: str, number: int) -> Child:
        return self._start(version, f"worker-{version}", worker_command("text", number))

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        for child in self.children:
            child.begin_stop()
        for child in self.children:
            child.stop(30)


@pytest.fixture
def fleet(tmp_path: Path, python_before: Path) -> Iterator[Fleet]:
    (tmp_path / "models.toml").write_text(MODELS)
    with RedisServer(tmp_path / "redis") as redis:
        fleet = Fleet(redis.url, tmp_path, {"before": python_before})
        try:
            yield fleet
        finally:
            fleet.stop()


def together(client: Client) -> dict[str, list[float]]:
    """What each text's vector is."""
    answer = client.infer("embedding", EmbeddingInput(texts=TEXTS))
    assert isinstance(answer, EmbeddingOutput)
    return dict(zip(TEXTS, answer.embeddings, strict=True))


def answered(client: Client, jobs: Iterable[JobView]) -> list[list[float]]:
    answers = [client.result(job.id, timeout_s=60) for job in jobs]
    return [vector for a in answers if isinstance(a, EmbeddingOutput) for vector in a.embeddings]


def submitted(client: Client, texts: Iterable[str]) -> list[JobView]:
    return [client.submit("embedding", EmbeddingInput(texts=[text])) for text in texts]


@pytest.mark.parametrize(("first", "then"), [("before", "now"), ("now", "before")])
def test_one_version_goes_on_where_the_other_stopped(fleet: Fleet, first: str, then: str) -> None:
    fleet.goes_back = first == "now"
    api, client = fleet.api(first)
    worker = fleet.worker(first, 0)
    done = submitted(client, TEXTS[:40])
    assert len(answered(client, done)) == 40
    worker.begin_stop()
    worker.stop(30)
    waiting = submitted(client, TEXTS[40:])
    assert {client.status(job.id).status for job in waiting} == {JobState.QUEUED}
    api.begin_stop()
    api.stop(30)

    _, client = fleet.api(then)
    fleet.worker(then, 1)
    vectors = together(client)
    assert answered(client, done + waiting) == [vectors[t] for t in TEXTS]
    assert {client.status(job.id).attempt for job in done + waiting} == {1}
    totals = client.get("/v2/queues")["totals"]
    assert (totals["submitted"], totals["succeeded"]) == (len(TEXTS) + 1, len(TEXTS) + 1)


def test_both_versions_serve_one_fleet_and_die_in_it(fleet: Fleet) -> None:
    apis = [fleet.api(version)[1] for version in ("before", "now")]
    workers = [fleet.worker(version, number) for number, version in enumerate(("before", "now"))]
    vectors = together(apis[0])
    jobs = []
    for number, text in enumerate(TEXTS):
        jobs += submitted(apis[number % 2], [text])
        if number in (40, 80):
            pid = workers[number // 80].pid
            if pid:
                os.kill(pid, signal.SIGKILL)
    for client in apis:
        assert answered(client, jobs) == [vectors[text] for text in TEXTS]
        assert {client.status(job.id).status for job in jobs} == {JobState.SUCCEEDED}


def test_a_worker_of_the_version_before_leaves_mixed_jobs_to_others(fleet: Fleet) -> None:
    """It would run all of a batch as the first of its jobs asks."""
    _, client = fleet.api("now")
    ours = fleet.worker("now", 0)
    queue = Queue(fleet.redis_url)

    def ask(tokens: int) -> JobView:
        asked = TextGenerationInput(texts=["a boat"], max_new_tokens=tokens)
        return client.submit("text-generation", asked)

    def is_mixed(job: JobView) -> bool:
        record = queue.run(read([job.id], JobsSettings(redis_url=fleet.redis_url)))[0]
        return record is not None and record.group.mixed

    until(lambda: is_mixed(ask(9)), timeout_s=30)
    ours.begin_stop()
    ours.stop(30)
    waiting = [ask(tokens) for tokens in (7, 8)]
    assert all(map(is_mixed, waiting))

    fleet.worker("before", 1)
    together(client)  # it lives, and serves what it can
    until(lambda: not is_mixed(ask(9)), timeout_s=30)
    client.result(ask(9).id, timeout_s=60)
    assert {client.status(job.id).status for job in waiting} == {JobState.QUEUED}

    fleet.worker("now", 2)
    for job in waiting:
        client.result(job.id, timeout_s=60)
    queue.close()
