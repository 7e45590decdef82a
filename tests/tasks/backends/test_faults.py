"""What a backend makes of a full device, and of folders that are not what they should be."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from wherry.protocol.errors import OutOfMemory
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.transformers.base import is_out_of_memory
from wherry.tasks.create import create_task
from wherry.tasks.vision.image_classification import ImageClassificationInput

from ...support import tiny


def rows() -> Any:
    return ImageClassificationInput(images=tiny.images()).rows()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_out_of_memory_in_every_dress(error: RuntimeError) -> None:
    assert is_out_of_memory(error)


def test_other_errors_are_not() -> None:
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_torch_out_of_memory_is_ours_and_lets_go_of_the_batch(
    vit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = create_task("transformers", "image-classification", str(vit))
    held: list[weakref.ref[torch.Tensor]] = []

    def forward(pixel_values: torch.Tensor) -> None:
        activations = torch.ones(3)
        held.append(weakref.ref(activations))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(task.backend.model, "forward", forward)  # type: ignore[attr-defined] # a backend of transformers
    with pytest.raises(OutOfMemory) as caught:
        task.backend.run(rows())
    gc.collect()
    assert caught.value.retryable
    assert held[0]() is None  # else a retry with half the rows would run beside it


def test_other_errors_of_the_model_pass_through(vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = create_task("transformers", "image-classification", str(vit))

    def forward(pixel_values: torch.Tensor) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(task.backend.model, "forward", forward)  # type: ignore[attr-defined] # a backend of transformers
    with pytest.raises(RuntimeError, match="boom"):
        task.backend.run(rows())
    assert task.backend.device.busy_s > 0


class Full:
    """A session of a device without memory; the runtime's exceptions derive from Exception."""

    def __init__(self, session: Any, text: str) -> None:
        self._session, self._text = session, text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, *_: object) -> None:
        raise Exception(self._text)  # noqa: TRY002 # see above


def test_onnxruntime_out_of_memory_is_ours(vit: Path) -> None:
    backend: Any = create_task("onnxruntime", "image-classification", str(vit)).backend
    session = backend.graph.session
    backend.graph.session = Full(
        session, "Failed to allocate memory for requested buffer of size 8"
    )
    with pytest.raises(OutOfMemory):
        backend.run(rows())
    backend.graph.session = Full(session, "INVALID_ARGUMENT")
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        backend.run(rows())


def test_a_folder_without_a_graph(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"no \.onnx file"):
        create_task("onnxruntime", "image-classification", str(tmp_path))


def test_another_name_of_the_graph(vit: Path, tmp_path: Path) -> None:
    for path in vit.iterdir():
        name = "net.onnx" if path.name == "model.onnx" else path.name
        (tmp_path / name).write_bytes(path.read_bytes())
    task = create_task("onnxruntime", "image-classification", str(tmp_path))
    assert task.run(images=tiny.images()).output("label").shape == [4, 3]


def test_a_processor_that_onnx_cannot_follow(vit: Path, tmp_path: Path) -> None:
    for path in vit.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tiny.edit_json(tmp_path / "preprocessor_config.json", image_processor_type="MysteryProcessor")
    with pytest.raises(ModelRefused, match="preprocessor_config"):
        create_task("onnxruntime", "image-classification", str(tmp_path))


def test_unknown_dtype() -> None:
    with pytest.raises(ValueError, match="dtype 'int4'"):
        create_task("transformers", "embedding", "x", {"dtype": "int4"})
