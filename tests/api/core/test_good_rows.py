"""Rows at fault in a request that has others: what is sent on, and what a worker answers."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from wherry.api.core.envelope import Envelope
from wherry.api.core.intake import Intake
from wherry.api.egress.named_files import NO_FILES
from wherry.api.egress.outbound import Outbound
from wherry.api.settings import ApiSettings
from wherry.jobs.record import ClaimedJob
from wherry.protocol import codec, v2
from wherry.protocol.errors import InvalidRequest, PayloadTooLarge
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.device import Device
from wherry.tasks.base import TaskInput
from wherry.tasks.models_file import load_catalog
from wherry.tasks.registry import get_task
from wherry.tasks.samples import PNG, WAV
from wherry.tasks.text.fill_mask import FillMaskInput
from wherry.workers.batch import run_batch
from wherry.workers.budget import declared_budget
from wherry.workers.loaded_model import LoadedModel

Json = dict[str, Any]

#: Heads alone: a bitmap of 50,000 x 50,000 pixels, and 5,000 s of sound at a byte a second.
BITMAP = b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 50_000, 50_000, 1, 24)
SOUND = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHII", 16, 1, 1, 1, 1) + bytes(5000)
TEXT = "word" * 1_000_001


@pytest.fixture(scope="module")
def intake(models_file) -> Intake:
    api = ApiSettings(models=models_file, max_rows_per_job=4)
    return Intake(load_catalog(models_file), api, Outbound(api))


def tensor(name: str, *data: Any, **parameters: Any) -> Json:
    return {
        "name": name,
        "shape": [len(data)],
        "datatype": "BYTES",
        "data": list(data),
        "parameters": parameters,
    }


def read(*tensors: Json, **parameters: Any) -> v2.InferenceRequest:
    return v2.InferenceRequest.parse({"inputs": tensors, "parameters": parameters})


def job(intake: Intake, task: str, request: v2.InferenceRequest) -> Any:
    checked = intake.check(request, task, None, NO_FILES)
    return intake.prepare(checked, Envelope()).job


def answered(intake: Intake, task: str, request: v2.InferenceRequest) -> v2.InferenceResponse:
    """What a worker with the stub makes of the job that the API makes."""
    made = job(intake, task, request)
    declared = intake.catalog.get(task, None)
    backend = create_backend("stub", task, None, device=Device("cpu"))
    backend.load()
    model = LoadedModel(
        declared, declared.definition, backend, declared_budget(declared), frozenset()
    )
    claimed = ClaimedJob(
        id="j",
        group=made.group,
        attempt=1,
        rows=made.rows,
        header_length=made.header_length,
        payload_key="",
        payload_ref="",
        created_at_ms=0,
    )
    [encoded] = run_batch(model, [claimed], [made.payload]).answers
    assert encoded.error is None, encoded.error
    return codec.decode_response(encoded.body, encoded.header_length)


def of(given: TaskInput, **parameters: Any) -> v2.InferenceRequest:
    request = given.to_inference_request()
    request.parameters = {**request.parameters, **parameters}
    return request


HEAVY = {
    "pixels": ("image-classification", "images", PNG, BITMAP, "2500000000 pixels"),
    "milliseconds": ("automatic-speech-recognition", "audio", WAV, SOUND, "5032000 milliseconds"),
    "tokens": ("embedding", "texts", "a", TEXT, "1000001 tokens"),
}


@pytest.mark.parametrize("case", HEAVY)
def test_a_row_over_the_limit_fails_alone_where_rows_are_skipped(intake: Intake, case: str) -> None:
    task, field, good, heavy, weighs = HEAVY[case]

    def given(*rows: Any) -> TaskInput:
        return get_task(task).input(**{field: list(rows)})

    response = answered(intake, task, of(given(good, heavy, good), on_row_error="skip"))
    alone = answered(intake, task, of(given(good)))
    errors = json.loads(response.parameters["row_errors"])
    assert list(errors) == ["1"]
    assert errors["1"]["error_type"] == "payload_too_large"
    assert errors["1"]["error"].startswith(f"{weighs}; {task} takes ")
    output = get_task(task).output
    rows = output.from_inference_response(response).rows()
    assert len(rows) == 3
    assert rows[0] == rows[2] == output.from_inference_response(alone).rows()[0] != rows[1]

    for request in (
        of(given(good, heavy, good)),
        of(given(good, heavy, good), on_row_error="fail"),
        of(given(heavy, heavy), on_row_error="skip"),
        of(given(heavy), on_row_error="skip"),
    ):
        with pytest.raises(
            PayloadTooLarge, match=rf"row [01] has {weighs}; {task} takes \d+ a row"
        ):
            job(intake, task, request)


TALK = json.dumps([{"role": "user", "content": "Hello"}])
BAD_ROWS: dict[str, tuple[str, list[Json], int, str]] = {
    "base64": (
        "image-classification",
        [tensor("image", "aGVsbG8=", "!", "aGVsbG8=")],
        1,
        "not base64",
    ),
    "JSON": ("chat", [tensor("messages", TALK, TALK, "{")], 2, "not JSON"),
    "schema": (
        "chat",
        [tensor("messages", json.dumps([{"role": "user"}]), TALK)],
        0,
        "content",
    ),
    "surrogate": ("embedding", [tensor("text", "a", "\ud800")], 1, "surrogate"),
    "neither": (
        "multimodal-embedding",
        [tensor("image", "", ""), tensor("text", "a", "")],
        1,
        "neither an image nor a text",
    ),
    "padded numbers": (
        "text-generation",
        [
            tensor("text", "", "", ""),
            {
                "name": "token_ids",
                "shape": [3, 2],
                "datatype": "INT32",
                "data": [[1, 2], [-1, 0], [5, 0]],
                "parameters": {"row_lengths": "2,1,1"},
            },
        ],
        1,
        "greater than or equal to 0",
    ),
    "one question for all": (
        "visual-question-answering",
        [tensor("image", "aGVsbG8=", "!"), tensor("question", "What is this?")],
        1,
        "not base64",
    ),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_row_that_cannot_be_taken_fails_alone_where_rows_are_skipped(
    intake: Intake, case: str
) -> None:
    task, tensors, place, says = BAD_ROWS[case]
    response = answered(intake, task, read(*tensors, on_row_error="skip"))
    errors = json.loads(response.parameters["row_errors"])
    assert list(errors) == [str(place)]
    assert says in errors[str(place)]["error"]
    count = tensors[0]["shape"][0]
    assert len(get_task(task).output.from_inference_response(response).rows()) == count

    with pytest.raises(InvalidRequest, match=says):
        job(intake, task, read(*tensors))


def test_binary_rows_are_told_apart_too(intake: Intake) -> None:
    rows = of(FillMaskInput(texts=["a [MASK]", "x", "b"]), on_row_error="skip")
    body, length = codec.encode_request(rows, binary=True)
    request = codec.decode_request(body.replace(b"\1\0\0\0x", b"\1\0\0\0\xff"), length)
    response = answered(intake, "fill-mask", request)
    errors = json.loads(response.parameters["row_errors"])
    assert {row: error["error"] for row, error in errors.items()} == {
        "1": "tensor 'text': text must be UTF-8"
    }


def test_rows_at_fault_for_several_reasons_keep_their_places(intake: Intake) -> None:
    bad = tensor("image", "!", "aGVsbG8=", base64.b64encode(BITMAP).decode(), "aGVsbG8=")
    request = read(bad, on_row_error="skip")
    made = job(intake, "image-classification", request)
    assert made.rows == 2
    assert BITMAP not in made.payload
    response = answered(intake, "image-classification", request)
    errors = json.loads(response.parameters["row_errors"])
    assert {row: error["error_type"] for row, error in errors.items()} == {
        "0": "invalid_tensor",
        "2": "payload_too_large",
    }


@pytest.mark.parametrize(
    ("tensors", "parameters", "says"),
    [
        ([tensor("image", "!", "?")], {}, "not base64"),  # no row is left
        ([tensor("image", "!")], {}, "not base64"),
        ([tensor("image", "aGVsbG8=", "aGVsbG8=")], {"top_k": 0}, "top_k"),
        ([tensor("picture", "aGVsbG8=", "!")], {}, "unknown input 'picture'"),
        ([tensor("image", *["!"] * 4, "aGVsbG8=")], {}, "not base64"),  # five rows; four may be
        ([tensor("image", "aGVsbG8=")], {"row_errors": "{}"}, "parameter row_errors"),
    ],
)
def test_what_is_no_rows_fault_is_refused_whole(
    intake: Intake, tensors: list[Json], parameters: Json, says: str
) -> None:
    with pytest.raises(InvalidRequest, match=says):
        job(intake, "image-classification", read(*tensors, on_row_error="skip", **parameters))
