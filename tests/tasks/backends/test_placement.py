"""A model computes on the device that was asked for, or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
import torch

from wherry.tasks.backends import create_backend
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.device import Device
from wherry.tasks.backends.onnx.session import OnnxRuntime, check_place, open_session
from wherry.tasks.backends.transformers.base import torch_place
from wherry.tasks.export import export

NAMED = Device("cuda:0", asked="cuda:1")

pytestmark = pytest.mark.skipif(
    "CUDAExecutionProvider" in ort.get_available_providers() or torch.version.cuda is not None,
    reason="these are the refusals of runtimes without CUDA; tests/gpu has the others",
)


@pytest.fixture(scope="module")
def folder(tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    there = tmp_path_factory.mktemp("onnx") / "images"
    export(str(tiny_model("image-classification")), there, "image-classification")
    return there


def test_onnx_runtime_without_cuda_is_refused_and_told_what_to_install(folder: Path) -> None:
    backend = create_backend("onnxruntime", "image-classification", str(folder), device=NAMED)
    with pytest.raises(
        ModelRefused,
        match=r"^device cuda:1: .* no CUDAExecutionProvider, .*pip install onnxruntime-gpu.*$",
    ):
        backend.load()


def test_torch_without_cuda_is_refused_before_any_weight_is_read(tmp_path: Path) -> None:
    backend = create_backend("transformers", "text-classification", str(tmp_path), device=NAMED)
    with pytest.raises(ModelRefused, match=r"^device cuda:1: torch .* was built without CUDA; .*$"):
        backend.load()


def test_a_page_reader_without_cuda_is_refused() -> None:
    backend = create_backend("onnxruntime", "optical-character-recognition", None, device=NAMED)
    with pytest.raises(ModelRefused, match="CUDAExecutionProvider"):
        backend.load()


def test_a_gpu_that_auto_chose_gives_way_to_the_cpu_with_a_warning(
    folder: Path, tiny_model: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    chosen = Device("cuda:0", asked="auto:1")
    sources = {"onnxruntime": folder, "transformers": tiny_model("image-classification")}
    with caplog.at_level(logging.WARNING):
        for name, source in sources.items():
            backend = create_backend(name, "image-classification", str(source), device=chosen)
            backend.load()
            (answer,) = backend.run([backend.example()])
            assert not isinstance(answer, Exception)
            backend.close()
    first, second = chosen.warnings
    assert first.startswith("computing on the CPU: this ONNX Runtime has no CUDAExecutionProvider")
    assert second.startswith("computing on the CPU: torch")
    assert [record.getMessage() for record in caplog.records if record.name.endswith("placement")]


def test_a_device_that_onnx_runtime_is_not_used_on_is_refused(folder: Path) -> None:
    for name in ("mps", "rocm:0", "dml"):
        with pytest.raises(ModelRefused, match=f"device {name}: .*use cuda:N"):
            open_session(folder / "model.onnx", ort.SessionOptions(), Device(name), OnnxRuntime())


class Session:
    """One that ONNX Runtime made somewhere else than asked, as it does in silence."""

    @staticmethod
    def get_providers() -> list[str]:
        return ["CPUExecutionProvider"]


def test_a_provider_that_does_not_start_is_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, told = ort.InferenceSession, ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: told)
    with pytest.raises(ModelRefused, match=r"device cuda:1: .*could not start .*cudnn"):
        check_place(Session, NAMED)

    def broken(path: str, options: Any, *, providers: list[Any], **_: Any) -> Any:
        if providers != ["CPUExecutionProvider"]:
            raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected")
        return real(path, options, providers=providers)

    monkeypatch.setattr(ort, "InferenceSession", broken)
    with pytest.raises(ModelRefused, match=r"could not start .*CUDA failure 100"):
        open_session(folder / "model.onnx", ort.SessionOptions(), NAMED, OnnxRuntime())
    chosen = Device("cuda:0", asked="auto:0")
    open_session(folder / "model.onnx", ort.SessionOptions(), chosen, OnnxRuntime())
    assert "CUDA failure 100" in chosen.warnings[0]


def test_a_gpu_beyond_those_that_torch_sees_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.raises(ModelRefused, match="finds no GPU that it can use"):
        torch_place(NAMED)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert torch_place(NAMED) == "cuda:0"
    with pytest.raises(ModelRefused, match="torch sees 1 GPUs"):
        torch_place(Device("cuda:1"))
