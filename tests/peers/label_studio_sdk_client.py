"""Label Studio's SDK: holds predictions against their configuration; a line a case.

Usage: label_studio_sdk_client.py FOLDER, with <case>.xml and <case>.json in it.
"""

from __future__ import annotations

import json
import pathlib
import sys

import numpy as np
from label_studio_sdk.converter.brush import decode_from_annotation
from label_studio_sdk.label_interface import LabelInterface

for config in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
    interface = LabelInterface(config.read_text(encoding="utf-8"))
    interface.validate()
    tasks = json.loads(config.with_suffix(".json").read_text(encoding="utf-8"))
    errors, strokes = [], []
    for task in tasks:
        if not interface.validate_task({"data": task["data"]}):
            errors.append("data")
        for prediction in task["predictions"]:
            errors += interface.validate_prediction(prediction, return_errors=True)
            regions = [{**region, **region["value"]} for region in prediction["result"]]
            if regions and "rle" in regions[0]:
                layers = decode_from_annotation("brush", regions)
                strokes += [np.packbits(layer > 0).tobytes().hex() for layer in layers.values()]
    print(json.dumps({"case": config.stem, "tasks": len(tasks), "errors": errors, "set": strokes}))
