from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wherry.protocol import v2
from wherry.protocol.errors import InvalidRequest, RowError
from wherry.tasks.backends import NAMED_ALONE, backend_places
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import create_task, supported_tasks
from wherry.tasks.export import export
from wherry.tasks.registry import task_names
from wherry.tasks.text.embedding import EmbeddingInput


def test_the_stub_does_every_task_and_each_has_a_real_backend() -> None:
    assert supported_tasks("stub") == {"stub": list(task_names())}
    assert supported_tasks("endpoint") == {"endpoint": list(task_names())}
    real = {name: tasks for name, tasks in supported_tasks().items() if name not in NAMED_ALONE}
    assert {task for tasks in real.values() for task in tasks} == set(task_names())


@pytest.mark.parametrize(
    ("backend", "task", "said"),
    [
        ("tensorrt", "embedding", "unknown backend 'tensorrt'"),
        ("stub", "origami", "unknown task 'origami'"),
    ],
)
def test_what_does_not_exist_is_a_value_error(backend: str, task: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        create_task(backend, task)


ABSENT = ("/no/such/model", "./model", "no/such/model", "~/no-such-model", "model.safetensors")


@pytest.mark.parametrize("backend", ["transformers", "onnxruntime"])
def test_a_path_that_is_not_there_is_asked_of_no_hub(backend: str) -> None:
    for task in backend_places(backend):
        for source in ABSENT:
            with pytest.raises(ModelRefused, match="there is no folder /") as told:
                create_task(backend, task, source)
            assert "\n" not in str(told.value)
    with pytest.raises(ModelRefused, match="there is no folder /no"):
        export("/no/such/model", Path("unwritten"), "embedding")
    assert not Path("unwritten").exists()


@pytest.mark.parametrize("backend", ["transformers", "onnxruntime"])
def test_a_package_that_is_not_installed_is_named(backend: str) -> None:
    with pytest.raises(ModelRefused, match="package 'no_such' is not installed"):
        create_task(backend, "embedding", "package:no_such/model")


@pytest.mark.parametrize("task", ["embedding", "text-to-speech"])
def test_a_graph_wants_a_folder(task: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelRefused, match="is a file: expected a folder with"):
        create_task("onnxruntime", task, str(tmp_path / "file"))
    with pytest.raises(ModelRefused, match="is no folder: expected a folder with"):
        create_task("onnxruntime", task, "owner/name")


def test_a_graph_wants_a_source() -> None:
    with pytest.raises(ModelRefused, match="no source is given"):
        create_task("onnxruntime", "embedding")


def test_unknown_backend_has_no_tasks() -> None:
    with pytest.raises(ValueError, match="unknown backend"):
        supported_tasks("tensorrt")


def test_unknown_parameter_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="colour"):
        create_task("stub", "embedding", model_params={"colour": 1})


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("wherry.tasks.backends.onnx")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # Python's way to make an import fail
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'wherry\[onnx\]'"):
        create_task("onnxruntime", "embedding", ".")


def test_process_answers_every_row() -> None:
    with create_task("stub", "embedding") as task:
        output = task.process(EmbeddingInput(texts=["a", "b", "a"]))
    rows = output.rows()
    assert rows[0] == rows[2] != rows[1]


def test_a_request_gets_its_id_and_its_choice_of_outputs() -> None:
    task = create_task("stub", "image-classification", "my-model")
    request = task.task.input.validated({"images": [b"x"]}).to_inference_request()
    chosen = request.model_copy(update={"id": "7", "outputs": [v2.RequestOutput(name="score")]})
    response = task(chosen)
    assert (response.id, response.model_name) == ("7", "my-model")
    assert [tensor.name for tensor in response.outputs] == ["score"]


def test_run_takes_fields() -> None:
    task = create_task("stub", "image-classification")
    assert task.run(image=b"x", top_k=2).output("label").shape == [1, 2]
    with pytest.raises(InvalidRequest, match="top_k"):
        task.run(image=b"x", top_k=0)


def test_a_bad_row_is_named_by_its_number() -> None:
    task = create_task("stub", "embedding", model_params={"reject_on": "bad"})
    with pytest.raises(RowError, match="row 1"):
        task.run(texts=["good", "bad"])
