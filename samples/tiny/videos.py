"""Tiny models of videos: VideoMAE, V-JEPA 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import transformers
from transformers.models.videomae.image_processing_pil_videomae import VideoMAEImageProcessorPil

from .parts import LABELS, SMALL, SQUARE, loud, save

hf: Any = transformers  # its configurations take more than their signatures tell


def videomae(folder: Path) -> None:
    """A VideoMAE of three labels that looks at four frames."""
    config = hf.VideoMAEConfig(
        **SMALL, **LABELS, image_size=64, patch_size=16, num_frames=4, tubelet_size=2
    )
    model = loud(hf.VideoMAEForVideoClassification(config), "classifier", "projection")
    processor = VideoMAEImageProcessorPil(size={"shortest_edge": 64}, crop_size=SQUARE)
    save(folder, model, processor)


def vjepa2(folder: Path) -> None:
    """A V-JEPA 2 of three labels that looks at any number of frames, four if nothing is said."""
    config = hf.VJEPA2Config(
        **LABELS,
        patch_size=16,
        crop_size=64,
        frames_per_clip=4,
        hidden_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_pooler_layers=1,
        pred_hidden_size=48,
        pred_num_attention_heads=2,
        pred_num_hidden_layers=1,
        pred_num_mask_tokens=1,
    )
    model = loud(hf.VJEPA2ForVideoClassification(config), "classifier", "patch_embeddings.proj")
    save(folder, model)
    # Its processor cannot be made without torchvision.
    settings = {"video_processor_type": "VJEPA2VideoProcessor", "crop_size": SQUARE}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(settings))
