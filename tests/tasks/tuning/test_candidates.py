"""What is tried where, of a folder whose files are empty."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import DTypeLike
from onnx import helper, numpy_helper

from wherry.tasks.backends.device import Device
from wherry.tasks.backends.onnx.weights import stored_in
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.tuning import candidates as module
from wherry.tasks.tuning.candidates import candidates_of, other_candidates
from wherry.tasks.tuning.tuner import Tuner

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


@pytest.mark.parametrize(
    ("precision", "names"),
    [
        # Exact is float32 throughout: of a graph of half precision an export stands in the place.
        ("exact", ["onnxruntime float32", "openvino float32"]),
        ("fast", [f"{name} float16 (the folder's graph)" for name in ("onnxruntime", "openvino")]),
    ],
)
def test_a_graph_is_called_what_its_weights_are_whatever_its_name(
    precision: str, names: list[str], tmp_path: Path
) -> None:
    model = declared(tmp_path, [GRAPH], precision=precision)
    save_graph(tmp_path / GRAPH, np.float16)
    assert tried(model) == names
    (tmp_path / "model.safetensors").unlink()
    assert candidates_of(model, "cpu")[0].name == "onnxruntime float16"


@pytest.mark.parametrize("said", [{"revision": "v1"}, {"dtype": "bfloat16"}])
def test_what_a_parameter_keeps_from_being_tried_is_named(
    said: dict[str, object], tmp_path: Path
) -> None:
    model = declared(tmp_path, [], parameters={"threads": 1, **said})
    verdict = Tuner(tmp_path / "tuned", Device(), "cpu").verdict(model)
    (first, *others) = verdict.tried
    assert verdict.chosen == first.candidate
    refused = {each.candidate.name: each.refused for each in others}
    (name,) = said
    assert refused == dict.fromkeys(
        ("onnxruntime float32", "openvino float32"), f"it does not take {name}"
    )
    assert f"it does not take {name}" in verdict.why


def save_graph(path: Path, kind: DTypeLike) -> None:
    weights = [numpy_helper.from_array(np.zeros((2, 30), kind), "weights")]
    weights += [numpy_helper.from_array(np.zeros(9, np.int64), "a shape")]
    node = helper.make_node("Identity", ["weights"], ["out"])
    graph = helper.make_graph([node], "graph", [], [], weights)
    onnx.save(helper.make_model(graph), path)


@pytest.mark.parametrize("kind", ["float32", "float16", "int8", "uint8"])
def test_what_weights_are_is_read_from_the_file(kind: str, tmp_path: Path) -> None:
    save_graph(tmp_path / "model.onnx", kind)
    assert stored_in(tmp_path / "model.onnx") == kind.removeprefix("u")


@pytest.mark.parametrize("content", [b"", b"no graph at all", b"\x3a\xff", b"\x3a\x7f\x2a\xff"])
def test_what_is_no_graph_is_left_to_who_opens_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    assert stored_in(tmp_path / "model.onnx") == "float32"


def test_what_a_declaration_computes_in_is_its_own_ones_name(tmp_path: Path) -> None:
    model = declared(tmp_path, [], parameters={"dtype": "bfloat16"})
    assert candidates_of(model, "cpu")[0].name == "transformers bfloat16"
