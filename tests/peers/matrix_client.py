"""Independent readers: each reads one output as its own documentation says, and tells what it saw.

Usage: matrix_client.py CELLS PHOTOS, where CELLS is a JSON list of [reader, output]; prints a line
a cell, `pictures` or `error`. A picture is {image, size, objects}, an object has what its reader
knows of label, score, box (left, top, right, bottom), mask (base64 of packed bits), points, text.
"""

from __future__ import annotations

import base64
import importlib.metadata
import importlib.util
import json
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np


def seen(image, size, objects):
    return {"image": str(image), "size": size_of(size), "objects": objects}


def size_of(size):
    return None if size is None else [int(n) for n in size]


def corners(left, top, width, height):
    return [float(n) for n in (left, top, left + width, top + height)]


def packed(mask):
    mask = np.asarray(mask) > 0
    bits = base64.b64encode(np.packbits(mask).tobytes()).decode()
    return {"shape": list(mask.shape), "bits": bits}


def points_of(numbers):
    """x, y of COCO's triples."""
    return [[float(x), float(y)] for x, y in zip(numbers[::3], numbers[1::3], strict=False)]


# --- COCO ---


def pycocotools(path, photos):
    from pycocotools.coco import COCO

    coco = COCO(path)
    for image in coco.loadImgs(coco.getImgIds()):
        objects = []
        for found in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
            told = {"score": found.get("score"), "text": found.get("caption")}
            if "category_id" in found:
                told["label"] = coco.loadCats(found["category_id"])[0]["name"]
                told["box"] = corners(*found["bbox"])
            if found.get("segmentation"):
                told["mask"] = packed(coco.annToMask(found))
            if "keypoints" in found:
                told["points"] = points_of(found["keypoints"])
            objects.append(told)
        yield seen(image["file_name"], (image["width"], image["height"]), objects)


def supervision_coco(path, photos):
    import supervision as sv

    masks = "segmentation" in (json.loads(Path(path).read_text())["annotations"] or [{}])[0]
    dataset = sv.DetectionDataset.from_coco(photos, path, force_masks=masks)
    yield from supervision_seen(dataset, photos)


def supervision_seen(dataset, photos):
    for file, image, found in dataset:
        objects = [
            {
                "label": dataset.classes[found.class_id[at]],
                "box": [float(n) for n in found.xyxy[at]],
                "score": None if found.confidence is None else float(found.confidence[at]),
                **({} if found.mask is None else {"mask": packed(found.mask[at])}),
            }
            for at in range(len(found))
        ]
        yield seen(Path(file).relative_to(photos), image.shape[1::-1], objects)


def globox_coco(path, photos):
    from globox import AnnotationSet

    yield from globox_seen(AnnotationSet.from_coco(path))


def globox_seen(found):
    for one in found:
        boxes = [
            {
                "label": box.label,
                "score": box.confidence,
                "box": [float(n) for n in (box.xmin, box.ymin, box.xmax, box.ymax)],
            }
            for box in one.boxes
        ]
        yield seen(one.image_id, one.image_size, boxes)


def datumaro_coco(kind):
    def read(path, photos):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "annotations").mkdir()
            (root / "images").mkdir()
            name = "person_keypoints" if kind == "coco_person_keypoints" else kind[5:]
            (root / "images" / "default").symlink_to(photos)
            document = path
            if kind == "coco_panoptic":
                document = Path(path, "panoptic.json")
                (root / "annotations" / "panoptic_default").symlink_to(Path(path, "panoptic"))
            (root / "annotations" / f"{name}_default.json").symlink_to(document)
            yield from datumaro_seen(folder, kind, root / "images" / "default")

    return read


def told_of(found, labels, kinds):
    told = {"score": found.attributes.get("score")}
    if getattr(found, "label", None) is not None:
        told["label"] = labels[found.label].name
    if found.type is kinds.bbox:
        told["box"] = [float(n) for n in found.points]
    elif found.type is kinds.mask:
        told["mask"] = packed(found.image)
    elif found.type is kinds.points:
        told["points"] = np.reshape(found.points, (-1, 2)).tolist()
    elif found.type is kinds.caption:
        told["text"] = found.caption
    return told


def datumaro_seen(folder, kind, pictures):
    import datumaro as dm

    dataset = dm.Dataset.import_from(str(folder), kind)
    labels = dataset.categories().get(dm.AnnotationType.label)
    for item in dataset:
        size = item.media.size if item.media is not None else None
        objects: dict[Any, Any] = {}
        for place, found in enumerate(item.annotations):
            told = told_of(found, labels, dm.AnnotationType)
            # A mask or points, and the box around them, are a group.
            whole = objects.setdefault(found.group or f"alone {place}", {})
            if "points" in whole and "points" in told:  # points of one object, each its own
                whole = objects.setdefault(f"another {place}", {})
            whole |= told
        assert item.media is not None, f"no picture: {item.id}"
        name = Path(item.media.path).relative_to(pictures)
        assert item.media.data is not None, f"no picture: {name}"
        yield seen(name, size and size[::-1], list(objects.values()))


