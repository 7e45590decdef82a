"""What Ultralytics reads of YOLO's folders, from another working folder; a line a picture.

Usage: ultralytics_labels.py CONFIG FOLDER, where FOLDER holds one folder for each kind.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import json
import os
import sys
import types
from pathlib import Path

config, folder = map(Path, sys.argv[1:])
out, sys.stdout = sys.stdout, sys.stderr  # its log goes there
os.environ["YOLO_OFFLINE"] = "true"
os.environ["YOLO_AUTOINSTALL"] = "false"
os.environ["YOLO_CONFIG_DIR"] = str(config)

# It wants torchvision at its import, and none of it for labels.
_version = importlib.metadata.version
setattr(  # noqa: B010 # to types it is no variable
    importlib.metadata,
    "version",
    lambda name: "0.28.0" if name == "torchvision" else _version(name),
)
torchvision = types.ModuleType("torchvision")
torchvision.__spec__ = importlib.machinery.ModuleSpec("torchvision", None)
sys.modules["torchvision"] = torchvision

import numpy as np  # noqa: E402 # reads what is set above
from ultralytics.data.dataset import YOLODataset  # noqa: E402 # likewise
from ultralytics.data.utils import check_det_dataset, polygon2mask  # noqa: E402 # likewise

TASKS = {"yolo": "detect", "yolo-seg": "segment", "yolo-obb": "obb", "yolo-pose": "pose"}

os.chdir("/")
for kind, task in TASKS.items():
    data = check_det_dataset(str(folder / kind / "data.yaml"), autodownload=False)
    for part in ("train", "val", "test"):
        if data.get(part):
            read = YOLODataset(img_path=data[part], data=data, task=task, augment=False)
            for label in read.labels:
                height, width = label["shape"]
                drawn = [
                    polygon2mask((height, width), [(one * (width, height)).reshape(-1)])
                    for one in label["segments"]
                ]
                points = label["keypoints"]
                line = {
                    "kind": kind,
                    "part": part,
                    "picture": Path(label["im_file"]).name,
                    "size": [width, height],
                    "names": [data["names"][int(number)] for number in label["cls"].reshape(-1)],
                    "boxes": label["bboxes"].tolist(),
                    "masks": [np.packbits(mask > 0).tobytes().hex() for mask in drawn],
                    "corners": [one.tolist() for one in label["segments"]],
                    "points": [] if points is None else points.tolist(),
                }
                print(json.dumps(line), file=out)
