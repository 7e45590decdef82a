"""FiftyOne reads what `wherry annotate` wrote; prints a line of JSON a fact.

Usage: fiftyone_client.py FOLDER WHERRY...: FOLDER has photos/, what was annotated of them, and the
home in which FiftyOne keeps its database; WHERRY... is the command that annotates photographs with
boxes, but for its source and output.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import sysconfig
from typing import Any

FOLDER, WHERRY = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
MONGOD = pathlib.Path(sysconfig.get_path("purelib"), "fiftyone", "db", "bin", "mongod")


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


# It runs on few systems beside the one that it was built for.
known = subprocess.run([MONGOD, "--version"], capture_output=True, text=True)
say(call="database", runs=known.returncode == 0, text=(known.stdout or known.stderr)[:300])
if known.returncode:
    sys.exit(0)

os.environ.update(
    HOME=str(FOLDER),
    FIFTYONE_DO_NOT_TRACK="true",
    FIFTYONE_LOGGING_LEVEL="WARNING",  # it writes to the standard output, as we do
    FIFTYONE_DATABASE_VALIDATION="false",  # it says that this MongoDB is the oldest that will do
)
os.chdir(FOLDER)

import fiftyone as fo  # type: ignore[import-not-found] # noqa: E402 # of this script's environment
import psutil  # type: ignore[import-untyped] # noqa: E402 # the same

FORM = fo.types.COCODetectionDataset


def main() -> None:
    try:
        read("boxes.json", "detections")
        read("masks.json", "segmentations")
        read("points.json", "keypoints")
        mine = fo.Dataset.from_dir("photos", dataset_type=fo.types.ImageDirectory, progress=False)
        label(mine)
        merge(mine)
    finally:
        # The database would see to this itself, some time after this process.
        left = psutil.Process().children(recursive=True)
        for process in left:
            process.terminate()
        psutil.wait_procs(left, timeout=30)


def read(file: str, label_types: str) -> None:
    dataset = fo.Dataset.from_dir(
        dataset_type=FORM,
        data_path="photos",
        labels_path=file,
        label_types=label_types,
        label_field="predictions",
        progress=False,
    )
    show(file, dataset)


def label(mine: Any) -> None:
    """Give photographs that FiftyOne has already the surest label of each."""
    with pathlib.Path("labels.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    labels = {
        str(pathlib.Path(row["path"]).absolute()): fo.Classification(
            label=row["results"][0]["label"], confidence=row["results"][0]["score"]
        )
        for row in rows
    }
    mine.set_values("kind", labels, key_field="filepath")
    for sample in mine.exists("kind"):
        say(
            call="labels.jsonl",
            image=name_of(sample),
            label=sample.kind.label,
            score=sample.kind.confidence,
        )


def merge(mine: Any) -> None:
    """Annotate some of them, and put the boxes where they belong."""
    view = mine.match(fo.ViewField("filepath").ends_with(".jpg"))
    pathlib.Path("view.paths").write_text("\n".join(view.values("filepath")), encoding="utf-8")
    done = subprocess.run(
        [*WHERRY, "view.paths", "--out", "view.json"], capture_output=True, text=True
    )
    say(call="annotate", status=done.returncode, text=done.stderr[-500:])
    mine.merge_dir(
        dataset_type=FORM,
        labels_path="view.json",
        label_types="detections",
        label_field="predictions",
        insert_new=False,
        progress=False,
    )
    show("view.json", mine)


def show(call: str, dataset: Any) -> None:
    for sample in dataset:
        held = sample.predictions
        found = [] if held is None else getattr(held, held._LABEL_LIST_FIELD)
        size = sample.metadata and (sample.metadata.width, sample.metadata.height)
        say(call=call, image=name_of(sample), size=size, labels=list(map(facts, found)))


def facts(found: Any) -> dict[str, Any]:
    if hasattr(found, "points"):
        return {"label": found.label, "points": found.points, "score": found.confidence}
    return {
        "label": found.label,
        "score": found.confidence,
        "box": found.bounding_box,
        "pixels": None if found.mask is None else int(found.mask.sum()),
    }


def name_of(sample: Any) -> str:
    return str(pathlib.Path(sample.filepath).relative_to(FOLDER / "photos"))


main()
