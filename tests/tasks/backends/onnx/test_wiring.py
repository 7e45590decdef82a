"""Graphs of other names, layouts and images, as their operators describe them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import create_task
from wherry.tasks.locate import locate

from . import graphs

SIDE = 8
LABELS = ["red", "green", "blue"]

#: What opennsfw and many of Caffe's kin see: blue first, 0 to 255 around the mean.
CAFFE = {"channels": "BGR", "mean": [104.0, 117.0, 123.0], "rescale_factor": 1.0}


def picture(color: tuple[int, int, int] | None = None, size: tuple[int, int] = (12, 10)) -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise) if color is None else Image.new("RGB", size, color)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def classifier(
    folder: Path,
    *,
    last: bool = False,
    softmax: bool = False,
    kind: int = TensorProto.FLOAT,
    names: tuple[str, str] = ("data", "probs"),
) -> Path:
    """Weighs every pixel of an image of 8 x 8, channel by channel as the graph gets them."""
    shape: list[str | int] = ["batch", SIDE, SIDE, 3] if last else ["batch", 3, SIDE, SIDE]
    weights = np.random.default_rng(0).normal(0, 0.02, (3 * SIDE * SIDE, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", [names[0]], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["sums"]),
        helper.make_node("Softmax" if softmax else "Identity", ["sums"], [names[1]]),
        helper.make_node("Identity", ["flat"], ["features"]),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info(names[0], kind, shape)],
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 192]),
            helper.make_tensor_value_info(names[1], TensorProto.FLOAT, ["batch", 3]),
        ],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    return folder


def scores(folder: Path, images: list[bytes], **parameters: Any) -> NDArray[np.float64]:
    """(B, 3), in the order of the labels."""
    given = {"input": "data", "outputs": ["probs"], "labels": LABELS, **parameters}
    with create_task("onnxruntime", "image-classification", str(folder), given) as task:
        fields = task.task.input.validated({"images": images, "top_k": 3})
        output: Any = task.process(fields)
    found = [{one.label: one.score for one in row} for row in output.results]
    return np.array([[row[label] for label in LABELS] for row in found])


def own(folder: Path, image: bytes, prepare: Any) -> Any:
    """What the runtime answers to the image prepared by hand."""
    with Image.open(io.BytesIO(image)) as opened:
        pixels = np.asarray(opened.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    kind = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}[session.get_inputs()[0].type]
    (out,) = session.run(["probs"], {"data": prepare(pixels)[None].astype(kind)})
    return np.asarray(out, dtype=np.float64)[0]


def softmaxed(row: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(row - row.max())
    whole: NDArray[np.float64] = raised / raised.sum()
    return whole


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize(
    ("last", "parameters", "prepare"),
    [
        (False, {"std": [1.0] * 3}, lambda image: image.transpose(2, 0, 1) / 255),
        (
            False,
            {"mean": [0.5, 0.25, 0.125], "std": [0.5, 0.25, 1.0]},
            lambda image: ((image / 255 - [0.5, 0.25, 0.125]) / [0.5, 0.25, 1]).transpose(2, 0, 1),
        ),
        (True, CAFFE, lambda image: image[..., ::-1] - [104.0, 117, 123]),
        (True, {"layout": "NHWC", "rescale_factor": 1.0}, lambda image: image * 1.0),
    ],
)
def test_a_graph_of_other_names_and_images_answers_as_by_hand(
    tmp_path: Path, last: bool, parameters: dict[str, Any], prepare: Any, softmax: bool
) -> None:
    folder = classifier(tmp_path / "model", last=last, softmax=softmax)
    images = [picture(), picture((200, 40, 90), (5, 30)), picture((0, 255, 0))]
    raw = [own(folder, image, prepare) for image in images]
    expected = raw if softmax else [softmaxed(row) for row in raw]
    together = scores(folder, images, **parameters)
    assert together == pytest.approx(np.array(expected), abs=1e-5)
    assert scores(folder, images[1:2], **parameters) == pytest.approx(together[1:2], abs=1e-6)


def test_whole_numbers_in_need_no_words_on_their_images(tmp_path: Path) -> None:
    folder = classifier(tmp_path / "model", last=True, kind=TensorProto.UINT8)
    expected = softmaxed(own(folder, picture(), lambda image: image))
    assert scores(folder, [picture()])[0] == pytest.approx(expected, abs=1e-5)


def test_the_function_is_as_told(tmp_path: Path) -> None:
    folder = classifier(tmp_path / "model")
    raw = own(folder, picture(), lambda image: image.transpose(2, 0, 1) / 255)
    for function, expected in (("none", raw), ("sigmoid", 1 / (1 + np.exp(-raw)))):
        row = scores(folder, [picture()], std=[1.0] * 3, function_to_apply=function)
        assert row[0] == pytest.approx(expected, abs=1e-5)


def test_how_images_are_resized_is_as_told(tmp_path: Path) -> None:
    folder = classifier(tmp_path / "model")
    image = picture(size=(30, 50))
    found = {
        rule: scores(folder, [image], std=[0.1] * 3, resample=rule)[0].tolist()
        for rule in ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos", "opencv")
    }
    assert len({tuple(row) for row in found.values()}) == len(found)


@pytest.mark.parametrize("file", ["labels.txt", "labels.json"])
def test_labels_may_lie_in_a_file(tmp_path: Path, file: str) -> None:
    folder = classifier(tmp_path / "model")
    text = '["red", "green", "blue"]' if file.endswith("json") else "red\ngreen\nblue\n"
    (folder / file).write_text(text)
    assert scores(folder, [picture()], std=[1.0] * 3, labels=file).shape == (1, 3)


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"input": "", "outputs": []}, r"graph of inputs data \[batch, 3, 8, 8\].*`outputs` say"),
        ({"input": "photo"}, "input 'photo': the graph has data"),
        ({"outputs": ["logits"]}, "outputs 'logits': the graph has features, probs"),
        ({"outputs": "probs"}, "outputs 'probs': give a list of names"),
        ({"outputs": 1}, "outputs 1: give a list of names"),
        ({"mean": "0.5"}, "mean '0.5': give three numbers"),
        ({"labels": [1, 2, 3]}, "labels .*: give a list of names, or a file"),
        (
            {"input": "", "outputs": [], "dialect": "pixel-logits"},
            "'pixel-logits' does not fit .*data",
        ),
        ({"layout": "HWC"}, "layout 'HWC': use NCHW or NHWC"),
        ({"layout": "NHWC"}, r"pixel_values \['batch', 8, 3, 8\] is not \(B, 3, H, W\)"),
        ({"channels": "GBR"}, "channels 'GBR': use RGB or BGR"),
        ({"resample": "best"}, "resample 'best': use nearest or"),
        ({"mean": [0.5]}, r"mean \[0.5\]: give three numbers"),
        ({"mean": [104.0, 117.0, 123.0]}, "is of pixels of 0 to 255; .* unless rescale_factor"),
        ({"std": [0.0, 1.0, 1.0]}, "std .*: give numbers over 0"),
        ({"labels": ["red"]}, "names 1 classes, the graph has 3"),
        ({"labels": "labels.txt"}, "labels 'labels.txt': .*No such file"),
        ({"function_to_apply": "relu"}, "function_to_apply 'relu': use softmax, sigmoid or none"),
        ({}, "preprocessor_config.json is missing.*mean, std and rescale_factor can say"),
    ],
)
def test_words_that_mean_nothing_are_refused_in_one_line(
    tmp_path: Path, parameters: dict[str, Any], why: str
) -> None:
    folder = classifier(tmp_path / "model")
    if parameters:
        parameters = {"std": [1.0] * 3, **parameters}
    with pytest.raises(ModelRefused, match=why) as said:
        scores(folder, [picture()], **parameters)
    assert "\n" not in str(said.value)


def test_a_detector_of_other_names_is_read(tmp_path: Path) -> None:
    candidates = np.zeros((1, 7, 84), dtype=np.float32)
    candidates[0, :, 0] = [32, 32, 16, 8, 0, 0.75, 0.125]
    candidates[0, :2, 1:] = 60
    folder = graphs.constant(
        tmp_path / "yolo",
        {"boxes_and_more": candidates, "aside": np.zeros((1, 3), np.float32)},
        image=("photo", (1, 64, 64, 3)),
    )
    given = {"input": "photo", "outputs": ["boxes_and_more"], "labels": LABELS}
    with create_task("onnxruntime", "object-detection", str(folder), given) as task:
        output: Any = task.process(task.task.input.validated({"images": [picture()]}))
    (found,) = output.detections[0]
    assert (found.label, round(found.score, 4)) == ("green", 0.75)


def _reader(folder: Path, output: str, axes: list[str | int]) -> str:
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["b", "t"])
    out = helper.make_tensor_value_info(output, TensorProto.FLOAT, axes)
    cast = helper.make_node("Cast", ["input_ids"], [output], to=TensorProto.FLOAT)
    graph = helper.make_graph([cast], "texts", [ids], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, folder / "model.onnx")
    return str(folder)


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        (
            {"mean": [0.5, 0.5, 0.5], "channels": "BGR"},
            "channels, mean: dialect 'text-logits' looks at no images",
        ),
        ({"layout": "NHWC"}, "layout 'NHWC': the graph has no input of four axes"),
        ({"max_pixels": 99}, "max_pixels: dialect 'text-logits' looks at no images"),
        ({"input": ["input_ids", "", "", ""]}, "input .* takes input_ids, attention_mask"),
        ({"input": 3}, "input 3: give a name, or a list of names"),
        ({"outputs": ["logits", "logits"]}, r"outputs .*: dialect 'text-logits' reads logits$"),
    ],
)
def test_words_that_a_graph_of_texts_has_no_use_for_are_refused(
    tmp_path: Path, parameters: dict[str, Any], why: str
) -> None:
    folder = _reader(tmp_path, "logits", ["b", "t"])
    with pytest.raises(ModelRefused, match=why):
        create_task("onnxruntime", "text-classification", folder, parameters)


def test_words_that_a_dialect_has_no_use_for_are_refused(tmp_path: Path) -> None:
    folder = _reader(tmp_path, "sentence_embedding", ["b", "d"])
    with pytest.raises(
        ModelRefused, match="labels: embedding by dialect 'sentence-embedding' does"
    ):
        create_task("onnxruntime", "embedding", folder, {"labels": ["a", "b"]})
    vad = locate("package:silero_vad/data", tmp_path)
    for parameters, why in (
        (
            {"labels": ["no", "yes"]},
            "labels: audio-classification by dialect 'silero-vad' does not",
        ),
        ({"input": "input"}, "input 'input': dialect 'silero-vad' has names of its own"),
    ):
        with pytest.raises(ModelRefused, match=why):
            create_task(
                "onnxruntime",
                "audio-classification",
                vad,
                {"file": "silero_vad.onnx", **parameters},
            )
