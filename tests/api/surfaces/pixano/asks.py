"""A request of each of Pixano's capabilities, and how a test sends one."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from wherry.api.surfaces.pixano.responses import Wire
from wherry.jobs import Outcome
from wherry.protocol import codec
from wherry.tasks.base import TaskInput, TaskOutput
from wherry.tasks.samples import PNG
from wherry.tasks.values.rle import decode_compressed

from ...conftest import Worker

IMAGE = base64.b64encode(PNG).decode()
Document = dict[str, Any]

#: A request of each capability, as the older generations write it.
ASKS: dict[str, Document] = {
    "segmentation": {
        "model": "mask-generation",
        "image": IMAGE,
        "points": [[[2, 3]]],
        "labels": [[1]],
        "reset_predictor": True,
        "num_multimask_outputs": 3,
        "multimask_output": False,
        "return_image_embedding": True,
    },
    "tracking": {
        "model": "video-mask-generation",
        "video": [IMAGE, IMAGE],
        "objects_ids": [1],
        "frame_indexes": [0],
        "points": [[[2, 3]]],
        "labels": [[1]],
        "propagate": True,
    },
    "detection": {
        "model": "zero-shot-object-detection",
        "image": IMAGE,
        "classes": ["boat", "buoy"],
        "box_threshold": 0.5,
        "text_threshold": 0.5,
    },
    "vlm": {
        "model": "image-text-to-text",
        "prompt": "What is this?",
        "images": [f"data:image/png;base64,{IMAGE}"],
        "max_new_tokens": 16,
        "temperature": 1.0,
    },
    "embedding": {"model": "embedding", "text": ["one", "two"], "normalize": True},
    "ner": {"model": "token-classification", "text": "The quick brown FOX."},
}


def camel(ask: Document) -> Document:
    written: Document = Wire.CAMEL.write(ask)
    return written


def post(http: httpx.Client, path: str, ask: Document, status: int = 200) -> Document:
    answer = http.post(path, json=ask)
    assert answer.status_code == status, answer.text
    document: Document = answer.json()
    return document


def mask_of(rle: Document) -> NDArray[np.bool_]:
    """The mask of an answer."""
    return decode_compressed(rle["counts"], *rle["size"])


def answered(worker: Worker, output: TaskOutput) -> TaskInput:
    """Answer the one job that waits, by hand; its input."""
    [(job, stats)] = worker.claim()
    declared = worker._catalog.get(stats.group.model)
    request = codec.decode_request(worker._payload(job), job.header_length)
    body, length = codec.encode_response(output.to_inference_response(declared.name))
    outcome = Outcome(id=job.id, attempt=1, result=body, header_length=length or len(body))
    worker.finish(outcome, stats)
    return declared.definition.input.from_inference_request(request)
