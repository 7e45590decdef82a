"""Batches against the pipeline of transformers, which takes one table at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import pipeline

from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.table_question_answering import (
    TableAnswer,
    TableQuestionAnsweringInput,
    TableQuestionAnsweringOutput,
)

pytest.importorskip("pandas", reason="TAPAS reads its tables with pandas")

QUERIES = ["what is the capital", "hello", "how are you my quick brown fox"]
TABLES: list[dict[str, list[Any]]] = [
    {"city": ["paris", "london"], "size": ["10", "20"]},
    {"name": ["ada"]},
    {"a": ["cat", "dog", "car"], "b": ["1", "2", "3"], "c": ["red", "lazy", "photo"]},
]


@pytest.fixture
def folder(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model("table-question-answering")


@pytest.fixture
def task(folder: Path) -> LocalTask:
    return create_task("transformers", "table-question-answering", str(folder))


def ask(task: LocalTask, queries: list[str], tables: list[Any]) -> list[TableAnswer]:
    output = task.process(TableQuestionAnsweringInput(queries=queries, tables=tables))
    assert isinstance(output, TableQuestionAnsweringOutput)
    return [answer for (answer,) in output.answers]


def test_batch_equals_the_pipelines_single_answers(task: LocalTask, folder: Path) -> None:
    reference: Any = pipeline("table-question-answering", model=str(folder))
    together = ask(task, QUERIES, TABLES)
    for answer, query, table in zip(together, QUERIES, TABLES, strict=True):
        own = reference(table=table, query=query)
        assert answer.answer == own["answer"]
        assert json.loads(answer.coordinates) == [list(place) for place in own["coordinates"]]
        assert json.loads(answer.cells) == own["cells"]
        assert answer.aggregator == own["aggregator"]
    assert together[0] != together[2]  # rows do differ
    assert any(json.loads(answer.cells) for answer in together)


def test_what_does_not_fit_of_a_table_is_cut(task: LocalTask) -> None:
    long = {"a": ["fox", "cat"] * 200, "b": ["1"] * 400}
    (answer,) = ask(task, QUERIES[:1], [long])
    (cut,) = ask(task, QUERIES[:1], [{name: cells[:60] for name, cells in long.items()}])
    assert answer == cut


def test_cells_may_be_numbers(task: LocalTask) -> None:
    words, numbers = ask(
        task, QUERIES[:1] * 2, [TABLES[0], {"city": ["paris", "london"], "size": [10, 20]}]
    )
    assert words == numbers
