"""What a reader of labels sees in folders that `wherry annotate` wrote; a line a picture.

Usage: labels_client.py READER FOLDER, where FOLDER holds one folder for each kind.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def supervision(folder: Path) -> Iterator[dict[str, Any]]:
    import numpy as np
    from supervision import ClassificationDataset, DetectionDataset

    for kind in ("yolo", "yolo-seg"):
        for part in ("train", "val"):
            read = DetectionDataset.from_yolo(
                *(str(folder / kind / under / part) for under in ("images", "labels")),
                str(folder / kind / "data.yaml"),
                force_masks=kind == "yolo-seg",
            )
            for path, _, found in read:
                masks = [] if found.mask is None else found.mask
                yield {
                    "kind": kind,
                    "picture": Path(path).name,
                    "names": [read.classes[number] for number in found.class_id],
                    "boxes": found.xyxy.tolist(),
                    "masks": [np.packbits(mask).tobytes().hex() for mask in masks],
                }
    for part in ("train", "val"):
        tree = ClassificationDataset.from_folder_structure(str(folder / "yolo-classify" / part))
        for path, _, label in tree:
            names = [tree.classes[number] for number in label.class_id]
            yield {"kind": "yolo-classify", "picture": Path(path).name, "names": names}


def datumaro(folder: Path) -> Iterator[dict[str, Any]]:
    from datumaro import AnnotationType, Dataset

    read = Dataset.import_from(str(folder / "voc"), "voc")
    names = [label.name for label in read.categories()[AnnotationType.label]]
    for item in read:
        boxes = [box for box in item.annotations if box.type is AnnotationType.bbox]
        yield {
            "kind": "voc",
            "part": item.subset,
            "picture": str(Path(item.media.path).relative_to(folder / "voc" / "JPEGImages")),
            "names": [names[box.label] for box in boxes],
            "boxes": [box.points for box in boxes],
        }


reader, source = sys.argv[1:]
out, sys.stdout = sys.stdout, sys.stderr  # their logs go there
for line in {"supervision": supervision, "datumaro": datumaro}[reader](Path(source)):
    print(json.dumps(line), file=out)
