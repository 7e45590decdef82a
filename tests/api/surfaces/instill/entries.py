"""Entries of `taskInputs` that each of our tasks takes, and what comes of them."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from wherry.api.egress.named_files import NO_FILES
from wherry.api.surfaces.instill.trigger import Plan, read
from wherry.jobs import Outcome
from wherry.protocol.errors import RowError
from wherry.tasks.base import TaskInput
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG

from ...conftest import Worker

IMAGE = {"type": "image-base64", "image-base64": base64.b64encode(PNG).decode()}
WORDS = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]}
SEEN = {"messages": [{"role": "user", "content": [{"type": "text", "text": "what?"}, IMAGE]}]}

#: Our task -> data that it takes.
DATA: dict[str, dict[str, Any]] = {
    "chat": WORDS,
    "custom": {"inputs": "Cast off!"},
    "embedding": {"embeddings": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    "image-classification": IMAGE,
    "image-feature-extraction": {"embeddings": [IMAGE]},
    "image-segmentation": IMAGE,
    "image-text-to-text": SEEN,
    "keypoint-detection": IMAGE,
    "multimodal-embedding": {"embeddings": [IMAGE, {"type": "text", "text": "a"}, IMAGE]},
    "object-detection": IMAGE,
    "optical-character-recognition": IMAGE,
    "text-generation": {"prompt": "Once"},
    "text-to-image": {"prompt": "a boat"},
    "text2text-generation": {"prompt": "Once"},
}


def asked(task: str, *entries: dict[str, Any], rows: int = 64) -> Plan:
    return read({"taskInputs": list(entries)}, get_task(task), rows, NO_FILES)


def inputs(task: str, data: dict[str, Any], **parameter: Any) -> Sequence[TaskInput]:
    named = {name.replace("_", "-"): value for name, value in parameter.items()}
    return asked(task, {"data": data, "parameter": named}).jobs


MODELS = "/v1alpha/namespaces/me/models"


def entries(task: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return {"taskInputs": [{"data": DATA[task], "parameter": p} for p in parameters or ({},)]}


def refused(answer: httpx.Response, status: int, code: int) -> str:
    """The message of an error in grpc-gateway's shape."""
    body = answer.json()
    assert (answer.status_code, body["code"], body["details"]) == (status, code, [])
    assert set(body) == {"code", "message", "details"}
    message: str = body["message"]
    return message


@contextmanager
def failing(worker: Worker, *errors: str) -> Iterator[None]:
    """Let the next jobs fail, each with an error of a row."""
    waiting = list(errors)

    def run() -> None:
        while waiting:
            for job, stats in worker.claim():
                failed = Outcome(
                    id=job.id, attempt=1, error_type=RowError.code, error=waiting.pop(0)
                )
                worker.finish(failed, stats)
            threading.Event().wait(0.005)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()
