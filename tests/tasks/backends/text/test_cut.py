"""A text that is longer than the model reads is cut, and that is told; or it is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.protocol.errors import RowError
from wherry.tasks.base import TaskOutput
from wherry.tasks.create import LocalTask, create_task

#: Words that are a token each; there are more than any of the models reads.
WORDS = ["the", "quick", "brown", "fox", "hello", "world", "lazy", "dog"] * 25
LONG, SHORT = " ".join(WORDS), "hello world"

COUNTS = re.compile(r"(\d+) of (\d+)")


@pytest.fixture(scope="module")
def served(
    tiny_model: Callable[[str], Path], tiny_graph: Callable[[str, str], Path]
) -> Iterator[Callable[[str, str], LocalTask]]:
    """A loaded model of a task on a backend."""
    loaded: dict[tuple[str, str], LocalTask] = {}

    def serve(backend: str, task: str) -> LocalTask:
        if (backend, task) not in loaded:
            is_graph = backend == "onnxruntime"
            folder = tiny_graph(task, task) if is_graph else tiny_model(task)
            loaded[backend, task] = create_task(backend, task, str(folder))
        return loaded[backend, task]

    yield serve
    for task in loaded.values():
        task.close()


def answers(task: LocalTask, *rows: dict[str, Any], **more: Any) -> list[TaskOutput | RowError]:
    """What a batch of rows of one request each is answered."""
    batch = [task.task.input.validated({**fields, **more}) for fields in rows]
    return task.backend.run(batch)


@pytest.mark.parametrize("backend", ["transformers", "onnxruntime"])
def test_either_end_may_be_cut(served: Any, backend: str) -> None:
    task = served(backend, "embedding")
    [cut] = answers(task, {"texts": [LONG]})
    assert isinstance(cut, TaskOutput)
    found = COUNTS.search(cut.warning)
    assert found
    room = int(found[1])
    rows = [{"texts": [" ".join(words)]} for words in (WORDS[:room], WORDS[-room:])]
    # In one batch, so that rows that are cut at different ends are told apart.
    right, left, first, last = task.backend.run(
        [
            *(task.task.input(texts=[LONG], truncation_direction=end) for end in ("right", "left")),
            *(task.task.input.validated(row) for row in rows),
        ]
    )
    assert right.embeddings[0] == pytest.approx(first.embeddings[0], abs=1e-4)
    assert left.embeddings[0] == pytest.approx(last.embeddings[0], abs=1e-4)
    assert left.embeddings[0] != pytest.approx(right.embeddings[0], abs=1e-4)
    assert first.warning == last.warning == ""


@pytest.mark.parametrize("backend", ["transformers", "onnxruntime"])
def test_windows_cut_nothing(served: Any, backend: str) -> None:
    windows = {"stride": 4, "aggregation_strategy": "simple", "truncate": False}
    [found] = answers(served(backend, "token-classification"), {"texts": [LONG]}, **windows)
    assert isinstance(found, TaskOutput)
    assert found.warning == ""


@pytest.mark.parametrize("name", ["summarization", "text2text-generation", "translation"])
def test_a_text_is_rewritten_from_what_is_left_of_it(
    tiny_model: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(tiny_model(name), folder)
    file = folder / "tokenizer_config.json"
    settings = {**json.loads(file.read_text()), "model_max_length": 16}
    file.write_text(json.dumps(settings))
    with create_task("transformers", name, str(folder)) as task:
        kept = {"max_new_tokens": 2, "truncate": True}
        right, left = (
            answers(task, {"texts": [LONG]}, truncation_direction=end, **kept)[0]
            for end in ("right", "left")
        )
        assert isinstance(right, TaskOutput)
        assert isinstance(left, TaskOutput)
        for output in (right, left):
            found = COUNTS.search(output.warning)
            assert found, output.warning
            assert int(found[1]) == 16


def test_a_request_is_answered_with_its_rows_warnings(served: Any) -> None:
    task = served("transformers", "embedding")
    response = task.run(texts=[SHORT, LONG, LONG])
    warning = response.parameters["warning"]
    assert re.fullmatch(r"row 1: cut: .* tokens; row 2: cut: .* tokens", warning)
    assert task.task.output.of(response).warning == warning
    assert [row.warning for row in task.task.output.of(response).rows()] == ["", "", ""]
    assert "warning" not in task.run(texts=[SHORT]).parameters
