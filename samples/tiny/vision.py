"""Tiny models of images: classification, detection, depth, segmentation, vectors, enlargement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil
from transformers.models.mask2former.image_processing_pil_mask2former import (
    Mask2FormerImageProcessorPil,
)
from transformers.models.segformer.image_processing_pil_segformer import SegformerImageProcessorPil
from transformers.models.swin2sr.image_processing_pil_swin2sr import Swin2SRImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
from transformers.models.yolos.image_processing_pil_yolos import YolosImageProcessorPil

from .parts import LABELS, SMALL, SQUARE, loud, save

hf: Any = transformers  # its configurations take more than their signatures tell


def image_classification(folder: Path) -> None:
    """A ViT of three labels."""
    config = hf.ViTConfig(**SMALL, **LABELS, image_size=64, patch_size=16)
    model = loud(hf.ViTForImageClassification(config), "classifier")
    save(folder, model, ViTImageProcessorPil(size=SQUARE))


def yolos(folder: Path) -> None:
    """A detector of five queries that sees 64 x 64 pixels."""
    config = hf.YolosConfig(
        **SMALL, **LABELS, image_size=[64, 64], patch_size=16, num_detection_tokens=5
    )
    model = loud(hf.YolosForObjectDetection(config), "labels_classifier", "bbox")
    save(folder, model, YolosImageProcessorPil(size=SQUARE))


def detr_config() -> Any:
    """A detector of five queries behind a ResNet."""
    backbone = hf.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage4"],
    )
    return hf.DetrConfig(
        **LABELS,
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=backbone,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=5,
    )


def detr(folder: Path) -> None:
    """A detector of five queries whose images keep their aspect ratio."""
    model = loud(hf.DetrForObjectDetection(detr_config()), "labels_classifier", "bbox")
    save(folder, model, DetrImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96}))


def depth_estimation(folder: Path) -> None:
    """A DPT over a ViT of four layers."""
    sizes: dict[str, Any] = {**SMALL, "num_hidden_layers": 4}
    config = hf.DPTConfig(
        **sizes,
        image_size=64,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        is_hybrid=False,
    )
    model = loud(hf.DPTForDepthEstimation(config), "head.")
    save(folder, model, DPTImageProcessorPil(size=SQUARE))


def semantic_segmentation(folder: Path) -> None:
    """A Segformer of three labels."""
    config = hf.SegformerConfig(
        **LABELS,
        num_encoder_blocks=4,
        depths=[1] * 4,
        hidden_sizes=[8, 16, 16, 32],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
    )
    model = loud(hf.SegformerForSemanticSegmentation(config), "decode_head")
    save(folder, model, SegformerImageProcessorPil(size=SQUARE))


def universal_segmentation(folder: Path) -> None:
    """A Mask2Former of five queries: panoptic, instance and semantic."""
    backbone = hf.SwinConfig(
        image_size=64,
        patch_size=4,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = hf.Mask2FormerConfig(
        **LABELS,
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=32,
        dim_feedforward=32,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        num_queries=5,
        train_num_points=16,
    )
    model = hf.Mask2FormerForUniversalSegmentation(config)
    loud(model, "class_predictor", "mask_embedder", "queries", "adapter", "mask_projection")
    save(folder, model, Mask2FormerImageProcessorPil(size=SQUARE, num_labels=3))


def image_feature_extraction(folder: Path) -> None:
    """A DINOv2 of two layers."""
    config = hf.Dinov2Config(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=64,
        patch_size=16,
    )
    save(folder, loud(hf.Dinov2Model(config), "projection"), ViTImageProcessorPil(size=SQUARE))


def image_to_image(folder: Path) -> None:
    """A Swin2SR that doubles both edges."""
    config = hf.Swin2SRConfig(
        image_size=16,
        embed_dim=16,
        depths=[1, 1],
        num_heads=[2, 2],
        window_size=4,
        upscale=2,
        upsampler="pixelshuffledirect",
    )
    model = hf.Swin2SRForImageSuperResolution(config)
    save(folder, model, Swin2SRImageProcessorPil(size_divisor=4))
