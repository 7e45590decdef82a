"""Models that look and read: pixel_values (B, 3, H, W), input_ids (L, T)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf

from ..backends.transformers.tokenizer import load_tokenizer
from ..backends.transformers.whole import load_whole
from .graphs import LOADING, Axes, Sample, Signature, write
from .images import pixels
from .texts import TEXT_AXES, texts

_GRAPH = "model.onnx"


def zero_shot_image_classification(source: str, folder: Path) -> float:
    """Dialect transformers-clip."""
    model, sees, axes, tokenizer = _load(source, folder, "AutoModelForZeroShotImageClassification")
    reads = texts(tokenizer)

    def sample(rows: int) -> dict[str, torch.Tensor]:
        return {**_chosen(reads(4 - rows)), **sees(rows)}

    signature = Signature(
        sample=sample,
        inputs={"input_ids": TEXT_AXES, "pixel_values": axes, "attention_mask": TEXT_AXES},
        outputs={"logits_per_image": {0: "batch", 1: "texts"}},
    )
    return write(folder / _GRAPH, model, signature)


def zero_shot_object_detection(source: str, folder: Path) -> float:
    """Dialect transformers-owlvit."""
    model, sees, axes, tokenizer = _load(source, folder, "AutoModelForZeroShotObjectDetection")
    length = model.config.text_config.max_position_embeddings
    reads = texts(tokenizer, length=length)

    def sample(rows: int) -> dict[str, torch.Tensor]:
        return {**_chosen(reads(2 * rows)), **sees(rows)}  # two queries for each image

    signature = Signature(
        sample=sample,
        inputs={
            "input_ids": {0: "queries"},
            "pixel_values": axes,
            "attention_mask": {0: "queries"},
        },
        outputs={"logits": {0: "batch", 2: "labels"}, "pred_boxes": {0: "batch"}},
    )
    return write(folder / _GRAPH, model, signature)


def visual_question_answering(source: str, folder: Path) -> float:
    """Dialect transformers-vilt, or transformers-vilt-no-token-type if the tokenizer makes none.
    Images of one run fill all of it: none is padded.
    """
    model, sees, axes, tokenizer = _load(source, folder, "ViltForQuestionAnswering")
    embeddings = model.vilt.embeddings
    embeddings.visual_embed = _Whole(embeddings)
    reads = texts(tokenizer)

    def sample(rows: int) -> dict[str, torch.Tensor]:
        seen = sees(rows)
        mask = torch.ones(rows, *seen["pixel_values"].shape[2:], dtype=torch.int64)
        return {**reads(rows), **seen, "pixel_mask": mask}

    signature = Signature(
        sample=sample,
        inputs={
            **dict.fromkeys(reads(1), TEXT_AXES),
            "pixel_values": axes,
            "pixel_mask": {0: "batch", 1: "height", 2: "width"},
        },
        outputs={"logits": {0: "batch"}},
    )
    return write(folder / _GRAPH, model, signature)


class _Whole:
    """ViLT's look at images that fill their batch. Its own picks patches at random, row by row,
    which no graph can; without padding all of them count, in whatever order.
    """

    def __init__(self, embeddings: Any) -> None:
        self._of = embeddings

    def __call__(
        self,
        pixel_values: torch.Tensor,
        pixel_mask: torch.Tensor,
        max_image_length: int = -1,  # noqa: ARG002 # all patches are taken
    ) -> tuple[torch.Tensor, torch.Tensor, None]:
        own = self._of
        patches = own.patch_embeddings(pixel_values)  # (B, D, h, w)
        size = patches.shape[2:]
        edge = own.config.image_size // own.config.patch_size
        places = own.position_embeddings[:, 1:].transpose(1, 2).view(1, -1, edge, edge)
        places = torch.nn.functional.interpolate(
            places, size=size, mode="bilinear", align_corners=True
        )
        seen = (patches + places).flatten(2).transpose(1, 2)  # (B, h * w, D)
        first = (own.cls_token + own.position_embeddings[:, :1]).expand(seen.shape[0], -1, -1)
        mask = torch.nn.functional.interpolate(pixel_mask[:, None].float(), size=size)
        mask = torch.cat([torch.ones_like(mask[:, 0, 0, :1]), mask.flatten(1)], dim=1)
        return torch.cat([first, seen], dim=1), mask.long(), None


def _load(source: str, folder: Path, auto_class: str) -> tuple[Any, Sample, Axes, Any]:
    """The model, noise for it with its free axes, and its tokenizer; their files are written."""
    model, _ = load_whole(auto_class, source, **LOADING)
    processor: Any = hf.AutoImageProcessor.from_pretrained(source, trust_remote_code=False)
    tokenizer = load_tokenizer(source, config=model.config)
    for part in (model.config, processor, tokenizer):
        part.save_pretrained(folder)
    return model, *pixels(processor), tokenizer


def _chosen(read: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: read[name] for name in ("input_ids", "attention_mask")}
