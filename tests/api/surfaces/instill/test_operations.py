from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.api.surfaces.instill.operations import Operation
from wherry.protocol.errors import NotFound

from .entries import MODELS, WORDS, entries, failing, refused


def started(http: httpx.Client, task: str, body: dict[str, Any]) -> str:
    answer = http.post(f"{MODELS}/{task}/trigger-async", json=body)
    assert answer.status_code == 200, answer.text
    operation = answer.json()["operation"]
    assert not operation["done"]
    assert "response" not in operation
    name: str = operation["name"]
    assert name.startswith("operations/")
    return name


def test_an_operation_ends_with_what_a_trigger_answers(http, worker) -> None:
    body = entries("chat", {"seed": 1}, {"seed": 2, "n": 2})
    name = started(http, "chat", body)
    operation = http.get(f"/v1alpha/{name}").json()["operation"]
    assert (operation["name"], operation["done"]) == (name, False)
    while worker.serve():
        pass
    operation = http.get(f"/v1alpha/{name}").json()["operation"]
    assert (operation["name"], operation["done"]) == (name, True)
    answer = operation["response"]["response"]
    assert operation["response"]["@type"].endswith("/model.model.v1alpha.LatestOperation")
    assert answer["task"] == "TASK_CHAT"
    assert [len(output["data"]["choices"]) for output in answer["taskOutputs"]] == [1, 2]
    for job in operation["metadata"]["value"]["jobs"]:
        assert http.get(job).json()["status"] == "succeeded"


def test_an_operation_ends_with_the_error_of_its_entry(http, worker) -> None:
    name = started(http, "object-detection", entries("object-detection", {}, {}))
    with failing(worker, "row 1: no image"):
        pass
    operation = http.get(f"/v1alpha/{name}").json()["operation"]
    assert operation["done"]
    error = {"code": 3, "message": "taskInputs[1]: no image", "details": []}
    assert operation["error"] == error


def test_a_canceled_job_ends_its_operation(http, worker) -> None:
    name = started(http, "chat", entries("chat"))
    (job,) = http.get(f"/v1alpha/{name}").json()["operation"]["metadata"]["value"]["jobs"]
    http.post(f"{job}/cancel")
    assert http.get(f"/v1alpha/{name}").json()["operation"]["error"]["code"] == 1


def test_a_vector_too_short_is_an_operations_error(http, worker) -> None:
    name = started(http, "embedding", entries("embedding", {"dimensions": 99}))
    worker.serve()
    operation = http.get(f"/v1alpha/{name}").json()["operation"]
    assert operation["error"]["code"] == 3
    assert "taskInputs[0].parameter.dimensions" in operation["error"]["message"]
    answer = http.post(f"{MODELS}/embedding/trigger-async", json=entries("chat"))
    refused(answer, 400, 3)


def test_a_full_queue_takes_none_of_an_operations_jobs(http, worker) -> None:
    body = {"taskInputs": [{"data": WORDS, "parameter": {"seed": s}} for s in range(60)]}
    answer = http.post(f"{MODELS}/chat/trigger-async", json=body)
    refused(answer, 503, 14)
    assert answer.headers["retry-after"]
    assert worker.claim() == []


@pytest.mark.parametrize("call", ["trigger", "trigger-async"])
def test_a_trigger_comes_to_so_many_jobs_at_most(http, call: str) -> None:
    body = entries("chat", *({"n": 16, "seed": 100 * seed} for seed in range(5)))
    answer = http.post(f"{MODELS}/chat/{call}", json=body)
    assert "may come to 64" in refused(answer, 413, 3)


def test_the_largest_operation_can_be_asked_for(http, redis_url) -> None:
    rows = list(range(64))
    longest = Operation(
        jobs=[f"{i:036x}" for i in rows],
        job_of_row=rows,
        rows_of_entry=[1] * 64,
        dimensions=[None] * 64,
    )
    assert Operation.of(longest.id) == longest
    assert len(longest.id) < 8000
    answer = http.get(f"/v1alpha/operations/{longest.id}")
    assert "jobs may be gone" in refused(answer, 404, 5)


def test_jobs_that_are_no_operations_make_none(http, serving, texts) -> None:
    job = http.post("/v2/models/embedding/jobs", json=texts("a", "b")).json()["id"]
    other = http.post("/v2/models/ranking/jobs", json={}).json().get("id", "none")

    def asked(**fields: Any) -> httpx.Response:
        whole = {"jobs": [job], "job_of_row": [0], "rows_of_entry": [1], "dimensions": [None]}
        answer: httpx.Response = http.get(
            f"/v1alpha/operations/{Operation(**{**whole, **fields}).id}"
        )
        return answer

    refused(asked(), 404, 5)  # the job has two rows
    assert asked(job_of_row=[0, 0], rows_of_entry=[2]).status_code == 200
    refused(asked(jobs=[other]), 404, 5)


@given(st.text(max_size=20) | st.binary(max_size=20).map(lambda b: b.hex()))
def test_any_other_name_is_no_operation(text: str) -> None:
    with pytest.raises(NotFound):
        Operation.of(text)


@given(
    st.lists(st.integers(0, 5), max_size=5),
    st.lists(st.integers(-1, 3), max_size=5),
    st.lists(st.none() | st.integers(), max_size=3),
)
def test_parts_that_do_not_fit_make_no_operation(of: Any, rows: Any, dimensions: Any) -> None:
    forged = Operation.model_construct(
        jobs=["a", "b"], job_of_row=of, rows_of_entry=rows, dimensions=dimensions
    )
    fits = set(of) == {0, 1} and sum(rows) == len(of) and len(dimensions) == len(rows)
    if fits and min(rows) > 0:
        assert Operation.of(forged.id) == forged
    else:
        with pytest.raises(NotFound):
            Operation.of(forged.id)
