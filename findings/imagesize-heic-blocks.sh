#!/usr/bin/env bash
# imagesize 2.0.1 answers a HEIC's coded size, which is larger than the picture.
#
# HEVC codes whole blocks; what is over is cut away by the item's clean aperture (`clap`). Seen, of
# HEIC that pillow-heif 1.8.1 wrote: 60 x 40 is answered as 64 x 64, 100 x 50 as 100 x 64, 641 x 481 as
# 642 x 482; 640 x 480 is right. So relative boxes come out too large for small or odd pictures alone.
# pillow-heif reads each with its own size, and of AVIF imagesize is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet imagesize==2.0.1 pillow-heif==1.8.1 pillow==13.0.0
"$folder/venv/bin/python" - <<'PY'
import io

import imagesize
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()
found = {}
for kind in ("HEIF", "AVIF"):
    for size in ((60, 40), (100, 50), (641, 481), (640, 480)):
        file = io.BytesIO()
        Image.new("RGB", size).save(file, kind)
        assert Image.open(io.BytesIO(file.getvalue())).size == size
        found[kind, size] = imagesize.get(io.BytesIO(file.getvalue()))
        print(kind, "picture:", size, "imagesize:", found[kind, size])
assert all(answer == size for (kind, size), answer in found.items() if kind == "AVIF"), found
assert found["HEIF", (60, 40)] == (64, 64)
assert found["HEIF", (100, 50)] == (100, 64)
assert found["HEIF", (641, 481)] == (642, 482)
assert found["HEIF", (640, 480)] == (640, 480)
PY
echo "as before: HEIC's clean aperture is passed over"
