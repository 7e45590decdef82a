"""With models of the tasks' own libraries, in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.tuning import trial
from wherry.tasks.tuning.candidates import Contender, candidates_of
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
    tried = Trial(plan, heard.append)
    try:
        tried.run()
    finally:
        tried.close()
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


def taken(wall_s: float, cpu_s: float) -> trial._Taken:
    return trial._Taken(wall_s, cpu_s)


#: The second computes for three quarters of the time, but waited for a core in two rounds of three.
BUSY = [{"first": taken(1.0, 0.9), "second": taken(wall_s, 0.675)} for wall_s in (0.8, 2.0, 3.0)]


@pytest.mark.parametrize(("by_cpu", "ratio"), [(True, 0.75), (False, 2.0)])
def test_of_one_core_each_the_time_that_was_computed_counts(*, by_cpu: bool, ratio: float) -> None:
    assert trial._settled(BUSY, by_cpu=by_cpu)["second"] == pytest.approx(ratio)


@pytest.mark.parametrize(
    ("threads", "device", "by_cpu"),
    [(1, "cpu", True), (2, "cpu", False), (1, "cuda:0", False), (0, "cpu", False)],
)
def test_and_of_several_or_of_a_gpu_the_time_that_passed(
    threads: int, device: str, monkeypatch: pytest.MonkeyPatch, *, by_cpu: bool
) -> None:
    monkeypatch.setattr(trial, "usable_cores", lambda: 4)
    own = Contender(backend="stub", parameters={"threads": threads}, source=None)
    plan = TrialPlan(
        task="text-generation",
        device=device,
        asked=device,
        candidates=[own],
        sizes=[1],
        tolerance=1e-3,
    )
    assert Trial(plan, lambda _: None)._is_by_cpu() == by_cpu
