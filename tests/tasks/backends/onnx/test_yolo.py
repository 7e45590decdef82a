"""The YOLO family's graphs: known by metadata and widths, read as their exporters mean them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wherry.protocol.errors import BackendError
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.boxes import BoxesOutput
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.vision.image_anonymization import ImageAnonymizationOutput

from . import graphs

#: Cells of 64 x 64 pixels in grids of 8, 16 and 32.
CELLS = 64 + 16 + 4

NAMES = {0: "person", 1: "bus", 2: "cat"}
WRITTEN = {"names": str(NAMES)}

#: As Ultralytics 8.4 writes it, but for what is of no use here.
ULTRALYTICS = {
    **WRITTEN,
    "task": "detect",
    "head": "Detect",
    "description": "Ultralytics YOLOv8n model",
    "imgsz": "[64, 64]",
    "stride": "32",
    "end2end": "False",
    "args": "{'batch': 1, 'nms': None, 'dynamic': False}",
}
TASK_SAYS = "the file says that its task is"


def picture(width: int = 64, height: int = 64, grey: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (grey,) * 3).save(buffer, "PNG")
    return buffer.getvalue()


def rows(count: int, *first: list[float], width: int = 0, x: float = 60.0) -> NDArray[np.float32]:
    """(1, count, width): the first as told, then boxes that nothing is in."""
    width = width or len(first[0])
    values = np.zeros((count, width), dtype=np.float32)
    values[:, :4] = [x, x, 4, 4]
    for row, told in enumerate(first):
        values[row] = told
    return values[None]


def first(values: NDArray[Any]) -> NDArray[Any]:
    """Columns before candidates."""
    return np.ascontiguousarray(values.transpose(0, 2, 1))


def yolo(folder: Path, values: NDArray[Any], **more: Any) -> Path:
    return graphs.constant(folder, {"output0": values.astype(np.float32)}, **more)


def found(folder: Path, image: bytes, **parameters: Any) -> list[tuple[Any, ...]]:
    """Label, score and edges of what is found."""
    with create_task("onnxruntime", "object-detection", str(folder), parameters) as task:
        return answered(task, image)


def answered(task: LocalTask, image: bytes) -> list[tuple[Any, ...]]:
    output = task.process(task.task.input.validated({"images": [image], "threshold": 0.25}))
    assert isinstance(output, BoxesOutput)
    return [
        (one.label, round(one.score, 4), *np.round([*one.box.model_dump().values()], 3).tolist())
        for one in output.detections[0]
    ]


#: A bus in the middle of 64 x 64, on 128 x 64 pixels: twice as large, below 16 lines of grey.
WIDE = picture(128, 64)
BUS_BOX = [32.0, 32.0, 16.0, 8.0]
BUS_EDGES = (48, 24, 80, 40)
RAW = rows(CELLS, [*BUS_BOX, 0.0, 0.75, 0.125])
OBJECTNESS = rows(3 * CELLS, [*BUS_BOX, 0.95, 0.0, 0.8, 0.125], [*BUS_BOX, 0.5, 0.25, 0, 0])
FINAL = np.zeros((1, 300, 6), dtype=np.float32)
FINAL[0, 0] = [24, 28, 40, 36, 0.75, 1]
RELATIVE = np.zeros((1, 300, 6), dtype=np.float32)
RELATIVE[0, 0] = [0.5, 0.5, 0.25, 0.25, 0.75, 1]


@pytest.mark.parametrize(
    ("values", "metadata", "dialect", "score", "edges"),
    [
        (first(RAW), ULTRALYTICS, "yolov8", 0.75, BUS_EDGES),
        (RAW, WRITTEN, "yolov8", 0.75, BUS_EDGES),
        # The objectness is no class: a bus of 0.95 x 0.8 and no 'person' of 0.95.
        (OBJECTNESS, WRITTEN, "yolov5", 0.76, BUS_EDGES),
        (OBJECTNESS, {"names": str([*NAMES.values()]), "stride": "32"}, "yolov5", 0.76, BUS_EDGES),
        (FINAL, {**ULTRALYTICS, "end2end": "True"}, "yolo-end2end", 0.75, BUS_EDGES),
        (FINAL, {**ULTRALYTICS, "args": "{'nms': True}"}, "yolo-end2end", 0.75, BUS_EDGES),
        (FINAL, WRITTEN, "yolo-end2end", 0.75, BUS_EDGES),  # 6 is neither 4 + 3 nor 5 + 3
        # 4 + 2 as well, but Ultralytics has raw candidates last; as it wrote before it wrote args.
        (FINAL, {"task": "detect", "names": "{0: 'a', 1: 'bus'}"}, "yolo-end2end", 0.75, BUS_EDGES),
        (
            RELATIVE,
            {**ULTRALYTICS, "head": "RTDETRDecoder"},
            "ultralytics-rtdetr",
            0.75,
            (48, 24, 80, 40),
        ),
        (
            rows(300, [0.5, 0.5, 0.25, 0.25, 0.0, 0.75, 0.5], x=0.5),
            {**WRITTEN, "task": "detect", "description": "Ultralytics rtdetr-l model"},
            "ultralytics-rtdetr",
            0.75,
            (48, 24, 80, 40),
        ),
    ],
)
def test_each_form_is_known_and_read_as_it_is_meant(
    tmp_path: Path,
    values: NDArray[Any],
    metadata: dict[str, str],
    dialect: str,
    score: float,
    edges: tuple[float, ...],
) -> None:
    values = values.copy()
    if dialect == "ultralytics-rtdetr":
        values[0, 1:, 2:4] = 0.0
    folder = yolo(tmp_path / "yolo", values, metadata=metadata)
    with create_task("onnxruntime", "object-detection", str(folder)) as task:
        assert task.backend.adapter.dialect == dialect  # type: ignore[attr-defined] # a DialectBackend
        assert answered(task, WIDE) == [("bus", score, *edges)]


@pytest.mark.parametrize(
    ("values", "metadata", "why"),
    [
        # The angle of a turned box behind its classes.
        (first(rows(CELLS, width=8)), {**ULTRALYTICS, "task": "obb"}, f"{TASK_SAYS} 'obb'"),
        (first(rows(CELLS, width=56)), {**ULTRALYTICS, "task": "pose"}, r"\(kpt_shape\)"),
        (first(rows(CELLS, width=8)), WRITTEN, "fit no YOLO of 3 class names"),
        (first(rows(CELLS, width=8)), ULTRALYTICS, "fit no YOLO of 3 class names"),
        (np.zeros((1, 1000), np.float32), {**ULTRALYTICS, "task": "classify"}, "'classify'"),
        # RT-DETR that does not say so: its boxes are relative.
        (rows(300, width=7, x=0.5), WRITTEN, "not in pixels"),
        (np.tile(RELATIVE[:, :1], (1, 300, 1)), WRITTEN, "not in pixels"),
        (FINAL[..., [2, 3, 0, 1, 4, 5]], WRITTEN, "they are no corners"),
        # YOLOX: a box a cell with objectness, in units of the cell.
        (rows(CELLS, width=8, x=0.5), WRITTEN, "fit no YOLO of 3 class names"),
        # No probabilities, no class, no number.
        (first(rows(CELLS, [*BUS_BOX, 0, 48, 0])), ULTRALYTICS, "to 48: they are no probab"),
        (first(rows(CELLS, [*BUS_BOX, 0, -3, 0])), ULTRALYTICS, "from -3 to 0: they are no"),
        (first(rows(CELLS, [*BUS_BOX, 0, np.nan, 0])), ULTRALYTICS, "NaN or infinite"),
        (first(rows(CELLS, [np.inf, 0, 1, 1, 0, 1, 0])), ULTRALYTICS, "NaN or infinite"),
        (FINAL * [1, 1, 1, 1, 9, 1], WRITTEN, "reach from 0 to 6.75"),
        (FINAL * [1, 1, 1, 1, 1, 0.5], WRITTEN, "no class of its own"),
        (FINAL * [1, 1, 1, 1, 1, 3], WRITTEN, "no class of its own"),
    ],
)
@pytest.mark.parametrize("task", ["object-detection", "image-anonymization"])
def test_what_is_no_such_detector_is_refused(
    tmp_path: Path, task: str, values: NDArray[Any], metadata: dict[str, str], why: str
) -> None:
    folder = yolo(tmp_path / "yolo", values, metadata=metadata)
    with pytest.raises(ModelRefused, match=why) as said:
        create_task("onnxruntime", task, str(folder))
    assert "\n" not in str(said.value)


def test_widths_that_fit_two_forms_want_a_word_of_the_operators(tmp_path: Path) -> None:
    nameless = yolo(tmp_path / "nameless", first(RAW))
    folder = yolo(tmp_path / "free", np.tile(RAW, (1, 2, 1)))  # on no grid, and no names
    with pytest.raises(
        ModelRefused, match=r"no class names, fit yolov5 and yolov8 alike: name one"
    ):
        create_task("onnxruntime", "object-detection", str(folder))
    assert found(folder, WIDE, dialect="yolov8") == [("LABEL_1", 0.75, *BUS_EDGES)]
    assert found(nameless, WIDE) == [("LABEL_1", 0.75, *BUS_EDGES)]  # one box a cell tells
    one_class = {"names": "{0: 'plate'}"}
    plates = yolo(tmp_path / "plates", rows(10, [*BUS_BOX, 0.5, 0.9]), metadata=one_class)
    with pytest.raises(ModelRefused, match="of 1 class names, fit yolo-end2end and yolov5 alike"):
        create_task("onnxruntime", "object-detection", str(plates))
    assert found(plates, WIDE, dialect="yolov5") == [("plate", 0.45, *BUS_EDGES)]
    many = yolo(tmp_path / "many", rows(3 * CELLS, [*BUS_BOX, 0.5, 0.9]), metadata=one_class)
    assert found(many, WIDE) == [("plate", 0.45, *BUS_EDGES)], "three boxes a cell tell"


def test_a_dialect_that_is_named_against_the_file_is_refused(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "yolo", FINAL, metadata={**ULTRALYTICS, "end2end": "True"})
    for dialect in ("yolov8", "yolov5", "ultralytics-rtdetr"):
        with pytest.raises(ModelRefused, match="by its file and its widths it is yolo-end2end"):
            create_task("onnxruntime", "object-detection", str(folder), {"dialect": dialect})
    with pytest.raises(ModelRefused, match="dialect 'yolo-end2end': .*'iou'"):
        create_task("onnxruntime", "object-detection", str(folder), {"iou": 0.5})


def test_yolov6_is_read_when_it_is_named(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "six", OBJECTNESS[:, :CELLS], metadata=WRITTEN)
    assert found(folder, WIDE, dialect="yolov5") == [("bus", 0.76, *BUS_EDGES)]
    yolox = yolo(
        tmp_path / "x",
        rows(336, [0.5, 0.25, 1, 1, 0.9, 0.9, 0, 0], x=0.5),
        image=("images", (1, 3, 128, 128)),
        labels=NAMES,
    )
    with pytest.raises(ModelRefused, match="not in pixels of its image, as .* YOLOX's are not"):
        create_task("onnxruntime", "object-detection", str(yolox), {"dialect": "yolov5"})


def test_names_of_more_or_fewer_classes_than_the_graph_has_are_refused(tmp_path: Path) -> None:
    folder = yolo(tmp_path / "yolo", first(RAW), metadata=ULTRALYTICS, labels={0: "a", 1: "b"})
    with pytest.raises(ModelRefused, match="fit no YOLO of 2 class names"):
        create_task("onnxruntime", "object-detection", str(folder))


def test_suppression_is_within_a_class_and_as_wide_as_asked(tmp_path: Path) -> None:
    # Shifted by 3 of 16 columns: they share 13 of 19, 0.684.
    beside = [35.0, 32.0, 16.0, 8.0]
    values = rows(CELLS, [*BUS_BOX, 0, 0.75, 0], [*beside, 0, 0.5, 0], [*BUS_BOX, 0.375, 0, 0])
    folder = yolo(tmp_path / "yolo", first(values), metadata=ULTRALYTICS)
    labels = [one[0] for one in found(folder, WIDE)]
    assert labels == ["bus", "bus", "person"], "0.684 is no more than 0.7"
    assert [one[0] for one in found(folder, WIDE, iou=0.65)] == ["bus", "person"]
    assert [one[0] for one in found(folder, WIDE, agnostic=True)] == ["bus", "bus"]


def test_a_score_that_is_none_never_leaves_and_fails_its_row_alone(tmp_path: Path) -> None:
    gain = np.zeros_like(first(RAW))
    gain[0, 5, 0] = 1.0
    folder = yolo(
        tmp_path / "yolo",
        first(RAW) * 0.5,
        metadata=ULTRALYTICS,
        brightness={"output0": gain},
    )
    task = create_task("onnxruntime", "object-detection", str(folder), {"dialect": "yolov8"})
    white = task.task.input.validated({"images": [picture(grey=255)], "threshold": 0.25})
    with pytest.raises(BackendError, match="to 1.375: they are no probabilities"):
        task.backend.run([white])
    assert len(answered(task, picture())) == 1


def test_whole_numbers_in_get_whole_pixels(tmp_path: Path) -> None:
    gain = np.zeros_like(first(RAW))
    gain[0, 5, 0] = 1 / 512
    values = first(rows(CELLS, [*BUS_BOX, 0, 0, 0]))
    folder = yolo(
        tmp_path / "yolo",
        values,
        dtype=2,  # uint8
        metadata=ULTRALYTICS,
        brightness={"output0": gain},
    )
    assert found(folder, picture(grey=192)) == [("bus", 0.375, 24, 28, 40, 36)]


def test_a_classifier_of_ultralytics_gives_its_own_probabilities(tmp_path: Path) -> None:
    metadata = {**ULTRALYTICS, "task": "classify", "head": "Classify"}
    chances = np.array([[0.125, 0.625, 0.25]], dtype=np.float32)
    folder = yolo(tmp_path / "yes", chances, metadata=metadata)
    with create_task("onnxruntime", "image-classification", str(folder)) as task:
        output: Any = task.process(task.task.input.validated({"images": [WIDE], "top_k": 2}))
    assert [(one.label, one.score) for one in output.results[0]] == [("bus", 0.625), ("cat", 0.25)]
    for values, told, why in (
        (chances, {}, "says no task"),
        (chances, ULTRALYTICS, "'detect'"),
        (chances * 4, metadata, "to 2.5: they are no probabilities"),
        (chances[:, :2], metadata, "the file names 3 classes, the graph has 2"),
    ):
        folder = yolo(tmp_path / why[:8], values, metadata=told)
        with pytest.raises(ModelRefused, match=why):
            create_task("onnxruntime", "image-classification", str(folder))


def test_anonymization_hides_what_each_form_finds(tmp_path: Path) -> None:
    for number, (values, metadata) in enumerate(
        (
            (OBJECTNESS, WRITTEN),
            (FINAL, {**ULTRALYTICS, "end2end": "True"}),
            (RELATIVE, {**ULTRALYTICS, "head": "RTDETRDecoder"}),
        )
    ):
        folder = yolo(tmp_path / str(number), values, metadata=metadata)
        with create_task("onnxruntime", "image-anonymization", str(folder)) as task:
            fields = {"images": [picture(128, 64, 200)], "strategy": "black_box"}
            output = task.process(task.task.input.validated(fields))
        assert isinstance(output, ImageAnonymizationOutput)
        assert output.num_regions_anonymized == [1]
        after = np.asarray(Image.open(io.BytesIO(output.anonymized_images[0])))
        black = np.argwhere((after == 0).all(axis=-1))
        left, top, right, bottom = BUS_EDGES
        assert (black.min(0).tolist(), black.max(0).tolist()) == (
            [top, left],
            [bottom - 1, right - 1],
        )