# --- tables ---


def nested(rows):
    """Rows of `detections` or the like, as lists of structs."""
    for row in rows:
        objects = []
        if "text" in row:
            objects = [{"text": row["text"]}]
        for name in ("detections", "segments", "results", "keypoints"):
            for item in row[name] if row.get(name) is not None else []:
                objects.append(table_object(item))
        yield seen(row["id"], row["size"], objects)


def table_object(item):
    told = {name: item[name] for name in ("label", "score") if name in item}
    if item.get("box") is not None:
        told["box"] = [float(item["box"][name]) for name in ("xmin", "ymin", "xmax", "ymax")]
    if "x" in item:
        told["points"] = [[float(item["x"]), float(item["y"])]]
    if item.get("mask") is not None:
        from pycocotools import mask as coco_mask

        counts = item["mask"]["counts"]
        size = [int(n) for n in item["mask"]["size"]]
        told["mask"] = packed(coco_mask.decode({"size": size, "counts": counts}))
    return told


def by_lines(records):
    """Rows of CSV: a line an item."""
    rows: dict[Any, Any] = {}
    for line in records:
        line = {name: None if value != value else value for name, value in line.items()}
        row = rows.setdefault(line["id"], seen(line["id"], (line["width"], line["height"]), []))
        if line.get("text") is not None:
            row["objects"].append({"text": line["text"]})
        elif line.get("score") not in (None, ""):
            told = {"label": line["label"], "score": float(line["score"])}
            if "xmin" in line:
                told["box"] = [float(line[name]) for name in ("xmin", "ymin", "xmax", "ymax")]
            if "x" in line:
                told["points"] = [[float(line["x"]), float(line["y"])]]
            row["objects"].append(told)
    return rows.values()


def pandas_jsonl(path, photos):
    import pandas as pd

    yield from nested(pd.read_json(path, lines=True, dtype=False).to_dict("records"))


def polars_jsonl(path, photos):
    import polars as pl

    yield from nested(pl.read_ndjson(path, infer_schema_length=None).to_dicts())


def duckdb_rows(call):
    import duckdb

    found = duckdb.sql(f"SELECT * FROM {call}")
    return [dict(zip(found.columns, row, strict=False)) for row in found.fetchall()]


def duckdb_jsonl(path, photos):
    yield from nested(duckdb_rows(f"read_ndjson_auto('{path}', sample_size=-1)"))


def datasets_rows(kind, path):
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        yield from datasets.load_dataset(kind, data_files=path, split="train", cache_dir=cache)


def datasets_jsonl(path, photos):
    yield from nested(datasets_rows("json", path))


def pandas_parquet(path, photos):
    import pandas as pd

    yield from nested(pd.read_parquet(path).to_dict("records"))


def polars_parquet(path, photos):
    import polars as pl

    yield from nested(pl.read_parquet(path).to_dicts())


def duckdb_parquet(path, photos):
    yield from nested(duckdb_rows(f"read_parquet('{path}')"))


def datasets_parquet(path, photos):
    yield from nested(datasets_rows("parquet", path))


def pyarrow_parquet(path, photos):
    import pyarrow.parquet as pq

    yield from nested(pq.read_table(path).to_pylist())


def pandas_csv(path, photos):
    import pandas as pd

    frame = pd.read_csv(path, keep_default_na=False, na_values={"width": [""]})
    yield from by_lines(frame.to_dict("records"))


def polars_csv(path, photos):
    import polars as pl

    yield from by_lines(pl.read_csv(path, infer_schema_length=None).to_dicts())


def duckdb_csv(path, photos):
    yield from by_lines(duckdb_rows(f"read_csv('{path}')"))


def datasets_csv(path, photos):
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        rows = datasets.load_dataset(
            "csv", data_files=path, split="train", cache_dir=cache, keep_default_na=False
        )
        yield from by_lines(rows)


def pyarrow_csv(path, photos):
    from pyarrow import csv

    yield from by_lines(csv.read_csv(path).to_pylist())


def datasets_folder(path, photos):
    import datasets

    yield from nested(datasets.load_from_disk(path))


def polars_folder(path, photos):
    import polars as pl

    for shard in sorted(Path(path).glob("*.arrow")):
        yield from nested(pl.read_ipc_stream(shard).to_dicts())


# --- folders of masks ---


