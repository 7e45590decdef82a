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
from wherry.tasks.export import export, exported_tasks
from wherry.tasks.samples import PNG

#: Words that are a token each; there are more than any of the models reads.
WORDS = ["the", "quick", "brown", "fox", "hello", "world", "lazy", "dog"] * 25
LONG, SHORT = " ".join(WORDS), "hello world"

#: Task -> fields of a row that fits, and of one that does not.
ROWS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "embedding": ({"texts": [SHORT]}, {"texts": [LONG]}),
    "feature-extraction": ({"texts": [SHORT]}, {"texts": [LONG]}),
    "question-answering": (
        {"questions": [SHORT], "contexts": [LONG], "max_question_len": 8},
        {"questions": [LONG], "contexts": [SHORT], "max_question_len": 8},
    ),
    "ranking": (
        {"queries": [SHORT], "texts": [[SHORT]]},
        {"queries": [SHORT], "texts": [[SHORT, LONG]]},
    ),
    "sentence-similarity": (
        {"source_sentences": [SHORT], "sentences": [[SHORT]]},
        {"source_sentences": [SHORT], "sentences": [[SHORT, LONG]]},
    ),
    "table-question-answering": (
        {"queries": [SHORT], "tables": [{"the": ["fox", "dog"]}]},
        {"queries": [SHORT], "tables": [{"the": WORDS}]},
    ),
    "text-classification": ({"texts": [SHORT]}, {"texts": [LONG]}),
    "text-to-image": (
        {"prompts": [SHORT], "num_inference_steps": 1, "width": 64, "height": 64, "seed": 1},
        {"prompts": [LONG], "num_inference_steps": 1, "width": 64, "height": 64, "seed": 1},
    ),
    "token-classification": ({"texts": [SHORT]}, {"texts": [LONG]}),
    "visual-question-answering": (
        {"images": [PNG], "question": SHORT},
        {"images": [PNG], "question": LONG},
    ),
    "zero-shot-classification": (
        {"texts": [SHORT], "candidate_labels": ["fox", "dog"]},
        {"texts": [LONG], "candidate_labels": ["fox", "dog"]},
    ),
    "zero-shot-image-classification": (
        {"images": [PNG], "candidate_labels": ["fox", "dog"]},
        {"images": [PNG], "candidate_labels": ["fox", LONG]},
    ),
    "zero-shot-object-detection": (
        {"images": [PNG], "candidate_labels": ["fox", "dog"]},
        {"images": [PNG], "candidate_labels": ["fox", LONG]},
    ),
}

CASES = [("transformers", task) for task in ROWS] + [
    ("onnxruntime", task) for task in ROWS if task in exported_tasks()
]

COUNTS = re.compile(r"(\d+) of (\d+)")


@pytest.fixture(scope="module")
def served(
    tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, str], LocalTask]]:
    """A loaded model of a task on a backend."""
    loaded: dict[tuple[str, str], LocalTask] = {}

    def serve(backend: str, task: str) -> LocalTask:
        if (backend, task) not in loaded:
            folder = tiny_model(task)
            if backend == "onnxruntime":
                graph = tmp_path_factory.mktemp("graph")
                export(str(folder), graph, task)
                folder = graph
            loaded[backend, task] = create_task(backend, task, str(folder))
        return loaded[backend, task]

    yield serve
    for task in loaded.values():
        task.close()


def answers(task: LocalTask, *rows: dict[str, Any], **more: Any) -> list[TaskOutput | RowError]:
    """What a batch of rows of one request each is answered."""
    batch = [task.task.input.validated({**fields, **more}) for fields in rows]
    return task.backend.run(batch)


@pytest.mark.parametrize(("backend", "name"), CASES)
def test_a_cut_is_told_with_its_row(served: Any, backend: str, name: str) -> None:
    whole, cut = answers(served(backend, name), *ROWS[name])
    assert isinstance(whole, TaskOutput)
    assert isinstance(cut, TaskOutput)
    assert whole.warning == ""
    found = COUNTS.search(cut.warning)
    assert found, cut.warning
    assert 0 < int(found[1]) < int(found[2])
    assert int(found[2]) >= len(WORDS)


@pytest.mark.parametrize(("backend", "name"), CASES)
def test_a_row_that_is_not_to_be_cut_fails_alone(served: Any, backend: str, name: str) -> None:
    whole, cut = answers(served(backend, name), *ROWS[name], truncate=False)
    assert isinstance(whole, TaskOutput)
    assert isinstance(cut, RowError)
    sent, read = map(int, re.findall(r"\d+", cut.message))
    assert sent >= len(WORDS) > read


def test_those_above_are_all_that_may_cut() -> None:
    from wherry.tasks.registry import get_task, task_names

    may = {name for name in task_names() if "truncate" in get_task(name).input.parameter_names()}
    assert may - {"summarization", "text2text-generation", "translation"} == set(ROWS)


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
