"""cvat-sdk's own auto-annotation over local pictures; prints a line of JSON a run.

Usage: cvat_client.py SRC URL FOLDER. Only the server is not there: its data set and its upload are
played, what lies between is the SDK's.
"""

from __future__ import annotations

import json
import logging
import pathlib
import sys
from types import SimpleNamespace
from typing import Any

SRC, URL, FOLDER = sys.argv[1:]
sys.path.insert(0, SRC)

import cvat_sdk.auto_annotation as cvataa
import PIL.Image
from cvat_sdk import models
from cvat_sdk.auto_annotation import driver
from cvat_sdk.masks import decode_mask

from wherry.client import cvat
from wherry.protocol.errors import InvalidRequest

PICTURES = sorted(pathlib.Path(FOLDER).glob("*.png"))


def say(run: str, **told: Any) -> None:
    print(json.dumps({"run": run, **told}), flush=True)


class Media:
    def __init__(self, path: pathlib.Path) -> None:
        self._path = path

    def load_image(self) -> PIL.Image.Image:
        return PIL.Image.open(self._path)


def server_label(label: Any, number: int) -> Any:
    """A label as the server has it: with an id of its own."""
    sublabels = [
        models.Sublabel(name=one.name, id=900 + at, type="points", attributes=[])
        for at, one in enumerate(getattr(label, "sublabels", []))
    ]
    return SimpleNamespace(
        name=label.name, id=500 + number, type="any", attributes=[], sublabels=sublabels
    )


def annotate(function: Any, labels: list[Any] | None = None, **options: Any) -> dict[str, Any]:
    """What the SDK would upload of all pictures."""
    specs = function.spec.labels
    dataset = SimpleNamespace(
        labels=labels or [server_label(label, at) for at, label in enumerate(specs)],
        samples=[
            SimpleNamespace(frame_name=path.name, frame_index=at, media=Media(path))
            for at, path in enumerate(PICTURES)
        ],
    )
    uploaded: list[Any] = []

    def update_annotations(task_id: int, labeled_data_request: Any) -> None:
        uploaded.append(labeled_data_request)

    api = SimpleNamespace(update_annotations=update_annotations)
    client = SimpleNamespace(logger=logging.getLogger("cvat"), tasks=SimpleNamespace(api=api))
    driver.TaskDataset = lambda *_, **__: dataset
    cvataa.annotate_task(client, 7, function, clear_existing=True, **options)
    [request] = uploaded
    found: dict[str, Any] = request.to_dict()
    return found


def named(function: Any) -> dict[int, str]:
    return {500 + at: label.name for at, label in enumerate(function.spec.labels)}


def detection(model: str, **options: Any) -> None:
    """The labels by which the fleet tells them, and the shapes under the server's ids."""
    function = cvat.create(model, url=URL, **options)
    found = annotate(function, conf_threshold=0.05)
    for shape in found["shapes"]:
        shape["label"] = named(function)[shape["label_id"]]
        points = [label.name for label in getattr(function.spec.labels[0], "sublabels", [])]
        for element in shape.get("elements", []):
            element["label"] = points[element["label_id"] - 900]
        if shape["type"] == "mask":
            size = PIL.Image.open(PICTURES[shape["frame"]]).size
            mask = decode_mask(shape["points"], image_width=size[0], image_height=size[1])
            shape["pixels"] = int(mask.sum())
    for tag in found["tags"]:
        tag["label"] = named(function)[tag["label_id"]]
    kinds = sorted({str(label.type) for label in function.spec.labels})
    say(model, kinds=kinds, **found)


def interaction() -> None:
    function = cvat.create_interaction("mask-generation", url=URL)
    context = SimpleNamespace()
    image = PIL.Image.open(PICTURES[0])
    pp_image = function.preprocess_image(context, image)
    drawn: dict[str, dict[str, object]] = {
        "click": {"pos_points": [(22, 28)], "neg_points": [(90, 4)], "bounding_box": None},
        "box": {"pos_points": [], "neg_points": [], "bounding_box": ((4, 10), (40, 46))},
    }
    for name, prompts in drawn.items():
        [shape] = function.detect(context, pp_image, SimpleNamespace(**prompts))
        mask = decode_mask(shape.points, image_width=image.width, image_height=image.height)
        [score] = [float(one.value) for one in shape.attributes]
        say(name, type=shape.type, pixels=int(mask.sum()), score=score)


def refusals() -> None:
    for model in ("embedding", "zero-shot-object-detection"):
        try:
            cvat.create(model, url=URL)
        except InvalidRequest as error:
            say("refused", model=model, text=error.message)
    try:
        cvat.create_interaction("object-detection", url=URL)
    except InvalidRequest as error:
        say("refused", model="object-detection", text=error.message)


def main() -> None:
    for model in ("object-detection", "image-segmentation", "keypoint-detection"):
        detection(model)
    detection("image-classification")
    detection("zero-shot-object-detection", labels="a red circle, a red square")
    function = cvat.create("image-segmentation", url=URL)
    polygons = annotate(function, conf_threshold=0.05, conv_mask_to_poly=True)
    say("polygons", types=sorted({shape["type"] for shape in polygons["shapes"]}))
    few = [server_label(function.spec.labels[0], 0)]
    rest = annotate(function, few, conf_threshold=0.0, allow_unmatched_labels=True)
    say("unmatched", labels=sorted({shape["label_id"] for shape in rest["shapes"]}))
    interaction()
    refusals()


main()
