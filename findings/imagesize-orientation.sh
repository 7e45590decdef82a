#!/usr/bin/env bash
# imagesize 2.0.1 turns some kinds of picture as their EXIF says, and others not.
#
# The same picture of 40 x 20 with orientation 6 (a quarter turn: 20 x 40 as any viewer shows it).
# Seen: `imagesize.get` answers the displayed size for JPEG and TIFF, the stored one for PNG and WebP,
# so that boxes on the displayed picture and sizes from imagesize disagree for those two.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet imagesize==2.0.1 pillow==13.0.0
"$folder/venv/bin/python" - <<'PY'
import io

import imagesize
from PIL import Image, ImageOps

exif = Image.Exif()
exif[274] = 6
found = {}
for kind in ("JPEG", "TIFF", "PNG", "WEBP"):
    file = io.BytesIO()
    Image.new("RGB", (40, 20)).save(file, kind, exif=exif)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(file.getvalue()))).size
    found[kind] = imagesize.get(io.BytesIO(file.getvalue()))
    print(kind, "displayed:", shown, "imagesize:", found[kind])
    assert shown == (20, 40)
assert found == {"JPEG": (20, 40), "TIFF": (20, 40), "PNG": (40, 20), "WEBP": (40, 20)}, found
PY
echo "as before: orientation counts for JPEG and TIFF alone"
