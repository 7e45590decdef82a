"""An answer that is one tensor is written in one step as it is in all of `write`'s."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.protocol import codec
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.device import Device
from wherry.tasks.base import TaskInput, TaskOutput
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.registry import get_task, task_names
from wherry.workers import answering
from wherry.workers.budget import declared_budget
from wherry.workers.loaded_model import LoadedModel
from wherry.workers.reading import ReadRequest

WHOLE = [name for name in task_names() if get_task(name).output.WHOLE]


def both(name: str, answer: TaskOutput, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is written in one step, and in all."""
    declared = ModelDeclaration(name="m-1.x", task=name, backend="stub", version="2")
    task = declared.definition
    model = LoadedModel(
        declared,
        task,
        create_backend("stub", name, None, device=Device()),
        declared_budget(declared),
        frozenset(),
    )
    given: TaskInput = task.example.input.rows()[0]
    read = ReadRequest(given.to_inference_request(), [given], {}, [])
    found = [answering.write(model, 'say "é"', read, [answer])]
    with monkeypatch.context() as patch:
        patch.setattr(answering, "_whole", lambda *_: None)
        found.append(answering.write(model, 'say "é"', read, [answer]))
    return found


def test_tasks_of_vectors_and_of_texts_are_among_them() -> None:
    assert {"embedding", "sentence-similarity", "image-to-text"} <= set(WHOLE)


@pytest.mark.parametrize("name", WHOLE)
def test_it_is_the_same_to_the_byte(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    output = get_task(name).output
    for answer in (*get_task(name).example.output.rows(), output.empty()):
        quick, slow = both(name, answer, monkeypatch)
        assert quick == slow
        assert codec.decode_response(*quick).outputs[0].shape[0] == 1


@pytest.mark.parametrize(
    "values",
    [
        [1.0, float("nan")],
        [float("inf")],
        [-float("inf"), 1.0],
        [0.1, 1e-12, -0.0, 1e300],
        [1, 2],
        [],
        [0.5] * 4096,
        [0.5] * 4097,
    ],
    ids=["nan", "inf", "-inf", "numbers", "whole", "none", "many", "too many"],
)
def test_so_are_numbers_of_any_kind(values: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    answer = get_task("embedding").output.made(embeddings=[values])
    quick, slow = both("embedding", answer, monkeypatch)
    assert quick == slow


def test_so_is_what_is_told_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = get_task("embedding").example.output.rows()[0].warned("cut")
    quick, slow = both("embedding", answer, monkeypatch)
    assert quick == slow
    assert codec.decode_response(*quick).parameters["warning"] == "cut"