def opencv_masks(path, photos):
    import cv2

    for line in (Path(path) / "manifest.jsonl").read_text().splitlines():
        row = json.loads(line)
        objects = [
            {
                "label": segment["label"],
                "score": segment["score"],
                "mask": packed(cv2.imread(f"{path}/{segment['mask']}", cv2.IMREAD_GRAYSCALE)),
            }
            for segment in row["segments"]
        ]
        yield seen(row["id"], row["size"], objects)


def opencv_semantic(path, photos):
    import cv2

    labels = json.loads((Path(path) / "classes.json").read_text())
    for line in (Path(path) / "images.jsonl").read_text().splitlines():
        row = json.loads(line)
        classes = np.asarray(cv2.imread(f"{path}/{row['file']}", cv2.IMREAD_UNCHANGED))
        objects = [
            {"label": labels[str(number)], "mask": packed(classes == number)}
            for number in np.unique(classes)
            if number
        ]
        yield seen(row["id"], classes.shape[::-1], objects)


# --- folders for training ---


def row_ids(path, key):
    """Files of an output -> the rows that they are of."""
    rows = map(json.loads, (Path(path) / "images.jsonl").read_text().splitlines())
    return {row[key]: row["id"] for row in rows}


def named(path, key, pictures):
    """Pictures under their rows' ids."""
    ids = row_ids(path, key)
    return [picture | {"image": ids[picture["image"]]} for picture in pictures]


def supervision_yolo(path, photos):
    import supervision as sv

    dataset = sv.DetectionDataset.from_yolo(f"{path}/images", f"{path}/labels", f"{path}/data.yaml")
    yield from named(path, "picture", supervision_seen(dataset, path))


def supervision_voc(path, photos):
    import supervision as sv

    dataset = sv.DetectionDataset.from_pascal_voc(f"{path}/JPEGImages", f"{path}/Annotations")
    yield from named(path, "picture", supervision_seen(dataset, path))


def globox_voc(path, photos):
    from globox import AnnotationSet

    found = globox_seen(AnnotationSet.from_pascal_voc(f"{path}/Annotations", recursive=True))
    yield from named(path, "picture", [p | {"image": f"JPEGImages/{p['image']}"} for p in found])


def globox_labelme(path, photos):
    from globox import AnnotationSet

    # It keeps the picture's name alone, which no other has here.
    names = {p.name: p.relative_to(photos) for p in Path(photos).rglob("*.*")}
    for picture in globox_seen(AnnotationSet.from_labelme(path, recursive=True)):
        yield picture | {"image": str(names[picture["image"]])}


def globox_cvat(path, photos):
    from globox import AnnotationSet

    yield from globox_seen(AnnotationSet.from_cvat(path))


def datumaro_folder(kind, pictures, key="id", file=""):
    """A folder as Datumaro wants it: the output, and pictures where it looks for them."""

    def read(path, photos):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "set"
            if file:
                root.mkdir()
                shutil.copy(path, root / file)
            else:
                shutil.copytree(path, root)
            if not (root / pictures).exists():
                shutil.copytree(photos, root / pictures)  # it follows no link out of the folder
            found = list(datumaro_seen(root, kind, root / pictures))
        for one in found:  # what is no object is a mask of its own
            one["objects"] = [o for o in one["objects"] if o.get("label") != "background"]
        if key == "picture":
            found = [one | {"image": f"{pictures}/{one['image']}"} for one in found]
            found = named(path, key, found)
        yield from found

    return read


def ultralytics(task):
    """What it trains on."""

    def read(path, photos):
        from ultralytics.data.dataset import YOLODataset
        from ultralytics.data.utils import check_det_dataset, polygon2mask

        data = check_det_dataset(f"{path}/data.yaml", autodownload=False)
        dataset = YOLODataset(img_path=data["train"], data=data, task=task, augment=False)
        ids = row_ids(path, "picture")
        for row in dataset.labels:
            height, width = row["shape"]
            size, objects = np.array([width, height]), []
            for at, (x, y, wide, high) in enumerate(row["bboxes"] * np.tile(size, 2)):
                told = {"label": data["names"][int(row["cls"][at, 0])]}
                if task == "detect":
                    told["box"] = corners(x - wide / 2, y - high / 2, wide, high)
                elif task == "segment":
                    polygon = row["segments"][at] * size
                    told["mask"] = packed(polygon2mask((height, width), [polygon.ravel()]))
                elif task == "pose":
                    told["points"] = (row["keypoints"][at][:, :2] * size).tolist()
                objects.append(told)
            yield seen(ids[str(Path(row["im_file"]).relative_to(path))], (width, height), objects)

    return read


