"""Every writer keeps its memory however long the run: by the peak of a process of its own.

The peak counts what tracemalloc does not see, Arrow's pool and SQLite's pages.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wherry.client.annotate.formats import FORMATS

#: Rows and task for each format; those that write a file a row, or follow objects, get fewer: they
#: take longer (100,000 of cvat-video 21 s of CPU).
RUNS = {
    "jsonl": (200_000, "object-detection"),
    "oip-jsonl": (200_000, "object-detection"),
    "parquet": (200_000, "object-detection"),
    "csv": (200_000, "object-detection"),
    "datasets": (200_000, "object-detection"),
    "coco-detection": (200_000, "object-detection"),
    "coco-instance": (20_000, "image-segmentation"),
    "coco-panoptic": (20_000, "image-segmentation"),
    "coco-keypoints": (200_000, "keypoint-detection"),
    "coco-captions": (200_000, "image-to-text"),
    "cvat-video": (100_000, "object-detection"),
    "label-studio-video": (100_000, "object-detection"),
    "mot": (200_000, "object-detection"),
    "label-studio": (200_000, "object-detection"),
    "yolo": (20_000, "object-detection"),
    "yolo-seg": (5_000, "image-segmentation"),
    "yolo-obb": (5_000, "image-segmentation"),
    "yolo-pose": (20_000, "keypoint-detection"),
    "yolo-classify": (20_000, "image-classification"),
    "voc": (20_000, "object-detection"),
    "cvat": (200_000, "object-detection"),
    "labelme": (20_000, "object-detection"),
    "open-images": (200_000, "object-detection"),
    "datumaro": (200_000, "object-detection"),
    "masks": (20_000, "image-segmentation"),
    "semantic-masks": (20_000, "image-segmentation"),
    "indexed-masks": (20_000, "image-segmentation"),
    "files": (20_000, "text-to-image"),
    "webvtt": (20_000, "automatic-speech-recognition"),
    "srt": (20_000, "automatic-speech-recognition"),
    "ctm": (200_000, "automatic-speech-recognition"),
    "conll": (200_000, "token-classification"),
    "spacy": (200_000, "token-classification"),
}

PROGRAM = """
import dataclasses, pathlib, re, sys
from tests.client.annotate.answers import examples, origin
from wherry.client.annotate.formats import writer_of
from wherry.tasks.registry import get_task

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])

name, out, rows, task = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
found = examples(task)[0]
with writer_of(name, get_task(task))(out, origin(task)) as writer:
    for n in range(rows):
        if n == rows // 4:
            before = peak()
        writer.write(dataclasses.replace(found, index=n, id=f"{n % 100}/photo {n}.jpg"))
print(peak() - before)
"""


def test_every_format_is_measured():
    assert set(RUNS) == set(FORMATS)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(RUNS))
def test_memory_does_not_grow_with_the_rows(tmp_path, name):
    rows, task = RUNS[name]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name, tmp_path / "out", str(rows), task],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20_000, f"{done.stdout} kB"  # KiB
