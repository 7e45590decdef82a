from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from wherry.jobs.group import Group
from wherry.jobs.record import ClaimedJob
from wherry.protocol import codec, v2
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.device import Device
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.text.embedding import EmbeddingOutput
from wherry.tasks.values.masks import read_mask, write_mask
from wherry.tasks.vision.image_segmentation import (
    ImageSegmentationInput,
    ImageSegmentationOutput,
    Segment,
)
from wherry.workers.batch import run_batch
from wherry.workers.budget import declared_budget
from wherry.workers.loaded_model import LoadedModel


class Fixed:
    """A backend that answers every row with the same vector."""

    is_remote = False

    def __init__(self, vector: list[float]) -> None:
        self._vector = vector

    def run(self, rows: Any) -> list[EmbeddingOutput]:
        return [EmbeddingOutput(embeddings=[self._vector]) for _ in rows]


def loaded(task: str = "embedding", backend: Any = None) -> LoadedModel:
    declared = ModelDeclaration(name="m", task=task, backend="stub")
    if backend is None:
        backend = create_backend("stub", task, None, device=Device("cpu"))
        backend.load()
    return LoadedModel(
        declared, declared.definition, backend, declared_budget(declared), frozenset()
    )


def answer(model: LoadedModel, **fields: Any) -> v2.InferenceResponse:
    body, length = run(model, **fields)
    return codec.decode_response(body, length)


def run(model: LoadedModel, **fields: Any) -> tuple[bytes, int]:
    texts = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
    payload = json.dumps({"inputs": [texts], **fields}).encode()
    job = ClaimedJob(
        id="j",
        group=Group("vision", "model", "1"),
        attempt=1,
        rows=1,
        header_length=len(payload),
        payload_key="",
        payload_ref="",
        created_at_ms=0,
    )
    [encoded] = run_batch(model, [job], [payload]).answers
    assert encoded.error is None
    return encoded.body, encoded.header_length


@pytest.mark.parametrize(
    ("parameters", "warning"),
    [
        ({"normalise": True}, "unknown parameter 'normalise', did you mean 'normalize'?"),
        ({"timeot": 1}, "unknown parameter 'timeot', did you mean 'timeout'?"),
        ({"xyz": 1, "q": 2}, "unknown parameter 'xyz'; unknown parameter 'q'"),
        ({"normalize": True, "priority": 1, "content_type": "str"}, None),
        ({}, None),
    ],
)
def test_a_parameter_that_nobody_reads_is_remarked_on(parameters: Any, warning: Any) -> None:
    assert answer(loaded(), parameters=parameters).parameters.get("warning") == warning


def test_remarks_do_not_grow_with_nonsense() -> None:
    nonsense = {f"{number}" * 10_000: 1 for number in range(1000)}
    assert len(answer(loaded(), parameters=nonsense).parameters["warning"]) < 1000


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_an_answer_without_a_json_form_is_kept_in_binary(value: float) -> None:
    body, length = run(loaded(backend=Fixed([1.0, value])))
    assert length < len(body), "raw tensors follow the JSON"
    assert str(list(codec.decode_response(body, length).outputs[0].flat())) == str([1.0, value])


def test_rows_that_were_cut_are_told_with_what_is_odd() -> None:
    class Cutting(Fixed):
        def run(self, rows: Any) -> list[EmbeddingOutput]:
            return [
                output.warned(f"cut {index}") if index else output
                for index, output in enumerate(super().run(rows))
            ]

    texts = {"name": "text", "shape": [3], "datatype": "BYTES", "data": ["a", "b", "c"]}
    model = loaded(backend=Cutting([1.0]))
    told = answer(model, inputs=[texts], parameters={"xyz": 1}).parameters
    assert told["warning"] == "unknown parameter 'xyz'; row 1: cut 1; row 2: cut 2"
    assert json.loads(told["row_warnings"]) == {"1": "cut 1", "2": "cut 2"}

    many = {**texts, "shape": [30], "data": ["a"] * 30}
    told = answer(model, inputs=[many]).parameters
    assert told["warning"].endswith("row 8: cut 8; and 21 more of 30 rows")
    assert len(json.loads(told["row_warnings"])) == 29


def test_masks_that_fill_a_row_up_can_be_read() -> None:
    mask = write_mask(np.ones((4, 6)))
    given = ImageSegmentationInput(images=[mask, mask])
    found = [[Segment(label="boat", score=0.5, mask=mask)], []]
    output = ImageSegmentationOutput(segments=found)
    model = loaded(
        "image-segmentation", SimpleNamespace(run=lambda _: output.rows(), is_remote=False)
    )
    payload, length = codec.encode_request(given.to_inference_request(), binary=True)
    job = ClaimedJob(
        id="j",
        group=Group("vision", "model", "1"),
        attempt=1,
        rows=2,
        header_length=length or 0,
        payload_key="",
        payload_ref="",
        created_at_ms=0,
    )
    [encoded] = run_batch(model, [job], [payload]).answers
    response = codec.decode_response(encoded.body, encoded.header_length)
    sizes = [read_mask(file).shape for file in response.output("mask").blobs()]
    assert sizes == [(4, 6), (4, 6)]
