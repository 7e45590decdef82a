#!/usr/bin/env bash
# Datumaro 1.13.1 reads Pascal VOC with other labels than VOC's twenty only beside a labelmap.txt.
#
# The 2012 development kit knows no such file: a label stands in each annotation. Seen: a folder with
# `dog` imports; the same folder with `forklift` ends in AnnotationImportError ("Undeclared label"),
# until a line `forklift:::` lies in labelmap.txt beside it. Who writes VOC for Datumaro or CVAT has
# to write that file too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datumaro==1.13.1 pillow==12.3.0
cd "$folder"
venv/bin/python - <<'PY'
from pathlib import Path

import datumaro
from PIL import Image

root = Path("voc")
for inner in ("JPEGImages", "Annotations", "ImageSets/Main"):
    (root / inner).mkdir(parents=True)
Image.new("RGB", (40, 30)).save(root / "JPEGImages/a.jpg")
(root / "ImageSets/Main/train.txt").write_text("a\n")


def imported(label: str) -> str:
    """The kinds of annotation that are read, or the error's name."""
    (root / "Annotations/a.xml").write_text(
        "<annotation><folder>JPEGImages</folder><filename>a.jpg</filename>"
        "<size><width>40</width><height>30</height><depth>3</depth></size>"
        f"<segmented>0</segmented><object><name>{label}</name><pose>Unspecified</pose>"
        "<truncated>0</truncated><difficult>0</difficult><bndbox><xmin>2</xmin><ymin>3</ymin>"
        "<xmax>20</xmax><ymax>25</ymax></bndbox></object></annotation>"
    )
    try:
        read = datumaro.Dataset.import_from(str(root), "voc")
        return " ".join(found.type.name for item in read for found in item.annotations)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


known, unknown = imported("dog"), imported("forklift")
(root / "labelmap.txt").write_text("forklift:::\n")
declared = imported("forklift")
print("dog:", known, "| forklift:", unknown, "| with labelmap.txt:", declared)
assert known == declared == "bbox"
assert unknown.startswith("AnnotationImportError") and "Undeclared label" in unknown
PY
echo "as before: other labels need labelmap.txt"
