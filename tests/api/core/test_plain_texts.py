from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from wherry.api.access.caller import Caller
from wherry.api.core import plain_texts
from wherry.api.core.envelope import Envelope
from wherry.api.core.intake import Intake
from wherry.api.core.new_job import PreparedJob
from wherry.api.egress.outbound import Outbound
from wherry.api.settings import ApiSettings
from wherry.protocol import codec
from wherry.protocol.errors import WherryError
from wherry.tasks.catalog import Catalog, ModelDeclaration
from wherry.tasks.registry import get_task, task_names

MODELS = [ModelDeclaration(name=name, task=name, backend="stub") for name in task_names()]
SETTINGS = ApiSettings(max_rows_per_job=4, strict_parameters=True)
INTAKE = Intake(
    Catalog(MODELS), SETTINGS, Outbound(SETTINGS), lambda model: len(model.name) % 2 > 0
)

PLAIN = ["embedding", "feature-extraction", "fill-mask"]
OTHERS = [
    "image-classification",
    "sentence-similarity",
    "summarization",
    "text-classification",
    "text-generation",
    "translation",
]


def read(model: str, document: object, **asked: Any) -> PreparedJob | str:
    """A job less what is its own, or the error."""
    try:
        found = asyncio.run(INTAKE.read(to_json(document), None, model, None, ENVELOPE, **asked))
    except WherryError as error:
        return f"{error.code} {error.message}"
    return replace(found, job=replace(found.job, id=found.job.id if not found.fresh else ""))


ENVELOPE = Envelope(Caller("acme", weight=2.0))


def same(model: str, document: object, **asked: Any) -> None:
    short = read(model, document, **asked)
    with mock.patch.object(plain_texts, "write", return_value=None):
        assert read(model, document, **asked) == short


def texts(*given: object, **fields: object) -> dict[str, Any]:
    data = list(given)
    tensor = {"name": "text", "shape": [len(data)], "datatype": "BYTES", "data": data}
    return {"inputs": [{**tensor, **fields}]}


odd = st.sampled_from(
    [
        *[None, {}, [], "", "text", "BYTES", 0, 1, True, 1.0, -0.0, 0.0, 10**30],
        *[[1], [True], [1.0], [2], [1, 1], ["a"], [["a"]], {"a": 1}],
        *[{"content_type": "base64"}, {"content_type": "str"}],
    ]
)
tensors = st.builds(
    lambda data, changes: texts(*data, **changes)["inputs"][0],
    st.lists(st.text(max_size=8) | odd, max_size=5),
    st.dictionaries(
        st.sampled_from(["name", "shape", "datatype", "parameters", "data", "odd"]), odd, max_size=1
    ),
)
names = ["normalize", "truncate", "top_k", "max_new_tokens", "priority", "timeout", "stream"]
documents = st.fixed_dictionaries(
    {"inputs": st.lists(tensors, max_size=2) | odd},
    optional={
        "parameters": st.dictionaries(st.sampled_from([*names, "odd", "webhook"]), odd) | odd,
        "id": odd,
        "outputs": odd | st.just([{"name": "embedding"}]),
        "model_name": odd,
    },
)


@given(st.sampled_from(PLAIN + OTHERS), documents, st.booleans())
@example("embedding", {**texts("a"), "parameters": {"normalize": True}}, True)
@example("embedding", {**texts("a"), "parameters": {"normalize": 1}}, True)
@example("embedding", {**texts("a"), "parameters": []}, True)
@example("embedding", {**texts("a"), "parameters": None}, True)
@example("embedding", {**texts("a"), "parameters": ""}, True)
@example("fill-mask", {**texts("a", "ü%d"), "id": "mine"}, True)
def test_both_ways_make_the_same_job_or_refuse_alike(
    model: str, document: dict[str, Any], use_id: bool
) -> None:
    same(model, document, use_id=use_id)


@pytest.mark.parametrize("name", sorted(task_names()))
def test_an_example_of_every_task_is_the_same_job(name: str) -> None:
    asked = get_task(name).example.input.to_inference_request()
    if all(tensor.datatype.value == "BYTES" for tensor in asked.inputs):
        body, _ = codec.encode_request(asked, binary=False)
        same(name, from_json(body))


@pytest.mark.parametrize("name", PLAIN)
def test_plain_tasks_go_the_short_way(name: str) -> None:
    asked = get_task(name).example.input.to_inference_request()
    document = {**texts("a", "b"), "parameters": asked.parameters}
    written = plain_texts.write(document, get_task(name), 2)
    assert written is not None
    assert written.rows == 2
    assert plain_texts.write(document, get_task(name), 1) is None


def test_a_text_that_weighs_too_much_is_left_to_the_usual_way() -> None:
    task = get_task("embedding")
    most = 4 * task.max_row_cost
    assert plain_texts.write(texts("x" * (most - 4)), task, 2) is not None
    assert plain_texts.write(texts("x" * (most - 3)), task, 2) is None


def test_parameters_without_end_are_not_kept() -> None:
    given = {"odd": "x" * 600}
    kept = plain_texts._form.cache_info().currsize
    assert plain_texts.write({**texts("a"), "parameters": given}, get_task("embedding"), 2) is None
    assert plain_texts._form.cache_info().currsize == kept
