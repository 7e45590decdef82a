from __future__ import annotations

import codecs
import gzip
import json
import zlib

import pytest

from ..conftest import BODY_LIMIT
from ..hostile_asks import GOOD

JOBS = "/v2/models/embedding/jobs"


@pytest.mark.parametrize(
    ("encoding", "press"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compressed_bodies_are_read(http, texts, encoding, press):
    body = press(json.dumps(texts("a")).encode())
    answer = http.post(JOBS, content=body, headers={"Content-Encoding": encoding})
    assert answer.status_code == 202, answer.text


def test_a_bomb_is_refused(http):
    bomb = gzip.compress(b" " * (BODY_LIMIT * 50))
    assert len(bomb) < BODY_LIMIT
    answer = http.post(JOBS, content=bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["error_type"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    "body", [b"", b"x", gzip.compress(b"{}", mtime=0)[:-3], gzip.compress(b"{}", mtime=0) + b"more"]
)
def test_a_broken_gzip_is_refused(http, body):
    answer = http.post(JOBS, content=body, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["error_type"]) == (400, "invalid_request")


def test_an_unknown_encoding_is_refused(http, texts):
    answer = http.post(JOBS, json=texts("a"), headers={"Content-Encoding": "br"})
    assert answer.status_code == 400


def test_a_large_body_is_refused_by_its_length(http):
    answer = http.post(JOBS, content=b" " * (BODY_LIMIT + 1))
    assert (answer.status_code, answer.json()["error_type"]) == (413, "payload_too_large")


def test_a_large_body_is_refused_without_a_length(http):
    def chunks():
        for _ in range(BODY_LIMIT // 50_000 + 2):
            yield b" " * 50_000

    assert http.post(JOBS, content=chunks()).status_code == 413


def test_a_chunked_body_is_read(http, texts):
    def chunks():
        for byte in json.dumps(texts("a")).encode():
            yield bytes([byte])

    assert http.post(JOBS, content=chunks()).status_code == 202


def test_any_content_type_will_do(http, texts):
    body = json.dumps(texts("a"))
    for kind in ("", "text/plain", "application/octet-stream", "multipart/form-data"):
        headers = {"Content-Type": kind} if kind else {}
        assert http.post(JOBS, content=body, headers=headers).status_code == 202


@pytest.mark.parametrize(
    "path",
    [
        *("/v2/models/embedding/infer", "/v2/models/ranking/infer", "/v2/jobs:batch"),
        *("/v2/models/text-generation/generate", "/v1/embeddings", "/v1/completions"),
        *("/models/text-generation", "/models/zero-shot-classification", "/v1/rerank", "/embed"),
        *("/v1alpha/namespaces/me/models/embedding/trigger", "/pixano/inference/detection/"),
    ],
)
@pytest.mark.parametrize("kind", ["application/json", ""])
def test_a_byte_order_mark_is_passed_over_on_every_surface(http, serving, path, kind):
    content = json.dumps(GOOD[path]).encode()
    headers = {"Content-Type": kind} if kind else {}
    plain = http.post(path, content=content, headers=headers)
    marked = http.post(path, content=codecs.BOM_UTF8 + content, headers=headers)
    assert plain.status_code < 300, plain.text
    assert marked.status_code == plain.status_code, marked.text