def import_ultralytics():
    """It asks for torchvision's version, and needs it for suppression alone, which is not run."""
    version = importlib.metadata.version
    fake = {"torchvision": "0.28.0"}
    setattr(  # noqa: B010 # to types it is no variable
        importlib.metadata, "version", lambda name: fake.get(name) or version(name)
    )
    import ultralytics  # noqa: F401 # for what it does when imported


# --- Label Studio ---


def label_studio(control, name, one="Label"):
    """The SDK's converter, over predictions that were taken for annotations."""

    def read(path, photos):
        from label_studio_sdk.converter import Converter

        tasks = json.loads(Path(path).read_text())
        labels = {
            label
            for task in tasks
            for result in task["predictions"][0]["result"]
            for label in result["value"].get(control.lower(), [])
        }
        held = "".join(f"<{one} value={quoteattr(label)}/>" for label in sorted(labels))
        view = f'<{control} name="{name}" toName="image">{held}</{control}>'
        config = f'<View><Image name="image" value="$image"/>{view}</View>'
        for number, task in enumerate(tasks):
            task["id"], task["annotations"] = number, task.pop("predictions")
        with tempfile.TemporaryDirectory() as folder:
            given = Path(folder) / "tasks.json"
            given.write_text(json.dumps(tasks))
            converter = Converter(config, folder, download_resources=False)
            yield from told_by(control, converter, str(given), folder, photos)

    return read


def told_by(control, converter, given, folder, photos):
    if control == "RectangleLabels":
        converter.convert_to_coco(given, folder, is_dir=False)
        for picture in pycocotools(f"{folder}/result.json", photos):
            name = Path(picture["image"]).relative_to(photos)
            yield seen(name, None, picture["objects"])
        return
    from label_studio_sdk.converter.brush import decode_from_annotation

    for item in converter.iter_from_json_file(given):
        objects = []
        for found in item["output"].get("brush", []):
            [layer] = decode_from_annotation("brush", [found]).values()
            objects.append({"label": found["brushlabels"][0], "mask": packed(layer)})
        objects += [{"text": found["text"][0]} for found in item["output"].get("text", [])]
        yield seen(Path(item["input"]["image"]).relative_to(photos), None, objects)


# --- the Open Inference Protocol ---


def tritonclient_lines(path, photos):
    from tritonclient.http import InferResult

    for line in Path(path).read_bytes().splitlines():
        answer = InferResult.from_response_body(line)
        tensors = {
            told["name"]: answer.as_numpy(told["name"]) for told in answer.get_response()["outputs"]
        }
        if "text" in tensors:
            objects = [{"text": text} for text in tensors["text"].tolist()]
        else:
            objects = [
                {"label": label, "score": float(score), "box": [float(edge) for edge in box]}
                for label, score, box in zip(
                    tensors["label"][0], tensors["score"][0], tensors["box"][0], strict=False
                )
            ]
        yield seen(answer.get_response()["id"], None, objects)


# --- running ---

READERS: dict[str, Any] = {
    **{name: read for name, read in globals().items() if callable(read)},
    **{
        f"datumaro_{kind}": datumaro_coco(kind)
        for kind in ("coco_instances", "coco_person_keypoints", "coco_captions", "coco_panoptic")
    },
    "datumaro_cvat": datumaro_folder("cvat", "images", file="default.xml"),
    "datumaro_datumaro": datumaro_folder("datumaro", "images/default"),
    "datumaro_open_images": datumaro_folder("open_images", "images/default"),
    "datumaro_indexed": datumaro_folder("voc_segmentation", "JPEGImages"),
    "datumaro_voc": datumaro_folder("voc_detection", "JPEGImages", "picture"),
    "datumaro_yolo": datumaro_folder("yolo", "images", "picture"),
    "ultralytics_detect": ultralytics("detect"),
    "ultralytics_segment": ultralytics("segment"),
    "ultralytics_pose": ultralytics("pose"),
    "ultralytics_obb": ultralytics("obb"),
    "label_studio_box": label_studio("RectangleLabels", "box"),
    "label_studio_brush": label_studio("BrushLabels", "brush"),
    "label_studio_text": label_studio("TextArea", "text"),
}


def main(cells, photos):
    print_to, sys.stdout = sys.stdout, sys.stderr  # readers print as they please
    if importlib.util.find_spec("ultralytics"):
        import_ultralytics()
    for reader, path in json.loads(Path(cells).read_text()):
        try:
            line: dict[str, Any] = {"pictures": list(READERS[reader](path, photos))}
        except Exception as error:
            trace = traceback.format_exc(limit=-3)
            line = {"error": f"{type(error).__name__}: {error}\n{trace}"}
        print(json.dumps(line, default=lambda value: value.item()), file=print_to, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
