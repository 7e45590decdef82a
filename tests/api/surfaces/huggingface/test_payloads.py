"""Every example payload of the page on Inference Endpoints' tasks, sent as it is printed there."""

from __future__ import annotations

import json

import httpx
import pytest

from wherry.tasks.samples import PNG, WAV

from ....peers.payloads import READ, payloads
from ...conftest import Worker


def test_there_is_a_payload_of_each() -> None:
    assert {task for task, _ in payloads()} == set(READ)


@pytest.mark.parametrize(("task", "body"), payloads())
@pytest.mark.parametrize("kind", ["application/json", ""])
def test_payloads_work_as_printed(
    task: str, body: bytes, kind: str, http: httpx.Client, serving: Worker
) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = http.post(f"/models/{task}", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert READ[task](json.loads(answer.content))


@pytest.mark.parametrize(
    ("task", "file", "kind"),
    [
        ("image-classification", PNG, "image/jpg"),
        ("object-detection", PNG, "image/jpg"),
        ("image-segmentation", PNG, "image/jpg"),
        ("automatic-speech-recognition", WAV, "audio/x-flac"),
        ("audio-classification", WAV, "audio/x-flac"),
    ],
)
def test_files_are_taken_as_the_page_sends_them(
    task: str, file: bytes, kind: str, http: httpx.Client, serving: Worker
) -> None:
    headers = {"Content-Type": kind, "Authorization": "Bearer hf_token"}
    answer = http.post(f"/models/{task}", content=file, headers=headers)
    assert answer.status_code == 200, answer.text
    assert READ[task](answer.json())
