"""A long run over an endpoint that says 429, dies, and comes back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import redis

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.protocol.errors import RowError
from wherry.protocol.states import JobState
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.tasks.text.text_generation import TextGenerationInput

from ..support.flaky import Flaky
from ..support.models import model
from ..support.receiver import Receiver, status
from ..support.waiting import until

pytestmark = [pytest.mark.timeout(300)]

ENV = {
    "WHERRY_ENDPOINT_HOSTS": "127.0.0.1:*",
    "WHERRY_ENDPOINT_SCHEMES": "http",
    "WHERRY_OUTBOUND_NETWORKS": "127.0.0.1/32",
    "WHERRY_LEASE_TTL_S": "5",
}


def fleet(folder: Path, url: str, *, per_day: float = 0.0, **env: str) -> Stack:
    """One that may spend so much a day; a token costs 1."""
    models = folder / "models.toml"
    writer = model(
        "writer",
        "text-generation",
        backend="endpoint",
        source=url,
        protocol="openai",
        model="m",
        price_in=1e6,
        price_out=1e6,
        spend_per_day=per_day,
    )
    models.write_text(writer + model("embedding"))
    return Stack(models=models, data_dir=folder, flower=False, env={**ENV, **env})


def annotated(stack: Stack, source: Path, out: Path) -> tuple[int, dict[str, int]]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "wherry.ops.cli", "annotate", str(source)),
            *("--model", "writer", "--out", str(out), "--url", stack.url, "--json"),
        ],
        stdout=subprocess.PIPE,
        check=False,
        timeout=240,
    )
    found: dict[str, int] = json.loads(done.stdout)
    return done.returncode, found


def written(path: Path, rows: int) -> Path:
    with path.open("w") as source:
        for number in range(rows):
            text = f"row {number}" + (" BAD" if number % 500 == 250 else "")
            source.write(json.dumps({"id": f"r{number}", "text": text}) + "\n")
    return path


@pytest.mark.slow
def test_every_row_is_answered_once_over_a_server_that_objects_and_dies_twice(
    tmp_path: Path,
) -> None:
    rows = 2000
    source = written(tmp_path / "rows.jsonl", rows)
    out = tmp_path / "out.jsonl"
    with (
        Flaky(tmp_path, [400, 700, 0], busy_every=40, gone_s=2.0) as flaky,
        fleet(tmp_path, flaky.url) as stack,
    ):
        exit_status, summary = annotated(stack, source, out)
        answered = Counter(flaky.answered())
    assert flaky.deaths == 2
    assert exit_status == 1, "the bad rows failed, as they should"
    assert (summary["rows"], summary["failed"]) == (rows, 4)
    found = [json.loads(line) for line in out.read_text().splitlines()]
    good = [f"row {number}" for number in range(rows) if number % 500 != 250]
    told = [row["text"] for row in found]
    assert told == [f"answer to {text}" for text in good], "each once, in order"
    errors = (tmp_path / "out.jsonl.errors.jsonl").read_text()
    assert errors.count("the endpoint answered 400: a bad prompt") == 4
    assert set(answered) == set(good), "each was answered by the server"
    # What was under way when it died was answered twice, and nothing else was.
    assert sum(answered.values()) - len(good) <= 2 * 64


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[tuple[Stack, Flaky]]:
    flaky = Flaky(tmp_path, [0], busy_every=0, gone_s=0)
    with fleet(tmp_path, flaky.url) as stack:
        yield stack, flaky


def test_a_server_that_is_away_is_told_and_its_jobs_wait(stack: tuple[Stack, Flaky]) -> None:
    fleet, flaky = stack
    with Client(fleet.url) as client:

        def entry(name: str) -> dict[str, str]:
            return next(each for each in client.models() if each["name"] == name)

        away = until(lambda: entry("writer"), lambda told: told["state"] == "UNAVAILABLE")
        assert "its endpoint is away: host '127.0.0.1': no connection" in away["reason"]
        assert entry("embedding")["state"] == "READY"
        job = client.submit("writer", TextGenerationInput(texts=["early"]))
        assert client.infer("embedding", EmbeddingInput(texts=["beside it"]), 60)
        assert client.status(job.id).status == "queued"
        with flaky:
            assert "answer to early" in str(client.result(job.id, 60))
            until(lambda: entry("writer"), lambda told: told["state"] == "READY")
            with pytest.raises(RowError, match="the endpoint answered 400: a bad prompt"):
                client.infer("writer", TextGenerationInput(texts=["BAD"]), 60)


def test_a_days_money_is_spent_once_whatever_is_started_anew(tmp_path: Path) -> None:
    with (
        Flaky(tmp_path, [0], busy_every=0, gone_s=0) as flaky,
        fleet(tmp_path, flaky.url, per_day=12.0) as stack,
        Client(stack.url) as client,
    ):

        def why() -> str:
            return next(str(each["reason"]) for each in client.models() if each["name"] == "writer")

        for number in range(3):  # each costs 5
            client.infer("writer", TextGenerationInput(texts=[f"{number}"]), 60)
        until(why, lambda told: "what may be spent in a day is spent" in told)
        late = client.submit("writer", TextGenerationInput(texts=["late"]))
        # What the worker has not told yet goes with it.
        with redis.Redis.from_url(stack.redis_url) as told:
            [day] = told.scan_iter("wherry:spent:*")
            until(lambda: float(str(told.get(day), "ascii")), lambda sum_: sum_ == 15)
        stack.kill_worker("text")
        until(why, lambda told: "no worker serves it now" in told or not told)
        until(why, lambda told: "what may be spent in a day is spent" in told)
        assert client.status(late.id).status == "queued"
        assert "late" not in flaky.answered()


class Held:
    """A server that answers nobody until it is let go."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        choice = {"index": 0, "text": "at last", "finish_reason": "stop"}
        self._body = json.dumps({"choices": [choice]}).encode()
        receiver.answers["/v1/models"] = status(200, b"{}")
        receiver.answers["/v1/completions"] = self._answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.receiver.port}/v1"

    @property
    def asked(self) -> int:
        return sum(asked.path == "/v1/completions" for asked in self.receiver.asked)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.receiver.open.wait()
        status(200, self._body)(handler)


