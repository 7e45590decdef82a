"""Models come and go while a fleet runs: no job is lost, refused or run twice by any of it."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.protocol.errors import ModelNotFound
from wherry.tasks.text.embedding import EmbeddingInput

from ..support.holding import held
from ..support.models import model
from ..support.waiting import until

CLIENTS = 32

#: What one of the models weighs of which three fit.
HEAVY = 32 << 20

TEXT = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}


@dataclass
class Live:
    """A fleet, and the models.toml that it reads."""

    stack: Stack
    file: Path
    hold: Path
    client: Client = field(init=False)
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.stack.url)
        self.http = httpx.Client(base_url=self.stack.url, timeout=60)

    def close(self) -> None:
        self.client.close()
        self.http.close()

    def reload(self, *models: str) -> dict[str, Any]:
        self.file.write_text("".join(models))
        return self.client.post("/v2/repository/reload", {})

    def version(self) -> str:
        answer = self.http.post("/v2/models/roll/infer", json=TEXT)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["model_version"])

    def asleep(self) -> list[str]:
        asleep: list[str] = self.worker()["asleep"]
        return asleep

    def worker(self) -> dict[str, Any]:
        worker: dict[str, Any]
        [worker] = self.client.get("/v2/queues")["workers"]
        return worker


def roll(version: str) -> str:
    return model("roll", "embedding", version=version, max_batch_size=4, weighs=1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    file = folder / "models.toml"
    file.write_text(roll("1"))
    env = {"WHERRY_MAX_MODEL_BYTES": str(3 * HEAVY)}
    with Stack(models=file, data_dir=folder, flower=False, env=env) as stack:
        place = Live(stack, file, folder / "hold")
        yield place
        place.close()


@pytest.fixture
def live(place: Live) -> Live:
    place.reload(roll("1"))
    return place


def test_a_version_is_rolled_under_many_clients_with_no_failed_request(live: Live) -> None:
    seen: Counter[str] = Counter()
    rolled, failed = threading.Event(), []

    def ask() -> None:
        try:
            while not rolled.is_set():
                seen[live.version()] += 1
            assert live.version() == "2"
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    until(lambda: seen["1"] >= CLIENTS)
    told = live.reload(roll("2"))
    assert (told["added"], told["removed"], told["done"]) == (["roll/2"], ["roll/1"], True)
    until(lambda: seen["2"] >= CLIENTS)
    rolled.set()
    for thread in threads:
        thread.join()
    assert failed == []
    # The old one is drained, then closed.
    until(lambda: "roll/1" in live.asleep())
    totals = live.client.get("/v2/queues")["totals"]
    assert (totals["waiting"], totals["running"], totals["requeued"]) == (0, 0, 0)


@pytest.mark.slow
def test_jobs_of_a_removed_model_are_answered_and_new_ones_refused(
    live: Live,
) -> None:
    other = model("other", "embedding")
    live.reload(roll("1"), model("gone", "embedding", hold=str(live.hold)), other)
    with held(live.hold) as let_go:
        jobs = [live.client.submit("gone", EmbeddingInput(texts=[str(n)])) for n in range(100)]
        live.reload(roll("1"), other)
        with pytest.raises(ModelNotFound):
            live.client.submit("gone", EmbeddingInput(texts=["late"]))
        assert "gone/1" not in live.asleep()
        let_go()
        assert all(live.client.result(job.id, 60) for job in jobs)
    until(lambda: "gone/1" in live.asleep())


def test_a_signal_to_the_stack_reaches_all(live: Live) -> None:
    live.file.write_text(roll("1") + model("signalled", "embedding"))
    worker = live.stack.children["worker-text"]
    assert worker.pid is not None
    ends = worker.ends
    os.kill(worker.pid, signal.SIGHUP)
    until(lambda: "signalled" in live.worker()["models"])
    assert live.client.infer("signalled", EmbeddingInput(texts=["a"]))
    live.file.write_text(roll("1"))
    live.stack.children["api"].signal(signal.SIGHUP)
    until(lambda: len(live.client.models()) == 1)
    assert worker.ends == ends


def resident(process: int | None) -> int:
    told = Path(f"/proc/{process}/status").read_text()
    [line] = [line for line in told.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) << 10


def test_ten_models_run_in_the_memory_of_three(live: Live) -> None:
    names = [f"m{number}" for number in range(10)]
    before = resident(live.stack.children["worker-text"].pid)
    live.reload(*(model(name, "embedding", weighs=HEAVY) for name in names))
    assert len(live.worker()["models"]) >= 10  # it serves them all
    # Whatever it takes, there would be room for two beside it for as long as it is not given back.
    until(lambda: "roll/1" not in live.worker()["model_bytes"])
    jobs = [
        live.client.submit(name, EmbeddingInput(texts=[f"{name} {n}"]))
        for n in range(5)
        for name in names
    ]
    most = 0
    for job in jobs:
        assert live.client.result(job.id, 60)
        most = max(most, resident(live.stack.children["worker-text"].pid))
    # It tells when it looks: one that is made counts with one that is given back.
    until(
        lambda: sum(taken > 0 for taken in live.worker()["model_bytes"].values()), lambda n: n == 3
    )
    assert most - before < 5 * HEAVY  # three, one that is made, one that is given back
    totals = live.client.get("/v2/queues")["totals"]
    assert (totals["failed"], totals["requeued"], totals["late"]) == (0, 0, 0)


def test_a_job_of_a_cold_model_says_when_it_should_start(live: Live) -> None:
    live.reload(
        *(model(f"c{n}", "embedding", weighs=HEAVY, hold=str(live.hold)) for n in range(4)),
    )
    cold = next(model_id for model_id in live.asleep() if model_id.startswith("c"))
    with held(live.hold) as let_go:
        job = live.client.submit(cold[:-2], EmbeddingInput(texts=["a"]))
        seen = until(lambda: live.client.status(job.id), lambda view: view.estimated_start_at)
        assert seen.status == "queued"
        assert seen.estimated_start_at
        assert seen.estimated_start_at > seen.created_at
        let_go()
        assert live.client.result(job.id, 60)


@pytest.mark.slow
def test_an_unloaded_model_gives_its_memory_back(live: Live) -> None:
    worker = live.stack.children["worker-text"]
    live.reload(roll("1"), model("heavy", "embedding", weighs=3 * HEAVY))
    assert live.client.infer("heavy", EmbeddingInput(texts=["a"]))
    full = resident(worker.pid)
    assert live.worker()["model_bytes"]["heavy/1"] == 3 * HEAVY
    told = {"bytes": 3 * HEAVY, "runtime": "stub"}  # as `wherry models` shows it
    until(live.client.models, lambda models: any(told.items() <= m.items() for m in models))
    live.client.post("/v2/repository/models/heavy/unload", {})
    refused = live.http.post("/v2/models/heavy/infer", json=TEXT)
    assert (refused.status_code, refused.json()["error_type"]) == (503, "model_not_ready")
    until(lambda: "heavy/1" not in live.worker()["model_bytes"])
    until(lambda: resident(worker.pid), lambda now: full - now > 2.5 * HEAVY)
    live.client.post("/v2/repository/models/heavy/load", {})
    assert live.client.infer("heavy", EmbeddingInput(texts=["a"]))


def test_a_family_that_is_new_gets_a_worker(live: Live) -> None:
    # The last: the others know of one worker.
    assert live.reload(roll("1"), model("seen", "image-classification"))["added"] == ["seen/1"]
    until(lambda: live.http.get("/v2/models/seen/ready").status_code == 200, timeout_s=60)
    assert {*live.stack.children} == {"api", "worker-text", "worker-vision"}
