"""Tiny models that match pictures: SuperGlue, LightGlue, EfficientLoFTR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from transformers.models.efficientloftr.image_processing_pil_efficientloftr import (
    EfficientLoFTRImageProcessorPil,
)
from transformers.models.lightglue.image_processing_pil_lightglue import LightGlueImageProcessorPil
from transformers.models.superglue.image_processing_pil_superglue import SuperGlueImageProcessorPil

from .parts import SQUARE, loud, save

hf: Any = transformers  # its configurations take more than their signatures tell


def _detector(threshold: float) -> Any:
    """A SuperPoint that finds more places in some pictures than in others."""
    return hf.SuperPointConfig(
        encoder_hidden_sizes=[8, 8, 16, 16],
        decoder_hidden_size=16,
        descriptor_decoder_dim=16,
        keypoint_threshold=threshold,
    )


def _seeing(model: Any) -> Any:
    """The same model, whose detector finds some places before others, and tells them apart."""
    loud(model, "detector.encoder", "conv_descriptor", "final_proj", "final_projection.weight")
    model.keypoint_detector.keypoint_decoder.conv_score_b.weight.data /= 32
    return model


def superglue(folder: Path) -> None:
    """A SuperGlue of two layers."""
    config = hf.SuperGlueConfig(
        keypoint_detector_config=_detector(0.08),
        hidden_size=16,
        keypoint_encoder_sizes=[8, 16],
        gnn_layers_types=["self", "cross"],
        num_attention_heads=2,
        sinkhorn_iterations=10,
    )
    model = _seeing(hf.SuperGlueForKeypointMatching(config))
    save(folder, model, SuperGlueImageProcessorPil(size=SQUARE))


def lightglue(folder: Path) -> None:
    """A LightGlue of two layers."""
    config = hf.LightGlueConfig(
        keypoint_detector_config=_detector(0.019),
        descriptor_dim=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        filter_threshold=0.0,
    )
    model = _seeing(hf.LightGlueForKeypointMatching(config))
    save(folder, model, LightGlueImageProcessorPil(size=SQUARE))


def efficientloftr(folder: Path) -> None:
    """An EfficientLoFTR of one block a stage, which knows a place that has moved."""
    config = hf.EfficientLoFTRConfig(
        stage_num_blocks=[1, 1, 1, 1],
        out_features=[8, 8, 16, 32],
        hidden_size=32,
        activation_function="tanh",
        num_attention_layers=1,
        num_attention_heads=8,  # its rotary positions fit no other count
        fine_matching_slice_dim=4,
        coarse_matching_threshold=0.3,
        coarse_matching_temperature=0.01,
        coarse_matching_border_removal=0,
    )
    model = loud(hf.EfficientLoFTRForKeypointMatching(config), "conv.weight")
    for name, parameter in model.efficientloftr.backbone.named_parameters():
        if name.endswith("norm.weight"):
            parameter.data.fill_(1)
    for layer in model.efficientloftr.local_feature_transformer.layers:
        for attention in (layer.self_attention, layer.cross_attention):
            attention.mlp.layer_norm.weight.data.zero_()  # where it stands is nothing to it
    save(folder, model, EfficientLoFTRImageProcessorPil(size=SQUARE))
