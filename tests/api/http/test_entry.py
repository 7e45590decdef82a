from __future__ import annotations

import re
import socket
import time

import pytest


def test_every_answer_carries_a_request_id(http, texts):
    for answer in (http.get("/v2"), http.get("/nope"), http.post("/v2/models/embedding/jobs")):
        assert re.fullmatch(r"[0-9a-f-]{36}-[0-9a-f]+", answer.headers["x-request-id"])


def test_a_clients_own_request_id_is_kept(http):
    answer = http.get("/v2/jobs/nope", headers={"X-Request-Id": "abc/1"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "abc/1"
    odd = http.get("/v2/jobs/nope", headers={"X-Request-Id": "x" * 500})
    assert re.fullmatch(r"[0-9a-f-]{36}-[0-9a-f]+", odd.json()["request_id"])


@pytest.mark.parametrize(
    ("accepts", "pressed"),
    [
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("*", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, identity", False),
        ("br", False),
        ("identity", False),
    ],
)
def test_answers_are_compressed_when_asked(http, accepts, pressed):
    answer = http.get("/openapi.json", headers={"Accept-Encoding": accepts})
    assert (answer.headers.get("content-encoding") == "gzip") is pressed
    assert answer.json()["info"]["title"] == "Wherry"


def test_small_and_binary_answers_are_not_compressed(http, worker, texts):
    job = http.post("/v2/models/embedding/jobs", json=texts(*["a"] * 64)).json()
    worker.serve()
    assert "content-encoding" not in http.get("/v2").headers
    params = {"binary": "true"}
    assert "content-encoding" not in http.get(job["result_url"], params=params).headers
    assert http.get(job["result_url"]).headers["content-encoding"] == "gzip"


def test_a_path_with_raw_bytes_is_refused_in_json_or_by_the_server(api_url):
    host, port = api_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(b"GET /v2/jobs/\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(1000).split()[1] in {b"400", b"404"}


def test_ids_of_requests_grow_with_time(http):
    first = http.get("/v2").headers["x-request-id"]
    time.sleep(0.002)
    assert http.get("/v2").headers["x-request-id"] > first
