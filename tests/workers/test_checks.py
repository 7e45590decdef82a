"""What is looked at before workers start."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.tasks.catalog import ModelDeclaration
from wherry.workers import checks
from wherry.workers.checks import CheckedModels, check

from ..support.models import model

MODELS = model("texts", "embedding") + model("pictures", "image-classification")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    path = tmp_path / "models.toml"
    path.write_text(MODELS)
    return path


def said(checked: CheckedModels) -> list[str]:
    return [str(finding) for finding in checked.findings]


def test_nothing_is_wrong(models: Path) -> None:
    checked = check(models, device="cpu")
    assert [model.name for model in checked.models] == ["texts", "pictures"]
    assert not checked.findings


def test_a_worker_is_asked_of_its_families_alone(models: Path) -> None:
    models.write_text(MODELS.replace('"stub"', '"stubb"'))
    assert said(check(models, families=["text"], device="cpu")) == [
        "model 'texts': backend: unknown backend 'stubb'; did you mean 'stub'?"
    ]
    assert not check(models, families=["audio"], device="cpu").findings


def test_a_file_at_fault_is_fatal_and_the_rest_is_told_too(models: Path) -> None:
    models.write_text(MODELS.replace('"embedding"', '"embeding"').replace('"stub"', '"stubb"'))
    checked = check(models, device="cpu")
    assert [finding.model for finding in checked.findings] == ["", "pictures"]
    assert "did you mean 'embedding'" in str(checked.fatal[0])
    assert checked.stopping(strict=False) == checked.findings, "whoever mends one sees the other"
    assert "no such file" in said(check(models.with_name("none.toml"), device="cpu"))[0]


def test_a_model_at_fault_stops_a_worker_only_where_all_must_be_served(models: Path) -> None:
    models.write_text(MODELS.replace('"stub"', '"stubb"', 1))
    checked = check(models, device="cpu")
    assert checked.stopping(strict=False) == []
    assert checked.stopping(strict=True) == checked.errors != []


def test_a_model_that_is_declared_twice_is_one_line(models: Path) -> None:
    models.write_text(MODELS + MODELS)
    assert any("given twice" in line for line in said(check(models, device="cpu")))


@pytest.mark.parametrize(
    ("device", "gpus", "fault"),
    [
        ("tpu", [], "device 'tpu': use cpu, cuda, cuda:N or auto"),
        ("cuda:0", [], "device 'cuda:0': this machine has no GPU; use cpu or auto"),
        (
            "cuda:2",
            [0, 1],
            "device 'cuda:2': this machine has cuda:0, cuda:1; use one of them or auto",
        ),
    ],
)
def test_a_device_that_is_not_there(models: Path, device: str, gpus: list[int], fault: str) -> None:
    checked = check(models, device=device, gpus=lambda: gpus)
    assert [str(finding) for finding in checked.fatal] == [fault]


@pytest.mark.parametrize(("device", "gpus"), [("cuda:1", [0, 1]), ("auto", [0, 1]), ("auto", [])])
def test_a_device_that_is_there(models: Path, device: str, gpus: list[int]) -> None:
    assert not check(models, device=device, gpus=lambda: gpus).findings


def test_a_gpu_is_no_use_to_a_torch_without_cuda(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.write_text(MODELS.replace("stub", "transformers"))
    monkeypatch.setattr(checks, "check_model", lambda model, *, handler_dir: [])
    monkeypatch.setattr(checks, "_is_cpu_torch", lambda: True)
    monkeypatch.setattr(checks, "free_bytes", lambda device: None)
    (fault,) = check(models, device="cuda:0", gpus=lambda: [0]).fatal
    assert "built for CPUs alone" in str(fault)
    (warning,) = check(models, device="auto", gpus=lambda: [0]).warnings
    assert "built for CPUs alone" in str(warning)


def test_more_weights_than_memory_is_a_warning(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weight(model: ModelDeclaration) -> int:
        return 3 << 30

    monkeypatch.setattr(checks, "weigh", weight)
    monkeypatch.setattr(checks, "free_bytes", lambda device: 5 << 30)
    checked = check(models, device="cpu")
    assert not checked.errors
    assert "the weights for cpu take 6.0 GiB and 5.0 GiB of memory are free" in said(checked)[0]
    assert "12.0 GiB" in said(check(models, device="cpu", per_family=2))[0]
    # A GPU each: neither is too full.
    assert not check(models, device="auto", gpus=lambda: [0, 1]).findings