@pytest.fixture
def held() -> Iterator[Held]:
    receiver = Receiver()
    yield Held(receiver)
    receiver.close()


def test_a_slow_server_keeps_no_thread_of_its_family(tmp_path: Path, held: Held) -> None:
    with fleet(tmp_path, held.url) as stack, Client(stack.url) as client:
        jobs = [
            client.submit("writer", TextGenerationInput(texts=[f"{number}"]))
            for number in range(30)
        ]
        until(lambda: held.asked, lambda asked: asked == 4)
        for number in range(10):
            assert client.infer("embedding", EmbeddingInput(texts=[f"{number}"]), 60)
        states = [client.status(job.id).status for job in jobs]
        assert states.count(JobState.SUCCEEDED) == 0
        assert 4 <= states.count(JobState.RUNNING) <= 10, "two windows, and a batch more"
        held.receiver.open.set()
        assert all("at last" in str(client.result(job.id, 60)) for job in jobs)


@pytest.mark.slow
def test_a_worker_that_is_told_to_stop_gives_back_what_its_server_owes(
    tmp_path: Path, held: Held
) -> None:
    with (
        fleet(tmp_path, held.url, WHERRY_DRAIN_TIMEOUT_S="1") as stack,
        Client(stack.url) as client,
    ):
        jobs = [
            client.submit("writer", TextGenerationInput(texts=[f"{number}"])) for number in range(6)
        ]
        until(lambda: held.asked, lambda asked: asked == 4)
        stack.worker("text").signal(signal.SIGTERM)
        until(lambda: held.asked, lambda asked: asked == 8)
        held.receiver.open.set()
        for job in jobs:
            assert "at last" in str(client.result(job.id, 60))
            assert client.status(job.id).attempt == 1, "what was given back does not count"
