#!/usr/bin/env bash
# Datumaro 1.13.12 turns a JPEG's size as its EXIF says, but not its pixels.
#
# A picture of 40 x 20 with orientation 6 (a quarter turn: 20 x 40 as any viewer shows it), in a YOLO
# folder, with a box around the whole. Seen: of the JPEG `media.size` is the displayed one, 40 high and
# 20 wide, and the box is 20 x 40 to match; `media.data` is 20 high and 40 wide, so that half of the
# box lies outside of the pixels. Of PNG and WebP both are as stored, of TIFF both are displayed. Who
# cuts boxes out of `data` has to compare its shape with `size` first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datumaro==1.13.12 imagesize==2.0.1 pillow==12.3.0 \
    opencv-python-headless==4.14.0.94
cd "$folder"
venv/bin/python -W ignore - <<'PY'
from pathlib import Path

from datumaro import Dataset
from PIL import Image

exif = Image.Exif()
exif[274] = 6
root = Path("yolo")
(root / "obj_train_data").mkdir(parents=True)
(root / "obj.names").write_text("cat\n")
(root / "obj.data").write_text("classes = 1\ntrain = data/train.txt\nnames = data/obj.names\n")
kinds = ("jpg", "png", "tiff", "webp")
for kind in kinds:
    Image.new("RGB", (40, 20)).save(root / f"obj_train_data/{kind}.{kind}", exif=exif)
    (root / f"obj_train_data/{kind}.txt").write_text("0 0.5 0.5 1 1\n")
(root / "train.txt").write_text("".join(f"data/obj_train_data/{kind}.{kind}\n" for kind in kinds))
seen = {}
for item in Dataset.import_from(str(root), "yolo"):
    size, data = item.media.size, item.media.data.shape[:2]
    box = item.annotations[0].get_bbox()
    print(item.id, "height and width:", size, "of the pixels:", data, "box:", box)
    assert box == [0, 0, size[1], size[0]]
    seen[item.id] = size, data
stored, displayed = (20, 40), (40, 20)
assert seen == {
    "jpg": (displayed, stored),
    "png": (stored, stored),
    "tiff": (displayed, displayed),
    "webp": (stored, stored),
}, seen
PY
echo "as before: a turned JPEG's size and pixels disagree"
