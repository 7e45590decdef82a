"""Tiny models with random weights, made in code: no download, a second for all of them."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
from transformers.models.yolos.image_processing_pil_yolos import YolosImageProcessorPil
from transformers.models.zoedepth.image_processing_pil_zoedepth import ZoeDepthImageProcessorPil

from wherry.samples.tiny.parts import LABELS, SMALL, SQUARE, loud, save, wordpiece
from wherry.samples.tiny.vision import detr_config

#: Random heads answer all but the same for every image.
_HEADS = ("classifier", "bbox")


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """An RGB image of smooth noise: sharp noise would hide nothing, flat colour would hide all."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(2, height // 8), max(2, width // 8), 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encode(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """An image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def moving(frames: list[bytes], form: str, **options: Any) -> bytes:
    """Images as one file of a moving picture."""
    first, *others = (Image.open(io.BytesIO(frame)) for frame in frames)
    return encode(first, form, save_all=True, append_images=others, **options)


def images() -> list[bytes]:
    """Images of four sizes, as files."""
    sizes = ((50, 70), (64, 64), (120, 40), (333, 250))
    return [encode(noise(w, h, seed)) for seed, (w, h) in enumerate(sizes)]


def vit(folder: Path, *, problem_type: str | None = None) -> Path:
    """A ViT with a plain processor; also as ONNX."""
    torch.manual_seed(0)
    config = hf.ViTConfig(
        **SMALL, image_size=64, patch_size=16, problem_type=problem_type, **LABELS
    )
    # Random heads answer all but the same for every image; larger weights make rows differ.
    model = loud(hf.ViTForImageClassification(config), *_HEADS)
    save(folder, model, ViTImageProcessorPil(size=SQUARE))
    _export(folder, model, "pixel_values", ["logits"])
    return folder


def clip_like(folder: Path) -> Path:
    """A ViT behind CLIP's processor: shortest edge, then a crop from the middle."""
    vit(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size=SQUARE).save_pretrained(folder)
    return folder


def processed(folder: Path) -> Path:
    """A classifier whose processor the fast path does not know."""
    vit(folder)
    ZoeDepthImageProcessorPil(
        size=SQUARE, keep_aspect_ratio=False, ensure_multiple_of=1
    ).save_pretrained(folder)
    return folder


def yolos(folder: Path, *, size: dict[str, int] | None = None) -> Path:
    """A YOLOS; also as ONNX of a fixed size."""
    torch.manual_seed(0)
    config = hf.YolosConfig(
        **SMALL, image_size=[64, 64], patch_size=16, num_detection_tokens=5, **LABELS
    )
    model = loud(hf.YolosForObjectDetection(config), *_HEADS)
    save(folder, model, YolosImageProcessorPil(size=size or SQUARE))
    _export(folder, model, "pixel_values", ["logits", "pred_boxes"])
    return folder


def detr(folder: Path) -> Path:
    """A DETR whose images keep their aspect ratio; also as ONNX, input `images`, of any size."""
    torch.manual_seed(0)
    model = hf.DetrForObjectDetection(detr_config())
    save(folder, model, DetrImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96}))
    _export(folder, model, "images", ["logits", "pred_boxes"], any_size=True)
    return folder


def bert(folder: Path, *, pooled: bool = False) -> Path:
    """A BERT with a tokenizer trained here; also as ONNX, hidden states or pooled."""
    torch.manual_seed(0)
    tokenizer = wordpiece(max_length=32)
    config = hf.BertConfig(**SMALL, vocab_size=len(tokenizer), max_position_embeddings=32)
    model = hf.BertModel(config).eval()
    save(folder, model, tokenizer)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    output = "sentence_embedding" if pooled else "last_hidden_state"
    sample = torch.ones(2, 7, dtype=torch.int64)
    _write_onnx(
        folder,
        _Texts(model, pooled=pooled),
        dict.fromkeys(names, sample),
        {name: {0: "batch", 1: "tokens"} for name in names},
        [output],
    )
    return folder


class _Pictures(torch.nn.Module):
    """A vision model as tensors in, tensors out: what the exporter wants."""

    def __init__(self, model: torch.nn.Module, outputs: list[str]) -> None:
        super().__init__()
        self.model, self.outputs = model, outputs

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        out = self.model(pixel_values=values)
        return tuple(out[name] for name in self.outputs)


class _Texts(torch.nn.Module):
    """The same for a text model; pooled by the first token, so that it differs from our mean."""

    def __init__(self, model: torch.nn.Module, *, pooled: bool) -> None:
        super().__init__()
        self.model, self.pooled = model, pooled

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        hidden: torch.Tensor = self.model(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        return hidden[:, 0] if self.pooled else hidden


def _export(
    folder: Path, model: torch.nn.Module, image: str, outputs: list[str], *, any_size: bool = False
) -> None:
    free = {0: "batch", 2: "height", 3: "width"} if any_size else {0: "batch"}
    sample = {image: torch.zeros(2, 3, 64, 80)} if any_size else {image: torch.zeros(2, 3, 64, 64)}
    _write_onnx(folder, _Pictures(model.eval(), outputs), sample, {image: free}, outputs)


def _write_onnx(
    folder: Path,
    model: torch.nn.Module,
    sample: dict[str, torch.Tensor],
    free: dict[str, dict[int, str]],
    outputs: list[str],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own: it is old, and traces shapes
        torch.onnx.export(
            model,
            tuple(sample.values()),
            str(folder / "model.onnx"),
            input_names=list(sample),
            output_names=outputs,
            dynamic_axes={**free, **{name: {0: "batch"} for name in outputs}},
            dynamo=False,
        )


def edit_json(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None drops one."""
    document = {**json.loads(path.read_text()), **changes}
    kept = {name: value for name, value in document.items() if value is not None}
    path.write_text(json.dumps(kept))
