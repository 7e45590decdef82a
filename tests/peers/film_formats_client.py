"""Independent readers of films' annotations: datumaro, motmetrics or pycocotools, by the argument.

Usage: film_formats_client.py READER FOLDER; prints a line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

FOLDER = Path(sys.argv[2])


def by_datumaro():
    from datumaro.components.annotation import AnnotationType
    from datumaro.plugins.data_formats.cvat.base import CvatBase
    from datumaro.plugins.data_formats.mot import MotSeqBase

    def seen(items):
        """Boxes: frame, label, corners, attributes."""
        labels = [category.name for category in items.categories()[AnnotationType.label].items]
        return [
            [
                int(item.attributes.get("frame", item.id)),
                labels[box.label],
                [round(corner, 2) for corner in box.points],
                box.attributes,
            ]
            for item in items
            for box in item.annotations
        ]

    return {
        "cvat-video": seen(CvatBase(str(FOLDER / "cvat-video/a.xml"))),
        "cvat-video-followed": seen(CvatBase(str(FOLDER / "cvat-video-followed/films/a.xml"))),
        "mot": seen(MotSeqBase(str(FOLDER / "mot/a/det/det.txt"))),
        "mot-followed": seen(MotSeqBase(str(FOLDER / "mot-followed/films/a/gt/gt.txt"))),
    }


def by_motmetrics():
    import motmetrics

    found = {}
    for name, file in (("mot", "a/det/det.txt"), ("mot-followed", "films/a/gt/gt.txt")):
        table = motmetrics.io.loadtxt(FOLDER / name / file, fmt="mot15-2D")
        found[name] = [
            [*map(int, at), *map(float, row)]
            for at, row in zip(table.index, table.to_numpy(), strict=True)
        ]
    followed = motmetrics.io.loadtxt(FOLDER / "mot-followed/films/a/gt/gt.txt", fmt="mot16")
    told = motmetrics.utils.compare_to_groundtruth(followed, followed, "iou")
    scores = motmetrics.metrics.create().compute(told, metrics=["mota", "num_unique_objects"])
    return {**found, "scores": [float(score) for score in scores.to_numpy()[0]]}


def by_pycocotools():
    from pycocotools.coco import COCO

    coco = COCO(str(FOLDER / "coco.json"))
    films = {film["id"]: film["name"] for film in coco.dataset["videos"]}
    return {
        "coco": [
            [films[image["video_id"]], image["frame_id"], coco.cats[box["category_id"]]["name"]]
            for box in coco.loadAnns(coco.getAnnIds())
            for image in coco.loadImgs(box["image_id"])
        ]
    }


def by_label_studio_sdk():
    from label_studio_sdk._extensions.label_studio_tools.postprocessing.video import (
        extract_key_frames,
    )
    from label_studio_sdk.label_interface import LabelInterface

    found = {}
    for config in sorted(FOLDER.glob("*.xml")):
        interface = LabelInterface(config.read_text(encoding="utf-8"))
        interface.validate()
        [file] = (FOLDER / config.stem).rglob("a.json")
        [task] = json.loads(file.read_text(encoding="utf-8"))
        [prediction] = task["predictions"]
        errors = interface.validate_prediction(prediction, return_errors=True)
        if not interface.validate_task({"data": task["data"]}):
            errors.append("data")
        frames = [
            [frame["frame"] for frame in track["value"]["sequence"]]
            for track in extract_key_frames(prediction["result"])
            if track["type"] == "videorectangle"
        ]
        found[config.stem] = {"errors": errors, "frames": frames}
    return found


READERS = {
    "datumaro": by_datumaro,
    "label-studio-sdk": by_label_studio_sdk,
    "motmetrics": by_motmetrics,
    "pycocotools": by_pycocotools,
}
sys.stdout, told = sys.stderr, sys.stdout  # they print, too
json.dump(READERS[sys.argv[1]](), told)
