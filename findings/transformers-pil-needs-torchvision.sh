#!/usr/bin/env bash
# transformers 5.23.0: the PIL processors of ZoeDepth and OneFormer need torchvision after all.
#
# They are what AutoImageProcessor takes where torchvision is not installed, and they prepare pictures
# without it. Seen: turning the answer into a depth map (`post_process_depth_estimation`), or into
# segments (`post_process_panoptic_segmentation`), raises NameError ("name 'tvF' is not defined"): the
# work of the model is done by then. DPT's PIL processor makes its depth map without torchvision.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.23.0 pillow==13.0.0
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - 2>log.txt <<'PY' || { cat log.txt; exit 1; }
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import torch
from PIL import Image
from transformers import AutoImageProcessor

assert importlib.util.find_spec("torchvision") is None
Path("classes.json").write_text(json.dumps({"0": {"name": "cat", "isthing": 1}}))


def processor(kind: str, **settings: object):
    """What AutoImageProcessor makes of a folder of that kind; it prepares a picture."""
    folder = Path(kind)
    folder.mkdir()
    settings = {"image_processor_type": f"{kind}ImageProcessor", **settings}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    made = AutoImageProcessor.from_pretrained(folder)
    assert type(made).__name__ == f"{kind}ImageProcessorPil"
    return made


def tried(work: Callable[[], list]) -> str:
    try:
        return f"{len(work())} answer"
    except NameError as error:
        return str(error)


depth = SimpleNamespace(predicted_depth=torch.rand(1, 32, 32))
masks = SimpleNamespace(
    class_queries_logits=torch.tensor([[[9.0, 0.0]]]), masks_queries_logits=torch.ones(1, 1, 8, 8)
)
dpt, zoe = processor("DPT"), processor("ZoeDepth")
one = processor("OneFormer", class_info_file="classes.json", repo_path=".", num_labels=1)
picture, sizes = Image.new("RGB", (40, 30)), [(30, 40)]
for made in (dpt, zoe):
    assert made(picture, return_tensors="pt")["pixel_values"].ndim == 4
assert one(picture, ["panoptic"], return_tensors="pt")["pixel_values"].ndim == 4
seen = {
    "DPT": tried(lambda: dpt.post_process_depth_estimation(depth, target_sizes=sizes)),
    "ZoeDepth": tried(lambda: zoe.post_process_depth_estimation(depth, source_sizes=sizes)),
    "OneFormer": tried(lambda: one.post_process_panoptic_segmentation(masks, target_sizes=sizes)),
}
print(seen)
missing = "name 'tvF' is not defined"
assert seen == {"DPT": "1 answer", "ZoeDepth": missing, "OneFormer": missing}, seen
PY
echo "as before: two PIL processors ask for torchvision in the end"
