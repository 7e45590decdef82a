"""Train a small YOLOS on drawn shapes: `python -m training.shapes OUT [MINUTES]`.

Pictures of 64 x 64 pixels with a circle, a square or a triangle in four colours on a noisy
ground, drawn anew for each batch. The held-out pictures come from another seed.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from transformers import YolosForObjectDetection
from transformers.models.yolos.image_processing_pil_yolos import YolosImageProcessorPil

from wherry.samples.shapes_data import SHAPES, SIZE, Drawn, draw, photographs, piece

from .shapes_model import ANSWERS, WIDTH, build, export, measure, pixels
from .shapes_quality import Quality

log = logging.getLogger(__name__)

BATCH, SEED, HELD_OUT = 32, 0, 1


def train(out: Path, minutes: float) -> Quality:
    """Train for some minutes, save; answers what it finds in held-out pictures."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    rng, model = np.random.default_rng(SEED), build()
    # Names first: the loss of a detector is mostly about boxes, and names come late in it.
    learn_names(model, rng, minutes=minutes * 0.17)
    # Then boxes, and at last to answer each shape once: with full weight on 'no object' from the
    # start it would answer nothing at all.
    learn_boxes(model, rng, minutes=minutes * 0.6, rate=1e-3, empty=0.05, no_object=0.3)
    learn_boxes(model, rng, minutes=minutes * 0.23, rate=4e-4, empty=0.2, no_object=1.0)
    reached = measure(model, seed=HELD_OUT)
    log.info("held out: %s", reached)
    save(model, out)
    return reached


def learn_names(
    model: YolosForObjectDetection, rng: np.random.Generator, *, minutes: float
) -> None:
    """Teach every answer the name of the one shape, wherever it is."""
    head = torch.nn.Linear(WIDTH, len(SHAPES))
    parameters = [*model.parameters(), *head.parameters()]
    for optimizer in _steps(parameters, minutes=minutes, rate=2e-3):
        batch = [draw(rng) for _ in range(BATCH)]
        names = torch.tensor([drawn[0].shape for _, drawn in batch])
        model.train()
        hidden = model.vit(pixels([image for image, _ in batch])).last_hidden_state
        answers = torch.cat([hidden[:, :1], hidden[:, -ANSWERS:]], 1)  # (B, 1 + answers, width)
        loss = torch.nn.functional.cross_entropy(
            head(answers).flatten(0, 1), names.repeat_interleave(1 + ANSWERS)
        )
        _update(optimizer, parameters, loss)
    log.info("names: loss %.3f", loss.item())


def learn_boxes(
    model: YolosForObjectDetection,
    rng: np.random.Generator,
    *,
    minutes: float,
    rate: float,
    empty: float,
    no_object: float,
) -> None:
    """Teach detection. `empty` is the share of pictures without a shape, `no_object` the weight of
    answering nothing where there is nothing.
    """
    model.config.eos_coefficient = no_object
    photos, parameters = photographs(), list(model.parameters())
    for optimizer in _steps(parameters, minutes=minutes, rate=rate):
        batch = [piece(rng, photos) if rng.random() < empty else draw(rng) for _ in range(BATCH)]
        model.train()
        loss = model(
            pixel_values=pixels([image for image, _ in batch]),
            labels=[target(drawn) for _, drawn in batch],
        ).loss
        _update(optimizer, parameters, loss)
    log.info("boxes: loss %.3f, %s", loss.item(), measure(model, seed=HELD_OUT + 1, count=200))


def target(drawn: list[Drawn]) -> dict[str, torch.Tensor]:
    """Labels as the loss takes them: boxes as centre, width and height, relative."""
    boxes = [
        ((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1])
        for b in (item.box for item in drawn)
    ]
    return {
        "class_labels": torch.tensor([item.shape for item in drawn], dtype=torch.int64),
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4) / SIZE,
    }


def _steps(
    parameters: Iterable[torch.nn.Parameter], *, minutes: float, rate: float
) -> Iterator[torch.optim.Optimizer]:
    """An optimizer, again and again until the time is up: warmed up, then along a cosine."""
    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=1e-4)
    started, step = time.monotonic(), 0
    while (spent := (time.monotonic() - started) / (minutes * 60)) < 1:
        now = rate * min(1, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * spent))
        for group in optimizer.param_groups:
            group["lr"] = max(now, 1e-6)
        yield optimizer
        step += 1
    log.info("%d steps", step)


def _update(
    optimizer: torch.optim.Optimizer, parameters: list[torch.nn.Parameter], loss: torch.Tensor
) -> None:
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()


def save(model: YolosForObjectDetection, out: Path) -> None:
    """Write the model, its processor, and both as ONNX."""
    model.save_pretrained(out)
    YolosImageProcessorPil(
        size={"height": SIZE, "width": SIZE}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(out)
    export(model, out / "model.onnx")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    train(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 12.0)
