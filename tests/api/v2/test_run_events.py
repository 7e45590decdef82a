"""Runs as they change, by server-sent events."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest

from wherry.api.v2 import run_events

from .run_books import answered

ASKED = {"source": "/data/photos", "model": "image-classification"}


class Heard:
    """Events of a stream, one at a time."""

    def __init__(self, answer):
        assert answer.status_code == 200
        self._lines = answer.iter_lines()

    def next(self):
        """The next event's kind and data; None at the end."""
        kind = ""
        for line in self._lines:
            if line.startswith("event:"):
                kind = line[7:]
            elif line.startswith("data:"):
                return kind, json.loads(line[6:])
        return None

    def until(self, wanted):
        """Read on to an event that is wanted."""
        while (found := self.next()) is not None:
            if wanted(found[1]):
                return found[1]
        raise AssertionError("the stream ended")


@contextmanager
def listening(http, path, headers=None):
    with http.stream("GET", path, headers=headers or {}) as answer:
        yield Heard(answer)


def test_a_run_is_told_of_until_its_end(http, runs):
    http.post("/v2/runs", json={**ASKED, "id": "r"})
    with listening(http, "/v2/runs/r/events") as heard:
        kind, first = heard.next()
        assert (kind, first["id"], first["state"]) == ("run", "r", "queued")
        runs.plan(1)
        heard.until(lambda run: run["state"] == "running")
        runs.shard([answered(0, ("cat", 1.0))])
        runs.merge({"a.jsonl": b"{}\n"})
        last = heard.until(lambda run: run["state"] == "succeeded")
        assert last["rows"]["answered"] == 1
        assert heard.next() is None


def test_a_stream_of_an_ended_run_tells_that_and_ends(http, runs):
    http.post("/v2/runs", json={**ASKED, "id": "r"})
    http.post("/v2/runs/r/cancel")
    with listening(http, "/v2/runs/r/events") as heard:
        assert heard.next()[1]["state"] == "canceled"
        assert heard.next() is None


def test_a_stream_ends_with_its_run(http, runs):
    http.post("/v2/runs", json={**ASKED, "id": "r"})
    http.post("/v2/runs", json={**ASKED, "id": "other"})
    with listening(http, "/v2/runs/other/events") as heard:
        heard.next()
        http.post("/v2/runs/other/cancel")
        http.delete("/v2/runs/other")
        while heard.next() is not None:
            pass


def test_all_runs_are_told_of(http, runs):
    with listening(http, "/v2/runs:events") as heard:
        assert heard.next() == ("runs", {"runs": []})
        http.post("/v2/runs", json={**ASKED, "id": "r"})
        heard.until(lambda told: [run["id"] for run in told["runs"]] == ["r"])
        http.post("/v2/runs/r/cancel")
        heard.until(lambda told: [run["state"] for run in told["runs"]] == ["canceled"])


def test_what_a_tenant_hears_is_its_own(tenants):
    with listening(tenants["acme"], "/v2/runs:events") as heard:
        heard.next()
        tenants["beta"].post("/v2/runs", json={**ASKED, "id": "theirs"})
        tenants["acme"].post("/v2/runs", json={**ASKED, "id": "mine"})
        told = heard.until(lambda told: told["runs"])
        assert [run["id"] for run in told["runs"]] == ["mine"]


@pytest.mark.parametrize("path", ["/v2/runs:events", "/v2/runs/r/events"])
def test_a_stream_ends_with_its_key(tenants, path):
    admin = tenants["admin"]
    fields = {"tenant": "acme", "scopes": ["submit", "read"]}
    made = admin.post("/v2/keys", json=fields).json()
    tenants["acme"].post("/v2/runs", json={**ASKED, "id": "r"})
    headers = {"Authorization": f"Bearer {made['key']}"}
    with listening(tenants[""], path, headers) as heard:
        heard.next()
        assert admin.delete(f"/v2/keys/{made['id']}").status_code == 204
        told = heard.until(lambda told: "error" in told)
        assert told["error_type"] == "unauthorized"
        assert heard.next() is None


def test_streams_are_few_enough_to_look_into_redis(http, monkeypatch):
    monkeypatch.setattr(run_events, "_MOST_STREAMS", 1)
    with listening(http, "/v2/runs:events") as heard:
        heard.next()
        assert http.get("/v2/runs:events").status_code == 429
