"""What charts are drawn of: columns of one length, of the fleet or a model."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.jobs.fleet import view
from wherry.jobs.history import SERIES, sample
from wherry.jobs.keys import Keys


@pytest.fixture
def next_point(worker: Any) -> Any:
    """Write a point, as a keeper does in each slot, of which one has passed."""
    redis, jobs = worker.queue.redis, worker.jobs

    def write() -> None:
        counted = Keys(jobs.key_prefix).counted(SERIES[0].period_s)
        if redis.exists(counted):
            redis.hincrby(counted, "at", -10_000)
        worker.queue.run(sample(SERIES[0], worker.queue.run(view(jobs)), jobs))

    return write


def test_columns_of_the_fleet_and_of_a_model(http, worker, texts, next_point):
    worker.beat("text", served=["embedding/1", "fill-mask/1"], busy_share=0.25)
    next_point()
    for text in "abc":
        http.post("/v2/models/embedding/versions/1/jobs", json=texts(text))
    worker.serve()
    http.post("/v2/models/embedding/versions/1/jobs", json=texts("d"))
    next_point()
    next_point()
    fleet = http.get("/v2/history").json()
    assert (fleet["model"], fleet["period_s"], fleet["span_s"]) == (None, 10, 3600)
    columns = {name: column for name, column in fleet.items() if isinstance(column, list)}
    assert {len(column) for column in columns.values()} == {2}
    assert columns["waiting"] == [1, 1]
    assert columns["workers"] == [1, 1]
    assert columns["busy_share"] == [0.25, 0.25]
    assert 0.2 < columns["submitted_per_s"][0] <= 0.4
    assert columns["succeeded_per_s"][1] == 0
    assert columns["p50_ms"][0] <= columns["p99_ms"][0]
    assert columns["p99_ms"][1] is None
    mine = http.get("/v2/history?model=embedding&version=1").json()
    assert (mine["model"], mine["version"]) == ("embedding", "1")
    assert mine["at_ms"] == fleet["at_ms"]
    assert mine["succeeded_per_s"] == columns["succeeded_per_s"]
    assert "submitted_per_s" not in mine
    idle = http.get("/v2/history?model=fill-mask").json()
    assert (idle["succeeded_per_s"], idle["waiting"]) == ([0, 0], [0, 0])
    since = http.get(f"/v2/history?since_ms={fleet['at_ms'][0]}").json()
    assert since["at_ms"] == fleet["at_ms"][1:]


def test_nothing_is_known_of_a_day_that_has_not_been(http):
    day = http.get("/v2/history?period_s=60").json()
    assert (day["at_ms"], day["p99_ms"], day["span_s"]) == ([], [], 86_400)


@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ("period_s=1", 400, "period_s is 10 or 60"),
        ("since_ms=yesterday", 400, "since_ms"),
        ("model=nobody", 404, "nobody"),
    ],
)
def test_what_cannot_be_told_is_refused_by_name(http, query, status, word):
    answer = http.get(f"/v2/history?{query}")
    assert answer.status_code == status
    assert word in answer.text
