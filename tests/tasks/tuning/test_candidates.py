"""What is tried where, of a folder whose files are empty."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.tuning import candidates as module
from wherry.tasks.tuning.candidates import candidates_of, other_candidates

GRAPH, EIGHT_BITS = "onnx/model.onnx", "onnx/model_quantized.onnx"
ALL = {"onnxruntime": "1", "onnxruntime-gpu": "1", "openvino": "1", "tensorrt": "1"}


@pytest.fixture(autouse=True)
def everything_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "versions", lambda: ALL)


def declared(folder: Path, files: Collection[str], **fields: object) -> ModelDeclaration:
    for name in ("model.safetensors", *files):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"")
    given = {"task": "image-classification", "source": str(folder), **fields}
    return ModelDeclaration.model_validate({"name": "m", **given})


def tried(model: ModelDeclaration, device: str = "cpu", units: Collection[str] = ()) -> list[str]:
    return [each.name for each in other_candidates(model, "transformers", device, units)]


@pytest.mark.parametrize(
    ("files", "fields", "units", "names"),
    [
        ([], {}, [], ["onnxruntime float32", "openvino float32"]),
        (
            [GRAPH],
            {},
            ["amx_bf16"],  # nobody asked for fewer bits
            [
                "onnxruntime float32 (the folder's graph)",
                "openvino float32 (the folder's graph)",
            ],
        ),
        ([], {"precision": "fast"}, [], ["onnxruntime float32", "openvino float32"]),
        (
            [EIGHT_BITS],
            {"precision": "fast"},
            ["avx512_bf16"],
            [
                *("onnxruntime float32", "openvino float32"),
                *("transformers bfloat16", "openvino bfloat16"),
                *(f"onnxruntime int8 ({EIGHT_BITS})", f"openvino int8 ({EIGHT_BITS})"),
            ],
        ),
        ([], {"parameters": {"dtype": "bfloat16"}}, [], []),
        ([GRAPH], {"task": "image-to-image"}, [], []),
        ([], {"task": "text-generation"}, [], []),  # of models that write none is exported
        ([], {"task": "text-to-speech"}, [], []),
    ],
)
def test_a_cpu_is_tried_with_what_it_can_do(
    files: list[str], fields: dict[str, object], units: list[str], names: list[str], tmp_path: Path
) -> None:
    assert tried(declared(tmp_path, files, **fields), units=units) == names


@pytest.mark.parametrize(
    ("precision", "names"),
    [
        ("exact", {"onnxruntime float32 (TensorRT)", "onnxruntime float32 (CUDA)"}),
        ("fast", {"transformers bfloat16 (sdpa)", "transformers float16 (sdpa)"}),
    ],
)
def test_a_gpu_is_tried_with_its_own(precision: str, names: set[str], tmp_path: Path) -> None:
    found = tried(declared(tmp_path, [], precision=precision), "cuda:0")
    assert names <= {*found}
    assert not any("openvino" in name for name in found)
    fewer = {name for name in found if "float16" in name}
    assert bool(fewer) == (precision == "fast")


def test_what_only_one_backend_serves_is_tried_with_nothing(tmp_path: Path) -> None:
    custom = ModelDeclaration(name="m", task="custom", source=str(tmp_path))
    assert [each.backend for each in candidates_of(custom, "cpu")] == ["handler"]


def test_graphs_alone_are_held_against_onnx_runtime(tmp_path: Path) -> None:
    model = declared(tmp_path, [GRAPH])
    (tmp_path / "model.safetensors").unlink()
    names = [each.name for each in candidates_of(model, "cpu")]
    assert names == ["onnxruntime float32", "openvino float32"]
