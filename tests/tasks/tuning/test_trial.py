"""With models of the tasks' own libraries, in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.tuning.candidates import candidates_of
from wherry.tasks.tuning.trial import Trial, TrialPlan

from ...support import tiny


def exported(folder: Path, build: Callable[[Path], Path]) -> Path:
    """A model without the graphs that it was built with."""
    build(folder)
    for graph in folder.glob("*.onnx"):
        graph.unlink()
    return folder


def said(task: str, source: Path, export: Path) -> list[Mapping[str, Any]]:
    declared = ModelDeclaration(name="m", task=task, source=str(source), parameters={"threads": 1})
    plan = TrialPlan(
        task=task,
        device="cpu",
        asked="cpu",
        candidates=candidates_of(declared, "cpu"),
        sizes=[1, 2],
        tolerance=declared.most_apart,
        export=str(export),
    )
    heard: list[Mapping[str, Any]] = []
    trial = Trial(plan, heard.append)
    try:
        trial.run()
    finally:
        trial.close()
    return heard


@pytest.mark.parametrize(
    ("task", "build"), [("image-classification", tiny.vit), ("embedding", tiny.bert)]
)
def test_the_export_answers_as_the_model_and_both_are_timed(
    task: str, build: Callable[[Path], Path], tmp_path: Path
) -> None:
    heard = said(task, exported(tmp_path / "model", build), tmp_path / "export")
    (alike,) = (each for each in heard if each.get("alike") == "onnxruntime float32")
    assert alike["difference"] < 1e-5
    assert alike["first_changed"] == 0
    assert alike["rows"] >= 5
    timed = {(each["timed"], each["size"]) for each in heard if "timed" in each}
    names = ("transformers float32", "onnxruntime float32")
    assert timed >= {(name, size) for name in names for size in (1, 2)}
    assert (tmp_path / "export" / "model.onnx").is_file()
    assert not list(tmp_path.glob("*.part-*"))


def test_a_graph_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    tiny.vit(tmp_path / "model")
    tiny.vit(tmp_path / "other", problem_type="multi_label_classification")
    (tmp_path / "other" / "config.json").replace(tmp_path / "model" / "config.json")
    heard = said("image-classification", tmp_path / "model", tmp_path / "export")
    assert [each["alike"] for each in heard if "alike" in each]  # the folder's graph, by its config
