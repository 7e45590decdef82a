"""Train a small YOLOS on drawn shapes: `python -m wherry.tasks.train.shapes OUT [MINUTES]`.

Pictures of 64 x 64 pixels with a circle, a square or a triangle in four colours on a noisy
ground, drawn anew for each batch. The held-out pictures come from another seed.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import YolosConfig, YolosForObjectDetection
from transformers.models.yolos.image_processing_pil_yolos import YolosImageProcessorPil

from .shapes_data import SHAPES, SIZE, Drawn, draw, overlap

log = logging.getLogger(__name__)

BATCH, SEED = 32, 0


def pixels(images: list[Image.Image]) -> torch.Tensor:
    """(B, 3, 64, 64), as the processor makes them."""
    stacked = np.stack([np.asarray(image) for image in images])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1


def target(drawn: list[Drawn]) -> dict[str, torch.Tensor]:
    """Labels as the loss takes them: boxes as centre, width and height, relative."""
    boxes = [
        ((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1])
        for b in (item.box for item in drawn)
    ]
    return {
        "class_labels": torch.tensor([item.shape for item in drawn]),
        "boxes": torch.tensor(boxes) / SIZE,
    }


def build() -> YolosForObjectDetection:
    """A YOLOS of some 180,000 parameters."""
    names = dict(enumerate(SHAPES))
    return YolosForObjectDetection(
        YolosConfig(
            hidden_size=64,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=128,
            image_size=[SIZE, SIZE],
            patch_size=8,
            num_detection_tokens=6,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            id2label=names,
            label2id={name: number for number, name in names.items()},
        )
    )


@torch.inference_mode()
def quality(model: YolosForObjectDetection, count: int = 300) -> float:
    """Share of fresh pictures answered right: as many boxes over 0.5 as shapes, and for each
    shape one of the right name with an IoU over 0.5.
    """
    model.eval()
    rng = np.random.default_rng(SEED + 1)
    right = 0
    for _ in range(count):
        image, drawn = draw(rng)
        out = model(pixel_values=pixels([image]))
        scores, names = out.logits[0].softmax(-1)[:, :-1].max(-1)
        cx, cy, w, h = (out.pred_boxes[0] * SIZE).unbind(-1)
        boxes = torch.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], -1)
        sure = [q for q in range(len(scores)) if float(scores[q]) > 0.5]
        right += len(sure) == len(drawn) and all(
            any(
                int(names[q]) == item.shape and overlap(tuple(boxes[q].tolist()), item.box) > 0.5
                for q in sure
            )
            for item in drawn
        )
    return right / count


def train(out: Path, minutes: float) -> float:
    """Train for some minutes, save; answers the share of held-out pictures answered right."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    rng, model = np.random.default_rng(SEED), build()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-4)
    started, step = time.monotonic(), 0
    while (spent := (time.monotonic() - started) / (minutes * 60)) < 1:
        # Warm up, then fall along a cosine of the time that is left.
        rate = 1e-3 * min(1, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * spent))
        for group in optimizer.param_groups:
            group["lr"] = max(rate, 1e-6)
        batch = [draw(rng) for _ in range(BATCH)]
        model.train()
        loss = model(
            pixel_values=pixels([image for image, _ in batch]),
            labels=[target(drawn) for _, drawn in batch],
        ).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if spent > 0.6:
            # First it learns to find; then a second box on one shape is made to cost.
            model.config.eos_coefficient = 1.0
        if step % 500 == 0:
            log.info("step %d, loss %.3f, right %.3f", step, loss.item(), quality(model, 100))
    reached = quality(model)
    log.info("%d steps, %.4f of the held-out pictures right", step, reached)
    model.save_pretrained(out)
    YolosImageProcessorPil(
        size={"height": SIZE, "width": SIZE}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(out)
    return reached


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    train(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 12)
