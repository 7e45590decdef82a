"""The limit: a ViT-Tiny in one plain loop, same files, same decoding, same batch, one process."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image


def save_model(folder: Path) -> None:
    """ViT-Tiny (hidden 192, 12 layers, 224 px) with random weights: the arithmetic is the same."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=192, num_hidden_layers=12, num_attention_heads=3, intermediate_size=768
    )
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor().save_pretrained(folder)


def photographs(count: int) -> list[bytes]:
    """640 x 480 JPEG files of some 50 KB, cut from a photograph at different places."""
    import skimage

    path = Path(skimage.__file__).parent / "data" / "hubble_deep_field.jpg"
    if not path.exists():
        path = Path(skimage.__file__).parent / "data" / "rocket.jpg"
    with Image.open(path) as opened:
        photo = opened.convert("RGB").resize((1280, 960))
    rng, files = np.random.default_rng(0), []
    for _ in range(count):
        x, y = int(rng.integers(0, 640)), int(rng.integers(0, 480))
        buffer = io.BytesIO()
        photo.crop((x, y, x + 640, y + 480)).save(buffer, "JPEG", quality=80)
        files.append(buffer.getvalue())
    return files


def plain_loop(model: Path, images: list[bytes], batch: int) -> float:
    """Images per second of the loop, in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        for number, image in enumerate(images):
            (Path(folder) / f"{number:06}.jpg").write_bytes(image)
        done = subprocess.run(
            [sys.executable, "-m", "bench.vit", str(model), folder, str(batch)],
            check=True,
            capture_output=True,
            text=True,
        )
    rate: float = json.loads(done.stdout.splitlines()[-1])
    return rate


def _loop(model: str, folder: str, batch: int) -> float:
    from wherry.tasks.create import create_task
    from wherry.tasks.vision.image_classification import ImageClassificationInput

    files = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
    task = create_task("transformers", "image-classification", model, {"threads": 1})
    task.process(ImageClassificationInput(images=files[:batch]))
    started = time.perf_counter()
    for start in range(0, len(files), batch):
        task.process(ImageClassificationInput(images=files[start : start + batch]))
    return len(files) / (time.perf_counter() - started)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_loop(sys.argv[1], sys.argv[2], int(sys.argv[3]))) + "\n")
