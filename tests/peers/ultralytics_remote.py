"""YOLO of random weights as Ultralytics exports it, and what its remote model finds by a server.

argv: `FOLDER export`, or `FOLDER ask URL PICTURE...`, which prints a line of JSON for each picture:
what the exported file finds, and what the remote model does.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ultralytics_export import EDGE, YOLO, found, model

FOLDER = Path(sys.argv[1])


def export() -> None:
    """A graph of any batch and size, as `yolo export` writes it."""
    os.chdir(FOLDER)
    file = model("yolo11n").export(format="onnx", imgsz=EDGE, dynamic=True)
    (FOLDER / "yolo").mkdir()
    Path(file).rename(FOLDER / "yolo" / "model.onnx")


def ask(url: str, pictures: list[str]) -> None:
    """Both of each picture."""
    own = YOLO(str(FOLDER / "yolo" / "model.onnx"), task="detect")
    remote = YOLO(url, task="detect")
    for picture in pictures:
        told = {"own": seen(own, picture), "remote": seen(remote, picture)}
        print(json.dumps(told), file=sys.__stdout__, flush=True)


def seen(yolo: Any, picture: str) -> list[Any]:
    """Boxes: score and edges; square, as the remote model has it, which knows no names either."""
    [result] = yolo.predict(picture, imgsz=EDGE, rect=False, verbose=False, device="cpu")
    return [box[1:] for box in found(result)["boxes"]]


if sys.argv[2] == "export":
    export()
else:
    ask(sys.argv[3], sys.argv[4:])
