from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from wherry.protocol.errors import ModelFailed
from wherry.tasks.backends.device import Device
from wherry.tasks.catalog import Catalog, ModelDeclaration
from wherry.tasks.tuning import tuner as module
from wherry.tasks.tuning.process import TrialLog
from wherry.tasks.tuning.trial import TrialPlan
from wherry.workers import tuning, warming
from wherry.workers.models import Models
from wherry.workers.settings import WorkerSettings
from wherry.workers.tuning import open_tuner

from ..support import tiny


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.vit(tmp_path_factory.mktemp("vit"))


def seen(rates: dict[str, float]) -> Callable[..., TrialLog]:
    """What a trial would say: rows a second by a backend's name."""

    def try_all(plan: TrialPlan, **_: object) -> TrialLog:
        rows_per_s = {each.name: {1: rates.get(each.backend, 1.0)} for each in plan.candidates}
        return TrialLog(plan.candidates, is_done=True, rates=rows_per_s)

    return try_all


def loaded(folder: Path, source: Path, **fields: object) -> Models:
    declared = ModelDeclaration.model_validate(
        {"name": "vit", "task": "image-classification", "source": str(source), **fields}
    )
    device = Device()
    settings = WorkerSettings(tuned_dir=folder / "tuned")
    models = Models(Catalog([declared]), {"vision"}, device, tuner=open_tuner(settings, device))
    models.load_all(strict=True)
    return models


def test_a_model_is_served_by_what_is_fastest_and_tells_it(
    vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And it is said as it goes, though workers of `wherry up` log warnings alone."""
    monkeypatch.setattr(module, "try_all", seen({"onnxruntime": 3.0}))
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
    models = loaded(tmp_path, vit)
    assert caplog.messages == [
        "model vit: trying once what serves it fastest here, 120 s at most",
        "model vit is served by onnxruntime float32 (the folder's graph): 3.00 times as fast as"
        " transformers float32 at 1 rows",
    ]
    (model,) = models
    told = model.facts()
    assert told["backend"] == "onnxruntime"
    assert str(told["runtime"]).startswith("onnxruntime")
    assert told["tuning"]["why"].startswith("3.00 times as fast")  # type: ignore[index] # a dict
    assert models.notes() == {}
    assert not model.differs_from(model.declaration)
    models.close()


def test_what_was_chosen_and_does_not_load_gives_way_to_the_models_own(
    vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "try_all", seen({"onnxruntime": 3.0}))

    def warm_backend(declared: ModelDeclaration, *given: object) -> object:
        if declared.backend == "onnxruntime":
            raise RuntimeError("no such instruction")
        return warming.warm_backend(declared, *given)  # type: ignore[arg-type] # as they come

    monkeypatch.setattr(tuning, "warm_backend", warm_backend)
    models = loaded(tmp_path, vit)
    (model,) = models
    assert model.facts()["backend"] == "transformers"
    note = models.notes()["vit:1"]
    assert "was chosen and does not load: RuntimeError: no such instruction" in note
    models.close()


def test_a_model_that_cannot_be_served_is_refused_before_anything_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "try_all", seen({}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFailed, match="holds no weights"):
        loaded(tmp_path, tmp_path / "empty")
