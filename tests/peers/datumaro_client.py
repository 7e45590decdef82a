"""Read what `wherry annotate` wrote, as Datumaro does: each line an item of a data set.

Arguments: a folder that holds `FORMAT-TASK`, each as its format has it, and `photos`.
"""

import json
import pathlib
import shutil
import sys
import tempfile
from typing import Any

import numpy as np
from datumaro.components.annotation import AnnotationType as Type
from datumaro.components.dataset import Dataset

FOLDER = pathlib.Path(sys.argv[1])
#: Format -> Datumaro's name for it, and where it looks for photographs.
READ = {
    "cvat": ("cvat", "images"),
    "datumaro": ("datumaro", "images/default"),
    "open-images": ("open_images", "images/default"),
    "indexed-masks": ("voc_segmentation", "JPEGImages"),
}


def main() -> None:
    for path in sorted(FOLDER.iterdir()):
        kind = next((kind for kind in READ if path.name.startswith(kind)), None)
        if kind:
            with tempfile.TemporaryDirectory() as folder:
                read(path, kind, pathlib.Path(folder) / "set")


def read(path: pathlib.Path, kind: str, folder: pathlib.Path) -> None:
    name, photos = READ[kind]
    if path.is_dir():
        shutil.copytree(path, folder)
    else:
        folder.mkdir()
        shutil.copy(path, folder / "default.xml")
    shutil.copytree(FOLDER / "photos", folder / photos)
    found = Dataset.import_from(str(folder), name)
    labels = found.categories()[Type.label]
    for item in found:
        size = item.media and item.media.size
        entry = {"case": path.name, "id": item.id, "size": size and [size[1], size[0]]}
        print(json.dumps({**entry, "found": [facts(a, labels) for a in item.annotations]}))


def facts(annotation: Any, labels: Any) -> dict[str, Any]:
    told = {"type": annotation.type.name}
    if annotation.type == Type.caption:
        return {**told, "caption": annotation.caption}
    told["label"] = labels[annotation.label].name
    if "score" in annotation.attributes:
        told["score"] = float(annotation.attributes["score"])
    if annotation.type == Type.bbox:
        told["box"] = list(annotation.points)
    if annotation.type == Type.points:
        told |= {"points": list(annotation.points), "group": annotation.group}
    if annotation.type == Type.mask:
        told["pixels"] = np.flatnonzero(annotation.image).tolist()
    return told


main()
