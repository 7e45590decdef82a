"""What a source is made for, as its files' names tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.check import check_model, own_backend, with_own_backend

WEIGHTS, GRAPH = "model.safetensors", "onnx/model.onnx"


def own(folder: Path, task: str, *files: str, **fields: Any) -> str:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    declared = ModelDeclaration(name="m", task=task, source=str(folder), **fields)
    return with_own_backend(declared).backend


@pytest.mark.parametrize(
    ("task", "files", "backend"),
    [
        ("embedding", [WEIGHTS], "transformers"),
        ("embedding", [GRAPH], "onnxruntime"),
        ("embedding", [WEIGHTS, GRAPH], "transformers"),
        ("text-to-image", ["model_index.json", f"unet/{WEIGHTS}"], "transformers"),
        ("tabular-classification", ["model.skops"], "sklearn"),
        ("custom", ["handler.py"], "handler"),
        ("image-to-image", [GRAPH], "transformers"),  # which says that there are no weights
        ("embedding", [], "transformers"),
    ],
)
def test_a_folders_files_tell(task: str, files: list[str], backend: str, tmp_path: Path) -> None:
    assert own(tmp_path, task, *files) == backend


@pytest.mark.parametrize(
    ("parameters", "backend"),
    [
        ({"threads": 1}, "transformers"),
        ({"dtype": "bfloat16"}, "transformers"),
        ({"dialect": "last-hidden-state"}, "onnxruntime"),
        ({"file": GRAPH}, "onnxruntime"),
        ({"precision": "fast"}, "openvino"),
        ({"colour": 1}, "transformers"),  # which says that it takes none
    ],
)
def test_a_parameter_that_only_one_takes_tells(
    parameters: dict[str, object], backend: str, tmp_path: Path
) -> None:
    assert own(tmp_path, "embedding", WEIGHTS, GRAPH, parameters=parameters) == backend


def test_a_hub_id_is_of_transformers() -> None:
    for source in ("some/model", None):
        declared = ModelDeclaration(name="m", task="embedding", source=source)
        assert with_own_backend(declared).backend == "transformers"


def test_what_names_its_backend_keeps_it(tmp_path: Path) -> None:
    assert own(tmp_path, "embedding", WEIGHTS, backend="stub") == "stub"


def test_a_check_says_what_its_own_backend_would(tmp_path: Path) -> None:
    declared = ModelDeclaration(name="m", task="embedding", source=str(tmp_path / "none"))
    named = declared.model_copy(update={"backend": "transformers"})
    assert [fault.text for fault in check_model(declared)] == [
        fault.text for fault in check_model(named)
    ]


def test_a_task_that_nothing_does_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_backend, "backend_table", lambda: {"stub": ["embedding"]})
    (fault,) = check_model(ModelDeclaration(name="m", task="embedding"))
    assert fault.text == "backend: nothing that is installed does embedding: name a backend"
