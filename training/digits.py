"""Train the small ViT on scikit-learn's handwritten digits.

`python -m training.digits OUT`

1,797 scans of 8 x 8 pixels, shown to the model at 32 x 32. Split by a fixed seed into 1,257 to
train on, 180 to choose the epoch by, and 360 held out, looked at once.
"""

from __future__ import annotations

import copy
import logging
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

from wherry.samples.digits_data import SEED, Numbers, load, split

log = logging.getLogger(__name__)

SIZE, EPOCHS, BATCH = 32, 80, 64


def digit_images() -> tuple[list[Image.Image], Numbers]:
    """All scans as 32 x 32 RGB images, and the digits they show."""
    scans, labels = load()
    size = (SIZE, SIZE)
    images = [
        Image.fromarray(scan).resize(size, Image.Resampling.BILINEAR).convert("RGB")
        for scan in scans
    ]
    return images, labels


def build() -> ViTForImageClassification:
    """A ViT of 148,170 parameters."""
    names = {digit: str(digit) for digit in range(10)}
    return ViTForImageClassification(
        ViTConfig(
            hidden_size=64,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=128,
            image_size=SIZE,
            patch_size=8,
            id2label=names,
            label2id={name: digit for digit, name in names.items()},
        )
    )


def accuracy(model: ViTForImageClassification, pixels: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of right answers. pixels: (B, 3, 32, 32), labels: (B,)."""
    model.eval()
    with torch.inference_mode():
        return float((model(pixel_values=pixels).logits.argmax(-1) == labels).float().mean())


def train(out: Path) -> float:
    """Train, save, export; answers the accuracy on the held-out part."""
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    torch.set_num_threads(1)
    images, digits = digit_images()
    processor = ViTImageProcessor(
        size={"height": SIZE, "width": SIZE}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    pixels = torch.as_tensor(np.stack(processor(images)["pixel_values"]))
    labels = torch.as_tensor(digits)
    training, validation, held_out = split(digits)
    model, best, best_accuracy = build(), None, 0.0
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.05)
    steps = EPOCHS * -(-len(training) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    started = time.monotonic()
    for _ in range(EPOCHS):
        model.train()
        for rows in np.array_split(rng.permutation(training), -(-len(training) // BATCH)):
            # Small shifts: the scans are centred, the world is not.
            shift = tuple(int(s) for s in rng.integers(-2, 3, size=2))
            batch = torch.roll(pixels[rows], shift, (2, 3))
            loss = model(pixel_values=batch, labels=labels[rows]).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        reached = accuracy(model, pixels[validation], labels[validation])
        if reached >= best_accuracy:
            best, best_accuracy = copy.deepcopy(model.state_dict()), reached
    assert best is not None
    model.load_state_dict(best)
    held = accuracy(model, pixels[held_out], labels[held_out])
    log.info(
        "%.0f s; validation %.4f, held out %.4f", time.monotonic() - started, best_accuracy, held
    )
    model.save_pretrained(out)
    processor.save_pretrained(out)
    export(model, out / "model.onnx")
    return held


def export(model: ViTForImageClassification, path: Path) -> None:
    """Write as ONNX: pixel_values (B, 3, 32, 32) -> logits (B, 10), any B."""
    model.eval()
    torch.onnx.export(
        model,
        (torch.zeros(2, 3, SIZE, SIZE),),
        str(path),
        input_names=["pixel_values"],
        output_names=["logits"],
        dynamic_axes={"pixel_values": {0: "batch"}, "logits": {0: "batch"}},
        dynamo=False,
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    train(Path(sys.argv[1]))
