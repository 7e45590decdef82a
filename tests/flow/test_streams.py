"""Tokens from a worker to a client, through Redis, while the text is still being written."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from wherry.ops.stack import Stack

from ..support.waiting import until

WORDS = 40


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        yield http


def events(response: httpx.Response) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Id, kind and data of each event."""
    place = kind = ""
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            place = value
        elif name == "event":
            kind = value
        elif name == "data":
            yield place, kind, json.loads(value)


def submit(http: httpx.Client, text: str) -> str:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    body = {"inputs": [tensor], "parameters": {"stream": True}}
    accepted = http.post("/v2/models/writer/jobs", json=body)
    assert accepted.status_code == 202, accepted.text
    job_id: str = accepted.json()["id"]
    return job_id


def whole(http: httpx.Client, text: str) -> dict[str, Any]:
    answer = http.post("/v2/models/writer/generate", json={"text_input": text})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_text_comes_in_pieces_and_ends_with_its_reason(http: httpx.Client) -> None:
    asked = {"text_input": "hi", "id": "mine", "parameters": {"max_new_tokens": 64}}
    started, arrivals = time.monotonic(), []
    with http.stream("POST", "/v2/models/writer/generate_stream", json=asked) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        pieces = []
        for _, _, data in events(response):
            pieces.append(data)
            arrivals.append(time.monotonic() - started)
    assert "".join(piece["text_output"] for piece in pieces) == whole(http, "hi")["text_output"]
    assert {piece["id"] for piece in pieces} == {"mine"}
    assert len(pieces) > 10, "it came while it was written"
    assert pieces[-1]["finish_reason"] == "length"
    assert pieces[-1]["completion_tokens"] == WORDS
    assert arrivals[0] < arrivals[-1] / 2


def test_jobs_that_run_together_stream_apart(http: httpx.Client) -> None:
    ids = [submit(http, text) for text in ("a", "b", "c")]
    for job_id, text in zip(ids, "abc", strict=True):
        with http.stream("GET", f"/v2/jobs/{job_id}/stream") as response:
            seen = list(events(response))
        assert seen[-1][1:] == ("succeeded", {"id": job_id, "status": "succeeded"})
        said = "".join(data["text"] for _, kind, data in seen if kind == "tokens")
        assert said == whole(http, text)["text_output"]


def test_a_broken_connection_goes_on_where_it_was(http: httpx.Client) -> None:
    job_id = submit(http, "again")
    first: list[tuple[str, str, dict[str, Any]]] = []
    with http.stream("GET", f"/v2/jobs/{job_id}/stream") as response:
        for event in events(response):
            first.append(event)
            if len(first) == 3:
                break
    last = {"Last-Event-ID": first[-1][0]}
    with http.stream("GET", f"/v2/jobs/{job_id}/stream", headers=last) as response:
        rest = list(events(response))
    with http.stream("GET", f"/v2/jobs/{job_id}/stream") as response:
        replayed = list(events(response))
    assert first + rest == replayed
    ids = [t["id"] for _, kind, data in replayed if kind == "tokens" for t in data["tokens"]]
    assert ids == list(range(WORDS)), "each token once"


def test_who_leaves_cancels_what_only_they_knew(http: httpx.Client) -> None:
    asked = {"text_input": "leaving", "parameters": {}}
    with http.stream("POST", "/v2/models/writer/generate_stream", json=asked) as response:
        next(response.iter_lines())
    newest = until(
        lambda: http.get("/v2/jobs", params={"model": "writer", "limit": 1}).json()["jobs"][0],
        lambda job: job["status"] == "canceled",
    )
    history = [change["status"] for change in newest["history"]]
    assert history == ["queued", "running", "canceled"]


def test_a_worker_killed_amid_a_text_is_not_noticed(stack: Stack, http: httpx.Client) -> None:
    asked = {"text_input": "kill me"}
    text, killed = "", False
    with http.stream("POST", "/v2/models/writer/generate_stream", json=asked) as response:
        for _, _, data in events(response):
            assert "error" not in data, data
            text += data["text_output"]
            if len(text.split()) > 5 and not killed:
                killed = True
                stack.kill_worker("text")
    assert killed
    assert text == whole(http, "kill me")["text_output"]
    [job] = [
        job
        for job in http.get("/v2/jobs", params={"model": "writer", "limit": 5}).json()["jobs"]
        if job["attempt"] == 2
    ][:1]
    assert job["status"] == "succeeded"


@pytest.mark.parametrize(
    ("model", "body", "says"),
    [
        ("embedding", {"text_input": "a"}, "generates no text; use .../infer"),
        ("writer", {}, "text_input: the text is missing"),
        ("writer", {"text_input": 7}, "texts"),
        ("writer", {"text_input": "a", "parameters": []}, "parameters: expected an object"),
        ("writer", {"text_input": "a", "id": 7}, "id: expected a string"),
        ("writer", {"text_input": "a", "max_token": 5}, "max_token"),
    ],
)
def test_a_bad_request_names_the_field(
    http: httpx.Client, model: str, body: dict[str, Any], says: str
) -> None:
    for path in ("generate", "generate_stream"):
        answer = http.post(f"/v2/models/{model}/{path}", json=body)
        assert answer.status_code == 400
        assert says in answer.json()["error"]


def test_a_place_that_was_never_sent_is_refused(http: httpx.Client) -> None:
    job_id = submit(http, "x")
    answer = http.get(f"/v2/jobs/{job_id}/stream", headers={"Last-Event-ID": "seven"})
    assert answer.status_code == 400
    assert "Last-Event-ID" in answer.json()["error"]
