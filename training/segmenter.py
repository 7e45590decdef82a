"""Train a small UperNet on drawn shapes: `python -m training.segmenter OUT [STEPS]`.

Pictures of 64 x 64 pixels with up to three shapes, drawn anew for each batch, and some pieces of
photographs without any. The held-out pictures come from another seed. A convolutional eye: a
Segformer of this size needs many times the steps.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from transformers.models.segformer.image_processing_pil_segformer import SegformerImageProcessorPil

from wherry.samples.shapes_data import SHAPES, SIZE, draw, label_map, photographs, piece
from wherry.tasks.export import export

from .descent import descend
from .shapes_model import pixels
from .shapes_quality import label_overlaps

log = logging.getLogger(__name__)

STEPS, BATCH, RATE, SEED, HELD_OUT = 3000, 16, 2e-3, 0, 1

LABELS = ("background", *SHAPES)

#: Share of pictures without a shape.
EMPTY = 0.1

#: Most pixels are ground, and a shape not found would cost little.
_WEIGHTS = torch.tensor([0.4, 1.0, 1.0, 1.0])


def build() -> hf.UperNetForSemanticSegmentation:
    """A UperNet over a ResNet of four layers."""
    eye = hf.ResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 24, 32, 48],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    return hf.UperNetForSemanticSegmentation(
        hf.UperNetConfig(
            backbone_config=eye,
            hidden_size=32,
            pool_scales=[1, 2],
            use_auxiliary_head=False,
            id2label=dict(enumerate(LABELS)),
            label2id={name: number for number, name in enumerate(LABELS)},
        )
    )


def train(out: Path, steps: int) -> list[float]:
    """Take some steps, save, export; answers the intersection over union of each label's pixels in
    held-out pictures.
    """
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    rng, photos, started = np.random.default_rng(SEED), photographs(), time.monotonic()
    model = build()

    def loss() -> torch.Tensor:
        batch = [
            piece(rng, photos) if rng.random() < EMPTY else draw(rng, most=3) for _ in range(BATCH)
        ]
        logits = model(pixel_values=pixels([image for image, _ in batch])).logits
        truth = torch.from_numpy(np.stack([label_map(drawn) for _, drawn in batch]))
        return torch.nn.functional.cross_entropy(logits, truth, weight=_WEIGHTS)

    descend(model, loss, steps=steps, rate=RATE)
    reached = measure(model, seed=HELD_OUT)
    by_label = {label: round(share, 4) for label, share in zip(LABELS, reached, strict=True)}
    log.info("%.0f s; held out: %s", time.monotonic() - started, by_label)
    model.save_pretrained(out)
    SegformerImageProcessorPil(
        size={"height": SIZE, "width": SIZE}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(out)
    export(str(out), out, "image-segmentation")
    return reached


@torch.inference_mode()
def measure(
    model: hf.UperNetForSemanticSegmentation, *, seed: int, count: int = 500
) -> list[float]:
    """Intersection over union of each label's pixels in pictures drawn by this seed."""
    model.eval()
    rng = np.random.default_rng(seed)
    pictures = [draw(rng, most=3) for _ in range(count)]
    found = model(pixel_values=pixels([image for image, _ in pictures])).logits.argmax(1)
    truth = np.stack([label_map(drawn) for _, drawn in pictures])
    return label_overlaps(truth, found.numpy(), len(LABELS))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    train(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else STEPS)
