"""Dead letters over HTTP and by command; the worker, which dies, is played by the test."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import typer
from typer.testing import CliRunner, Result

from wherry.client import dead_commands
from wherry.jobs.recover import reap

from ..conftest import WORKER

Kill = Callable[..., None]
Wherry = Callable[..., Result]


@pytest.fixture
def kill(http, worker, texts) -> Kill:
    """Submit jobs, under ids, that their worker does not survive."""

    def make(*ids: str, model: str = "embedding", text: str = "a", **fields: Any) -> None:
        for job_id in ids:
            request = texts(text, id=job_id, **fields)
            assert http.post(f"/v2/models/{model}/jobs", json=request).status_code == 202
        worker.claim()
        once = worker.jobs.model_copy(update={"max_attempts": 1})
        assert worker.queue.run(reap(WORKER, once, gone=True)).dead == len(ids)

    return make


@pytest.fixture
def wherry(api_url: str, monkeypatch: pytest.MonkeyPatch) -> Wherry:
    app = typer.Typer(pretty_exceptions_enable=False)
    dead_commands.register(app)
    app.command("other")(lambda: None)  # one command alone would lose its name
    monkeypatch.setenv("WHERRY_URL", api_url)

    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(app, ["dead", *arguments], env={"COLUMNS": "200"})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    return call


def ids_of(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


def test_they_are_listed_and_filtered(http, kill):
    kill("a", "b")
    kill("c", model="token-classification")
    assert ids_of(http.get("/v2/dead?limit=2"))[0] == "c"
    page = http.get("/v2/dead?limit=2").json()
    rest = http.get("/v2/dead", params={"limit": 2, "after": page["next"]})
    assert len(ids_of(rest)) == 1
    assert rest.json()["next"] is None
    assert rest.json()["total"] == 3
    assert ids_of(http.get("/v2/dead?model=token-classification")) == ["c"]
    assert sorted(ids_of(http.get("/v2/dead?error=died 1 times"))) == ["a", "b", "c"]
    assert ids_of(http.get("/v2/dead?error=nonsense")) == []
    assert http.get("/v2/dead?after=x").status_code == 400
    assert http.get("/v2/dead?limit=0").status_code == 400


@pytest.mark.parametrize("size", [1, 150_000], ids=["inline", "in the store"])
def test_one_shows_its_history_and_its_request_without_the_data(http, kill, size):
    kill("a/ö", text="secret" * size, parameters={"normalize": False})
    shown = http.get(f"/v2/dead/{quote('a/ö', safe='')}").json()
    assert shown.get("id") == "a/ö", shown
    assert [change["status"] for change in shown["history"]] == ["queued", "running", "failed"]
    assert (shown["attempt"], shown["worker"]) == (1, WORKER)
    assert shown["error"] == {
        "type": "worker_lost",
        "message": "the worker died 1 times while it ran this job",
    }
    asked = shown["request"]
    assert asked["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [1]}]
    assert asked["parameters"]["normalize"] is False
    assert asked["bytes"] > 6 * size
    assert "secret" not in json.dumps(shown)


def test_a_replayed_one_is_answered_under_its_id_with_its_history(http, kill, worker):
    kill("a")
    replayed = http.post("/v2/dead/a/replay")
    assert (replayed.status_code, replayed.json()["status"]) == (202, "queued")
    worker.serve()
    ended = http.get("/v2/jobs/a").json()
    assert [change["status"] for change in ended["history"]] == [
        *("queued", "running", "failed", "queued", "running", "succeeded"),
    ]
    assert http.get("/v2/jobs/a/result").json()["outputs"]
    assert ids_of(http.get("/v2/dead")) == []
    assert http.post("/v2/dead/a/replay").status_code == 409


def test_a_large_payload_outlives_death_and_replay_and_goes_with_a_drop(http, kill, worker):
    kill("a", "b", text="x" * 200_000)
    blobs = worker.jobs.store_dir
    before = sum(path.is_file() for path in blobs.rglob("*"))
    http.post("/v2/dead/a/replay")
    worker.serve()
    assert http.get("/v2/jobs/a").json()["status"] == "succeeded"
    assert http.delete("/v2/dead/b").json()["status"] == "failed"
    assert sum(path.is_file() for path in blobs.rglob("*")) == before - 1
    assert http.get("/v2/dead/b").status_code == 404
    assert http.get("/v2/jobs/b").json()["error"]["type"] == "worker_lost"
    assert http.delete("/v2/dead/b").status_code == 409


def test_unknown_ones_are_not_found(http, worker):
    for method, path in (
        ("GET", "/v2/dead/x"),
        ("POST", "/v2/dead/x/replay"),
        ("DELETE", "/v2/dead/x"),
    ):
        assert http.request(method, path).status_code == 404


def test_many_are_replayed_and_dropped_by_filter(http, kill, worker):
    kill("a", "b", "c")
    kill("d", model="token-classification")
    page = http.post("/v2/dead:replay?model=embedding&limit=2").json()
    assert len(page["replayed"]) == 2
    page = http.post("/v2/dead:replay", params={"model": "embedding", "after": page["next"]})
    assert len(page.json()["replayed"]) == 1
    assert http.post("/v2/dead:drop?error=worker_lost").json() == {"dropped": ["d"], "next": None}
    assert sum(iter(worker.serve, 0)) == 3, "each alone"


def test_the_commands_list_show_replay_and_drop(wherry, kill, worker, http):
    kill("a", "b", "c")
    kill("d", model="token-classification")
    listed = wherry("list")
    assert "4 of 4 dead letters" in listed.stdout
    rows = [json.loads(line) for line in wherry("list", "--all", "--json").stdout.splitlines()]
    assert [row["id"] for row in rows] == ids_of(http.get("/v2/dead"))
    shown = json.loads(wherry("show", "a", "--json").stdout)
    assert shown["request"]["inputs"][0]["name"] == "text"
    assert wherry("replay", "a").stdout == "replayed 1\n"
    dropped = wherry("drop", "--model", "token-classification", "--json")
    assert json.loads(dropped.stdout) == {"id": "d", "done": "dropped"}
    assert wherry("replay", "--all").stdout == "replayed 2\n"
    assert sum(iter(worker.serve, 0)) == 3, "each alone"
    assert "no dead letters" in wherry("list").stdout


def test_a_command_that_names_nothing_or_too_much_is_refused(wherry, kill):
    kill("a")
    assert wherry("drop").exit_code == 2
    assert wherry("drop", "a", "--all").exit_code == 2
    missing = wherry("show", "x")
    assert (missing.exit_code, missing.stderr) == (1, "error: no job 'x'\n")
    assert "1 of 1" in wherry("list").stdout
