"""The small YOLOS that finds drawn shapes: how it starts, how well it does, how it is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import YolosConfig, YolosForObjectDetection

from wherry.samples.shapes_data import SHAPES, SIZE, draw

from .shapes_quality import Found, Quality, quality

PATCH, WIDTH, ANSWERS = 8, 64, 6


def pixels(images: list[Image.Image]) -> torch.Tensor:
    """(B, 3, 64, 64), as the processor makes them."""
    stacked = np.stack([np.asarray(image) for image in images])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1


def build() -> YolosForObjectDetection:
    """A YOLOS of some 180,000 parameters that can answer six objects."""
    names = dict(enumerate(SHAPES))
    model = YolosForObjectDetection(
        YolosConfig(
            hidden_size=WIDTH,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=128,
            image_size=[SIZE, SIZE],
            patch_size=PATCH,
            num_detection_tokens=ANSWERS,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            bbox_loss_coefficient=3,
            id2label=names,
            label2id={name: number for number, name in names.items()},
        )
    )
    _tell_apart(model)
    return model


@torch.no_grad()
def _tell_apart(model: YolosForObjectDetection) -> None:
    # transformers starts these at zero, to be overwritten by trained weights. Trained from there
    # all six answers begin as one, and patches know no place: it learns boxes but hardly names.
    start = model.vit.embeddings
    start.detection_tokens.normal_(0, 0.5)
    start.cls_token.normal_(0, 0.5)
    start.position_embeddings[:, 1:-ANSWERS] = 0.5 * waves(SIZE // PATCH, WIDTH)
    torch.nn.init.xavier_uniform_(start.patch_embeddings.projection.weight.view(WIDTH, -1))


def waves(side: int, width: int) -> torch.Tensor:
    """Sines and cosines of the row and the column of each patch: (1, side * side, width)."""
    frequencies = 100 ** -(torch.arange(width // 4) / (width // 4))
    angles = torch.arange(side)[:, None] * frequencies
    along = torch.cat([torch.sin(angles), torch.cos(angles)], 1)  # (side, width / 2)
    rows = along[:, None].expand(side, side, -1)
    columns = along[None].expand(side, side, -1)
    return torch.cat([rows, columns], -1).reshape(1, side * side, width)


@torch.inference_mode()
def measure(model: YolosForObjectDetection, *, seed: int, count: int = 1000) -> Quality:
    """What the model finds, by a score over 0.5, in pictures drawn by this seed."""
    model.eval()
    rng = np.random.default_rng(seed)
    pictures = [draw(rng) for _ in range(count)]
    out = model(pixel_values=pixels([image for image, _ in pictures]))
    scores, names = out.logits.softmax(-1)[..., :-1].max(-1)
    centre, half = out.pred_boxes[..., :2] * SIZE, out.pred_boxes[..., 2:] * SIZE / 2
    boxes = torch.cat([centre - half, centre + half], -1)
    answers: list[list[Found]] = [
        [
            (int(names[row, q]), tuple(boxes[row, q].tolist()))
            for q in scores[row].argsort(descending=True).tolist()
            if scores[row, q] > 0.5
        ]
        for row in range(count)
    ]
    return quality([drawn for _, drawn in pictures], answers)


class _Graph(torch.nn.Module):
    """The model as the exporter wants it: tensors in, a tuple out."""

    def __init__(self, model: YolosForObjectDetection) -> None:
        super().__init__()
        self.model = model

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """values: (B, 3, 64, 64) -> logits (B, 6, 4), boxes (B, 6, 4)."""
        out = self.model(pixel_values=values)
        return out.logits, out.pred_boxes


def export(model: YolosForObjectDetection, path: Path) -> None:
    """Write as ONNX: pixel_values -> logits and pred_boxes, any batch."""
    names = ["pixel_values", "logits", "pred_boxes"]
    torch.onnx.export(
        _Graph(model.eval()),
        (torch.zeros(2, 3, SIZE, SIZE),),
        str(path),
        input_names=names[:1],
        output_names=names[1:],
        dynamic_axes={name: {0: "batch"} for name in names},
        dynamo=False,
    )
