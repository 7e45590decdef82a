"""Tiny detectors that read an image and its labels together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import transformers
from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import (
    GroundingDinoImageProcessorPil,
)

from .parts import SMALL, SQUARE, loud, save, wordpiece

#: Configs take more than their signatures tell.
hf: Any = transformers

_SWIN: dict[str, Any] = {
    "model_type": "swin",
    "image_size": 64,
    "patch_size": 4,
    "embed_dim": 8,
    "window_size": 4,
    "depths": [1, 1, 1],
    "num_heads": [1, 2, 2],
    "out_indices": [1, 2, 3],
}


def grounding_dino(folder: Path) -> None:
    """A Grounding DINO."""
    _dino(folder, hf.GroundingDinoConfig, hf.GroundingDinoForObjectDetection)


def mm_grounding_dino(folder: Path) -> None:
    """MMDetection's Grounding DINO."""
    _dino(folder, hf.MMGroundingDinoConfig, hf.MMGroundingDinoForObjectDetection)


def _dino(folder: Path, config_class: Any, model_class: Any) -> None:
    tokenizer = wordpiece(max_length=64)
    sizes = {"layers": 2, "ffn_dim": 37, "attention_heads": 2, "n_points": 2}
    config = config_class(
        **{f"{side}_{name}": n for side in ("encoder", "decoder") for name, n in sizes.items()},
        backbone_config=_SWIN,
        text_config={
            **SMALL,
            "model_type": "bert",
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 64,
        },
        d_model=32,
        num_queries=12,
        num_feature_levels=3,
        max_text_len=64,
        disable_custom_kernels=True,
    )
    model = loud(model_class(config), "bbox_embed", "backbone", "text_projection", "fusion")
    images = GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    save(folder, model, hf.GroundingDinoProcessor(images, tokenizer))


def omdet(folder: Path) -> None:
    """An OmDet-Turbo; its processor cannot be made without torchvision."""
    tokenizer = wordpiece(max_length=77)
    config = hf.OmDetTurboConfig(
        backbone_config={**_SWIN, "embed_dim": 16},
        text_config={
            **SMALL,
            "model_type": "clip_text_model",
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 77,
            "projection_dim": 32,
            "eos_token_id": 3,
        },
        image_size=64,
        apply_layernorm_after_vision_backbone=False,
        text_projection_in_dim=32,
        text_projection_out_dim=32,
        task_encoder_hidden_dim=32,
        class_embed_dim=32,
        num_queries=12,
        encoder_hidden_dim=16,
        decoder_hidden_dim=16,
        vision_features_channels=[16, 16, 16],
        encoder_in_channels=[16, 32, 64],
        encoder_attention_heads=2,
        encoder_dim_feedforward=37,
        decoder_num_heads=2,
        decoder_num_layers=2,
        decoder_dim_feedforward=37,
        disable_custom_kernels=True,
    )
    model = loud(hf.OmDetTurboForObjectDetection(config), "bbox_head", "class_head", "backbone")
    save(folder, model, DetrImageProcessorPil(size=SQUARE), tokenizer)
    named = {"processor_class": "OmDetTurboProcessor"}
    (folder / "processor_config.json").write_text(json.dumps(named))
