#!/usr/bin/env bash
# Datumaro 1.13.12 reads no COCO file with two pictures that differ in the suffix alone.
#
# COCO tells pictures apart by a number; Datumaro by the path without its last suffix. Seen:
# `cats/1.png` beside `cats/1.webp`, with ids 1 and 2, ends in RepeatedItemError, though each has a size
# and boxes of its own; `cats/1.png` beside `dogs/1.webp` is read. pycocotools 2.0.11 reads both. The
# error comes from going over the items: `import_from` itself raises nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datumaro==1.13.12 pycocotools==2.0.11 pillow==12.3.0
cd "$folder"
venv/bin/python -W ignore - <<'PY'
import contextlib
import io
import json
from pathlib import Path

from datumaro import Dataset
from PIL import Image
from pycocotools.coco import COCO

file = Path("set/annotations/instances_train.json")
file.parent.mkdir(parents=True)
for name in ("cats/1.png", "cats/1.webp", "dogs/1.webp"):
    picture = Path("set/images/train", name)
    picture.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30)).save(picture)


def read(*names: str) -> tuple[int, str]:
    """How many pictures pycocotools reads, and what Datumaro reads or raises."""
    numbered = list(enumerate(names, start=1))
    box = {"category_id": 1, "bbox": [1, 2, 30, 20], "area": 600, "iscrowd": 0, "segmentation": []}
    coco = {
        "images": [{"id": n, "file_name": name, "width": 40, "height": 30} for n, name in numbered],
        "categories": [{"id": 1, "name": "animal"}],
        "annotations": [{"id": n, "image_id": n, **box} for n, _ in numbered],
    }
    file.write_text(json.dumps(coco))
    with contextlib.redirect_stdout(io.StringIO()):
        whole = len(COCO(str(file)).imgs)
    dataset = Dataset.import_from("set", "coco")
    try:
        return whole, " ".join(sorted(item.id for item in dataset))
    except Exception as error:
        return whole, f"{type(error).__name__}: {error}"


same, other = read("cats/1.png", "cats/1.webp"), read("cats/1.png", "dogs/1.webp")
print("one name, two suffixes:", *same, "| two folders:", *other)
assert other == (2, "cats/1 dogs/1")
assert same[0] == 2 and same[1].startswith("RepeatedItemError") and "'cats/1'" in same[1]
PY
echo "as before: the suffix tells no two pictures apart"
