#!/usr/bin/env bash
# Datumaro 1.13.12 counts pixels from 0 in the two formats that count them from 1: VOC and MOT.
#
# In Pascal VOC a box around the whole of a 40 x 30 picture is 1, 1, 40, 30 (both ends lie in it); in
# MOTChallenge's text it is 1, 1, 40, 30 too (left, top, width, height). In COCO it is 0, 0, 40, 30.
# Seen: read as VOC it is 1, 1, 39, 29, a row and a column too small; read as MOT it is 1, 1, 40, 30
# and reaches out of the picture. Of COCO's, `voc` writes xmin 0, and `mot_seq_gt` writes left 0, which
# motmetrics 1.4.0, who knows MOT, reads as -1. Its own round trips hide it; between tools boxes move.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datumaro==1.13.12 motmetrics==1.4.0 pillow==12.3.0
cd "$folder"
venv/bin/python -W ignore - <<'PY'
import json
import logging
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import motmetrics
from datumaro import Dataset
from PIL import Image

logging.disable(logging.WARNING)
picture = Image.new("RGB", (40, 30))


def written(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


for place in ("voc/JPEGImages", "mot/img1", "coco/images/train"):
    Path(place).mkdir(parents=True)
    picture.save(Path(place, "000001.jpg"))
written("voc/ImageSets/Main/train.txt", "000001\n")
written(
    "voc/Annotations/000001.xml",
    "<annotation><filename>000001.jpg</filename>"
    "<size><width>40</width><height>30</height><depth>3</depth></size>"
    "<object><name>dog</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>40</xmax><ymax>30</ymax>"
    "</bndbox></object></annotation>",
)
written("mot/gt/gt.txt", "1,1,1,1,40,30,1,1,1\n")
written("mot/gt/labels.txt", "dog\n")
box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 40, 30], "area": 1200, "iscrowd": 0}
coco = {
    "images": [{"id": 1, "file_name": "000001.jpg", "width": 40, "height": 30}],
    "categories": [{"id": 1, "name": "dog"}],
    "annotations": [{**box, "segmentation": []}],
}
written("coco/annotations/instances_train.json", json.dumps(coco))

seen = {}
for folder, kind in (("coco", "coco"), ("voc", "voc"), ("mot", "mot_seq")):
    (item,) = Dataset.import_from(folder, kind)
    seen[folder] = item.annotations[0].get_bbox()
    print(folder, "read:", seen[folder])
assert seen == {"coco": [0, 0, 40, 30], "voc": [1, 1, 39, 29], "mot": [1, 1, 40, 30]}, seen

Dataset.import_from("coco", "coco").export("to_voc", "voc")
Dataset.import_from("coco", "coco").export("to_mot", "mot_seq_gt")
tree = ElementTree.parse("to_voc/Annotations/000001.xml")
corners = [float(corner.text) for corner in tree.find(".//bndbox")]


def measured(file: str) -> list[list[float]]:
    """The boxes of a MOT file as motmetrics takes them."""
    return motmetrics.io.loadtxt(file, fmt="mot16")[["X", "Y", "Width", "Height"]].values.tolist()


right, moved = measured("mot/gt/gt.txt"), measured("to_mot/gt/gt.txt")
print("COCO as VOC:", corners, "| motmetrics, MOT:", right, "| motmetrics, COCO as MOT:", moved)
assert corners == [0, 0, 40, 30]
assert right == [[0, 0, 40, 30]] and moved == [[-1, -1, 40, 30]]
PY
echo "as before: VOC and MOT are read and written a pixel off"
