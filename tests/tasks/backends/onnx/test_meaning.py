"""Whatever the dialect: labels that fit, numbers that are some, and the graph that was meant."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import transformers as hf

from wherry.protocol.errors import BackendError
from wherry.tasks.backends import backend_table
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.onnx.adapter import GraphInfo
from wherry.tasks.backends.onnx.checks import chances, finite
from wherry.tasks.backends.onnx.dialects import dialects, resolve
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.export import export

from ....support import tiny
from . import graphs

PIXELS = ("pixel_values", (1, 3, 64, 64))
PROCESSOR = {"image_processor_type": "ViTImageProcessor", "size": {"height": 64, "width": 64}}
NAN, INF = float("nan"), float("inf")


def looking(folder: Path, outputs: dict[str, Any], config: dict[str, Any], **more: Any) -> Path:
    """A folder with a graph that looks at images behind a processor."""
    arrays = {name: np.asarray(values, dtype=np.float32) for name, values in outputs.items()}
    graphs.constant(folder, arrays, image=PIXELS, **more)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def named(*labels: str) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels))}


def labels(task: LocalTask, **fields: Any) -> list[str]:
    row = task.task.input.validated(fields) if fields else task.backend.example()
    (answer,) = task.backend.run([row])
    assert not isinstance(answer, Exception)
    return sorted(one.label for one in answer.results[0])  # type: ignore[attr-defined] # of labels


def test_two_labels_without_names_are_called_the_same_on_both_backends(tmp_path: Path) -> None:
    folder = tmp_path / "two"
    config = hf.ViTConfig(**tiny.SMALL, image_size=64, patch_size=16, num_labels=2)
    tiny.save(folder, hf.ViTForImageClassification(config), tiny.ViTImageProcessorPil(**SIZE))
    assert "id2label" not in json.loads((folder / "config.json").read_text())
    export(str(folder), tmp_path / "onnx", "image-classification")
    for backend, source in (("transformers", folder), ("onnxruntime", tmp_path / "onnx")):
        with create_task(backend, "image-classification", str(source)) as task:
            assert labels(task) == ["LABEL_0", "LABEL_1"], backend


SIZE: Any = {"size": {"height": 64, "width": 64}}


@pytest.mark.parametrize(
    ("task", "outputs", "has"),
    [
        ("image-classification", {"logits": np.zeros((1, 5))}, 5),
        ("image-segmentation", {"logits": np.zeros((1, 4, 16, 16))}, 4),
        # RT-DETR and Deformable DETR have no column for 'no object': theirs is a sigmoid.
        (
            "object-detection",
            {"logits": np.zeros((1, 5, 3)), "pred_boxes": np.full((1, 5, 4), 0.5)},
            2,
        ),
    ],
)
def test_names_of_more_or_fewer_labels_are_refused(
    tmp_path: Path, task: str, outputs: dict[str, Any], has: int
) -> None:
    folder = looking(tmp_path, outputs, named("cat", "dog", "bird"))
    with pytest.raises(
        ModelRefused, match=f"id2label of config.json names 3 classes, the graph has {has}"
    ):
        create_task("onnxruntime", task, str(folder))
    (folder / "config.json").write_text(json.dumps(named(*"abcdef"[:has])))
    create_task("onnxruntime", task, str(folder)).close()


@pytest.mark.parametrize("told", [True, False])
def test_names_of_a_texts_labels_are_counted_too(
    tmp_path: Path, tiny_model: Callable[[str], Path], *, told: bool
) -> None:
    folder = tmp_path / "texts"
    export(str(tiny_model("text-classification")), folder, "text-classification")
    if not told:
        graph = onnx.load(folder / "model.onnx")
        graph.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "labels"
        onnx.save(graph, folder / "model.onnx")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **named("one", "two")}))
    with pytest.raises(ModelRefused, match="names 2 classes, the graph has 3"):
        create_task("onnxruntime", "text-classification", str(folder))
    del config["id2label"]
    (folder / "config.json").write_text(json.dumps(config))
    with create_task("onnxruntime", "text-classification", str(folder)) as task:
        assert labels(task, texts=["red"], top_k=3) == ["LABEL_0", "LABEL_1", "LABEL_2"]


DETR = {"logits": np.zeros((1, 5, 3)), "pred_boxes": np.full((1, 5, 4), 0.5)}
BOXES = {"boxes": [[8.0, 8, 16, 16]], "labels": [1.0], "scores": [0.5]}


@pytest.mark.parametrize(
    ("task", "outputs", "why"),
    [
        ("image-classification", {"logits": [[0, NAN]]}, "logits are not all numbers"),
        ("image-classification", {"logits": [[0, INF]]}, "logits are not all numbers"),
        ("image-segmentation", {"logits": np.full((1, 2, 8, 8), NAN)}, "logits are not all"),
        ("depth-estimation", {"predicted_depth": np.full((1, 8, 8), INF)}, "depth are not all"),
        ("object-detection", {**DETR, "logits": np.full((1, 5, 3), NAN)}, "logits are not all"),
        ("object-detection", {**DETR, "pred_boxes": np.full((1, 5, 4), INF)}, "pred_boxes are"),
        ("object-detection", {**BOXES, "boxes": [[NAN, 8, 16, 16]]}, "boxes are not all numbers"),
        ("object-detection", {**BOXES, "scores": [7.0]}, "to 7: they are no probabilities"),
        ("object-detection", {**BOXES, "scores": [NAN]}, "nan: they are no probabilities"),
        ("image-anonymization", {**BOXES, "scores": [7.0]}, "to 7: they are no probabilities"),
    ],
)
def test_what_is_no_number_or_no_probability_refuses_the_model(
    tmp_path: Path, task: str, outputs: dict[str, Any], why: str
) -> None:
    folder = looking(tmp_path, outputs, named("cat", "dog"))
    with pytest.raises(ModelRefused, match=why):
        create_task("onnxruntime", task, str(folder))


def test_an_answer_that_is_no_number_fails_its_row_later_too(tmp_path: Path) -> None:
    gain = {"logits": np.array([[0.0, 1e38]], dtype=np.float32)}
    folder = looking(
        tmp_path, {"logits": [[0, 3e38]]}, named("cat", "dog"), brightness=gain
    )  # white images, of 1 here, are beyond what a float can be
    with create_task("onnxruntime", "image-classification", str(folder)) as task:
        white = tiny.encode(tiny.Image.new("RGB", (64, 64), "white"))
        row = task.task.input.validated({"images": [white]})
        with pytest.raises(BackendError, match="logits are not all numbers"):
            task.backend.run([row])


def test_large_numbers_are_numbers() -> None:
    masked = np.full((4, 4), np.finfo(np.float32).min, dtype=np.float32)  # as OWL-ViT masks
    assert finite(masked, "logits") is masked
    assert chances(np.array([-0.005, 1.005], dtype=np.float32)).tolist() == [0, 1]


def test_images_of_whole_numbers_are_not_normalised(tmp_path: Path) -> None:
    gain = {"logits": np.array([[0.0, 1.0]], dtype=np.float32)}
    data = tiny.encode(tiny.Image.new("RGB", (64, 64), (200,) * 3))
    folder = looking(tmp_path, {"logits": [[0, -199]]}, named("a", "b"), brightness=gain, dtype=2)
    with create_task("onnxruntime", "image-classification", str(folder)) as task:
        output: Any = task.process(task.task.input.validated({"images": [data]}))
    best = output.results[0][0]
    assert (best.label, round(best.score, 4)) == ("b", round(1 / (1 + np.exp(-1)), 4))


def test_torchvisions_images_of_whole_numbers_too(tmp_path: Path) -> None:
    arrays = {name: np.asarray(values, dtype=np.float32) for name, values in BOXES.items()}
    gain = {"scores": np.array([1 / 512], dtype=np.float32)}
    graphs.constant(tmp_path, {**arrays, "scores": arrays["scores"] * 0}, brightness=gain, dtype=2)
    data = tiny.encode(tiny.Image.new("RGB", (64, 64), (192,) * 3))
    with create_task("onnxruntime", "object-detection", str(tmp_path)) as task:
        output: Any = task.process(task.task.input.validated({"images": [data], "threshold": 0.25}))
    assert [(one.label, one.score) for one in output.detections[0]] == [("LABEL_1", 0.375)]


def test_a_graph_is_looked_for_in_the_folder_onnx_and_chosen_by_file(tmp_path: Path) -> None:
    good, bad = {"logits": [[0, 1.0]]}, {"logits": [[1.0, 0]]}
    folder = looking(tmp_path / "model", good, named("a", "b"))
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "model.onnx")

    def best(**parameters: Any) -> str:
        with create_task("onnxruntime", "image-classification", str(folder), parameters) as task:
            (answer,) = task.backend.run([task.backend.example()])
            label: str = answer.results[0][0].label  # type: ignore[union-attr] # of labels
            return label

    assert best() == "b"
    other = looking(tmp_path / "other", bad, {}) / "model.onnx"
    shutil.copy(other, folder / "onnx" / "model_int8.onnx")
    assert best() == "b", "model.onnx is the one that is meant"
    assert best(file="onnx/model_int8.onnx") == "a"
    (folder / "onnx" / "model.onnx").rename(folder / "onnx" / "model_fp16.onnx")
    with pytest.raises(
        ModelRefused,
        match=r"holds onnx/model_fp16.onnx, onnx/model_int8.onnx: name one .* `file`, such as "
        r"file = 'onnx/model_fp16.onnx'",
    ):
        best()
    assert best(file="onnx/model_fp16.onnx") == "b"
    with pytest.raises(ModelRefused, match=r"holds no onnx/model_q4.onnx; there are onnx/"):
        best(file="onnx/model_q4.onnx")
    (folder / "onnx" / "model_int8.onnx").unlink()
    assert best() == "b", "the only one"


def test_a_file_that_is_no_graph_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph at all")
    with pytest.raises(ModelRefused, match=r"model.onnx: ONNX Runtime cannot open it: .*"):
        create_task("onnxruntime", "image-classification", str(tmp_path))


@pytest.mark.parametrize("task", backend_table()["onnxruntime"])
def test_a_dialect_forced_onto_other_names_is_refused(task: str) -> None:
    told = GraphInfo({"x": (1, 3)}, {"y": (1, 2)}, {}, {})  # some go by axes alone
    for dialect in dialects(task):
        with pytest.raises(ModelRefused, match=f"dialect '{dialect}' does not fit the graph"):
            resolve(task, told, dialect=dialect)


def test_whispers_graphs_are_known_by_their_names(
    tmp_path: Path, tiny_model: Callable[[str], Path]
) -> None:
    folder = tmp_path / "whisper"
    export(str(tiny_model("automatic-speech-recognition")), folder, "automatic-speech-recognition")
    shutil.copy(folder / "encoder_model.onnx", folder / "decoder_model.onnx")
    with pytest.raises(
        ModelRefused,
        match="decoder_model.onnx: expected .*input_ids -> logits, got",
    ):
        create_task("onnxruntime", "automatic-speech-recognition", str(folder))
