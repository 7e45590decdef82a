"""`wherry workers`, `drain`, `load`, `jobs` and `cancel` by kind, against real workers."""

from __future__ import annotations

import json
import operator
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

import wherry
from wherry.client import AsyncClient, Client, fleet_commands, job_commands
from wherry.jobs import JobsSettings, Queue
from wherry.jobs.run_workers import run_workers
from wherry.ops.doctor import command as doctor_command
from wherry.ops.stack import Stack
from wherry.protocol.errors import NotFound
from wherry.protocol.states import JobState

from ..support.waiting import until
from .conftest import classify, embed

Wherry = Callable[..., Result]

APP = typer.Typer(pretty_exceptions_enable=False)
for room in (job_commands, fleet_commands):
    room.register(APP)


@pytest.fixture
def call(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Wherry:
    """The command, pointed at the stack."""
    monkeypatch.setenv("WHERRY_URL", stack.url)

    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(APP, list(arguments), env={"COLUMNS": "200"})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    return call


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def of_family(client: Client, family: str) -> dict[str, Any]:
    [found] = [w for w in client.workers.list() if w["families"] == [family] and w["alive"]]
    return found


@pytest.fixture
def text(client: Client) -> Iterator[dict[str, Any]]:
    """The worker of the family text, which serves again afterwards."""
    worker = of_family(client, "text")
    yield worker
    client.workers.undrain(worker["node"])
    until(lambda: of_family(client, "text")["state"] == "ready", timeout_s=30)


def test_workers_shows_what_each_serves_and_its_version(call: Wherry, client: Client) -> None:
    node = of_family(client, "text")["node"]
    # A run worker is shown once it has said that it lives: no readiness waits for that.
    shown = until(lambda: call("workers").stdout, lambda told: "runs-0@" in told)
    assert node in shown
    assert wherry.__version__ in shown
    assert "embedding" in shown
    assert "several versions" not in shown
    [document] = lines(call("workers", "--json"))
    assert {"workers", "apis", "at"} == document.keys()


def test_a_drained_worker_finishes_and_claims_no_more(
    call: Wherry, client: Client, text: dict[str, Any]
) -> None:
    drained = call("drain", text["node"], "--wait", "--timeout", "30")
    assert (drained.exit_code, drained.stdout) == (0, f"{text['node']}: drained\n")
    job = client.submit("embedding", embed("a boat"))
    assert f"wherry undrain {text['node']}" in call("workers").stdout
    assert client.get("/v2/queues")["totals"]["waiting"] >= 1
    assert client.status(job.id).status == JobState.QUEUED
    assert call("undrain", text["node"]).exit_code == 0
    assert client.wait(job.id, 30).status == JobState.SUCCEEDED


def test_what_runs_on_it_is_waited_for(
    call: Wherry, client: Client, let_go: Callable[[], None]
) -> None:
    vision = of_family(client, "vision")["node"]
    job = client.submit("slow", classify(b"a"))
    until(lambda: client.status(job.id).status == JobState.RUNNING, timeout_s=30)
    try:
        late = call("drain", vision, "--wait", "--timeout", "0.2", "--json")
        [told] = lines(late)
        assert (late.exit_code, told["error_type"]) == (1, "deadline_exceeded")
        let_go()
        assert call("drain", vision, "--wait").exit_code == 0
        assert client.status(job.id).status == JobState.SUCCEEDED
    finally:
        client.workers.undrain(vision)


def test_one_that_is_to_end_makes_room_for_another_that_serves(
    call: Wherry, client: Client, text: dict[str, Any]
) -> None:
    assert call("drain", text["id"], "--end", "--wait").exit_code == 0
    until(
        lambda: any(
            w["families"] == ["text"] and w["id"] != text["id"] and w["state"] == "ready"
            for w in client.workers.list()
        ),
        timeout_s=60,
    )
    assert client.result(client.submit("embedding", embed("a")).id, 30)


def test_a_name_that_is_none_stops_no_other(
    call: Wherry, text: dict[str, Any], client: Client
) -> None:
    done = call("drain", "text-9@nowhere", text["node"], "--json")
    wrong, right = lines(done)
    assert (done.exit_code, wrong["error_type"]) == (1, "not_found")
    assert right == {"name": text["node"], "done": "drains"}
    with pytest.raises(NotFound, match=text["node"]):
        client.workers.drain("text-9@nowhere")


@pytest.mark.anyio
async def test_asyncio_code_drains_too(stack: Stack, text: dict[str, Any]) -> None:
    async with AsyncClient(stack.url) as client:
        assert (await client.workers.drain(text["node"]))["workers"] == [text["id"]]
        await client.workers.wait_drained(text["node"], 30)


def test_a_model_is_closed_and_opened(call: Wherry, client: Client) -> None:
    def states() -> dict[str, str]:
        return {entry["name"]: entry["state"] for entry in client.models()}

    assert call("unload", "embedding").stdout == "embedding: unloaded\n"
    try:
        assert states()["embedding"] == "UNAVAILABLE"
    finally:
        loaded = call("load", "embedding", "no-such-model")
    assert (loaded.exit_code, states()["embedding"]) == (1, "READY")
    assert "no-such-model" in loaded.stderr


@pytest.fixture
def waiting(client: Client, let_go: Callable[[], None]) -> Iterator[list[str]]:
    """Jobs of a model that answers nobody: one runs, the others wait."""
    jobs = [client.submit("slow", classify(b"a"), id=f"w-{uuid.uuid4()}") for _ in range(4)]
    until(lambda: client.status(jobs[0].id).status == JobState.RUNNING, timeout_s=30)
    yield [job.id for job in jobs]
    let_go()
    for job in jobs:  # or the next test's would wait behind them, held
        client.wait(job.id, 30)


def test_jobs_are_listed_by_state_model_age_and_error(
    call: Wherry, client: Client, waiting: list[str], let_go: Callable[[], None]
) -> None:
    def ids(*options: str) -> set[str]:
        return {job["id"] for job in lines(call("jobs", "--json", *options))}

    assert ids("--model", "slow", "--status", "queued") == set(waiting[1:])
    assert ids("--model", "slow", "--status", "running") >= {waiting[0]}
    assert ids("--model", "slow", "--newer-than", "1h", "--limit", "1") <= set(waiting)
    assert ids("--model", "slow", "--older-than", "1h") == set()
    let_go()  # the worker has one thread
    bad = client.submit("image-classification", classify(b"REJECT"))
    client.wait(bad.id, 30)
    assert bad.id in ids("--error", "invalid_row")
    shown = call("jobs", "--error", "invalid_row").stdout
    assert bad.id in shown
    assert "invalid_row" in shown
    assert call("jobs", "--tenant", "nobody").stdout == "no jobs of this kind\n"
    mistyped = call("jobs", "--model", "slwo")
    assert mistyped.exit_code == 1
    assert "there is no model 'slwo'; there are " in mistyped.stderr


def test_a_job_is_shown_with_its_history(call: Wherry, client: Client) -> None:
    job = client.submit("embedding", embed("a"))
    client.wait(job.id, 30)
    shown = call("jobs", job.id).stdout
    assert all(word in shown for word in (job.id, "queued", "running", "succeeded", "text-0@"))
    assert lines(call("jobs", job.id, "--json"))[0]["id"] == job.id


def test_many_are_canceled_by_what_they_are(
    call: Wherry, client: Client, waiting: list[str]
) -> None:
    other = client.submit("embedding", embed("a"))
    dry = call("cancel", "--model", "slow", "--status", "queued", "--dry-run")
    assert dry.stdout.endswith("3 would be canceled\n")
    assert {client.status(job_id).status for job_id in waiting[1:]} == {JobState.QUEUED}

    done = call("cancel", "--model", "slow", "--status", "queued", "--json")
    assert {job["id"] for job in lines(done)} == set(waiting[1:])
    assert {client.status(job_id).status for job_id in waiting[1:]} == {JobState.CANCELED}
    running = call("cancel", "--model", "slow", "--newer-than", "1h").stdout
    assert running == "canceled 0; 1 when their batches end\n"
    assert client.wait(other.id, 30).status == JobState.SUCCEEDED


def test_the_doctor_finds_nothing_wrong_with_a_stack_that_is_well(
    stack: Stack, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = typer.Typer()
    doctor_command.register(app)
    monkeypatch.setenv("WHERRY_REDIS_URL", stack.redis_url)
    monkeypatch.setenv("WHERRY_STORE_DIR", str(stack.data_dir / "blobs"))
    monkeypatch.setenv("WHERRY_URL", stack.url)
    until(lambda: all(w["state"] == "ready" for w in client.workers.list()), timeout_s=30)
    done = CliRunner().invoke(app, ["--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    # What other tests left, and this machine's disk, are no fault of a stack's.
    left = {"dead-letters", "webhooks-failed", "disk"}
    assert [each for each in told["findings"] if each["check"] not in left] == []
    assert {each["kind"] for each in told["processes"]} == {"worker", "run worker", "api"}
    assert {each["version"] for each in told["processes"]} == {wherry.__version__}


def test_a_drained_run_worker_takes_no_steps(
    stack: Stack, call: Wherry, client: Client, tmp_path: Path
) -> None:
    node = of_family(client, "runs")["node"]
    queue, settings = Queue(stack.redis_url), JobsSettings()

    def looks() -> int:
        """When it looked last whether steps wait."""
        return max(int(info["seen_at_ms"]) for info in queue.run(run_workers(settings)).values())

    (tmp_path / "texts.txt").write_text("One.\nTwo.\n")
    try:
        assert call("drain", node, "--wait", "--timeout", "30").exit_code == 0
        run = client.runs.start(tmp_path / "texts.txt", model="embedding")
        assert of_family(client, "runs")["state"] == "draining"
        for _ in range(2):
            until(looks, partial(operator.lt, looks()), timeout_s=30)
        assert client.runs.get(run.id).state == "queued"
    finally:
        client.workers.undrain(node)
        queue.close()
    assert client.runs.wait(run.id, 60).state == "succeeded"
