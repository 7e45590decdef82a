"""Tiny models that are prompted: masks and tracks by points, poses by boxes, labels by words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import transformers as hf
from tokenizers import processors
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil
from transformers.models.owlvit.image_processing_pil_owlvit import OwlViTImageProcessorPil
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.superpoint.image_processing_pil_superpoint import (
    SuperPointImageProcessorPil,
)
from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

from .parts import SMALL, SQUARE, bpe, loud, save

#: The sizes of SAM's and SAM 2's prompt encoders and mask decoders.
_ENCODER = {"image_size": 64, "patch_size": 16, "mask_input_channels": 4}
_DECODER = {
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "iou_head_hidden_dim": 16,
    "iou_head_depth": 2,
}

#: What must be loud for masks that differ between prompts and are neither empty nor full.
_LOUD = (
    *("shared_image_embedding", "upscale", "hypernetworks"),
    *("iou_token", "mask_tokens", "iou_prediction"),
)

_EYE: dict[str, Any] = {**SMALL, "image_size": 64, "patch_size": 16}

_NAMES = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


def sam(folder: Path) -> None:
    """A SAM that looks at 64 x 64 pixels."""
    _save_sam(folder, hf.SamConfig, hf.SamModel, **_DECODER)


def sam_hq(folder: Path) -> None:
    """A SAM-HQ, whose masks come from its eye's layers, too."""
    _save_sam(folder, hf.SamHQConfig, hf.SamHQModel, **_DECODER, vit_dim=32)


def _save_sam(folder: Path, config_class: Any, model_class: Any, **decoder: Any) -> None:
    config = config_class(
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 16,
            "output_channels": 16,
            "global_attn_indexes": [1],
            "window_size": 2,
            "mlp_dim": 64,
            "num_pos_feats": 8,
        },
        prompt_encoder_config={**_ENCODER, "hidden_size": 16},
        mask_decoder_config={**decoder, "hidden_size": 16, "mlp_dim": 16},
    )
    processor = SamImageProcessorPil(
        size={"longest_edge": 64},
        pad_size=SQUARE,
        mask_size={"longest_edge": 16},
        mask_pad_size={"height": 16, "width": 16},
    )
    model = loud(model_class(config), "vision_encoder", *_LOUD)
    save(folder, model, hf.SamProcessor(image_processor=processor))


def sam2(folder: Path) -> None:
    """A SAM 2 for images; its eye is the tracker's."""
    config = hf.Sam2Config(
        vision_config=_hiera(),
        prompt_encoder_config={**_ENCODER, "hidden_size": 128},
        mask_decoder_config={**_DECODER, "hidden_size": 128, "mlp_dim": 32},
    )
    save(folder, loud(hf.Sam2Model(config), *_LOUD))
    _write_eye(folder)


def sam2_video(folder: Path) -> None:
    """A SAM 2 that tracks. Its pointers want 128 hidden and 64 memory channels, or a like ratio."""
    config = hf.Sam2VideoConfig(
        vision_config=_hiera(),
        prompt_encoder_config={**_ENCODER, "hidden_size": 128},
        mask_decoder_config={**_DECODER, "hidden_size": 128, "mlp_dim": 32},
        image_size=64,
        memory_attention_hidden_size=128,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_num_attention_heads=1,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=128,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=32,
        memory_fuser_num_layers=1,
    )
    model = loud(hf.Sam2VideoModel(config), "point_embed", *_LOUD)
    model.mask_decoder.pred_obj_score_head.proj_out.bias.data.fill_(10)  # objects are in sight
    save(folder, model)
    _write_eye(folder)


def _hiera() -> Any:
    backbone = hf.Sam2HieraDetConfig(
        hidden_size=16,
        num_attention_heads=1,
        image_size=[64, 64],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[16, 32, 64, 128],
        num_attention_heads_per_stage=[1, 2, 2, 2],
        window_size_per_stage=[4, 2, 2, 2],
        global_attention_blocks=[3],
        window_positional_embedding_background_size=[4, 4],
    )
    return hf.Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[128, 64, 32, 16],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=128,
    )


def sam3(folder: Path) -> None:
    """The part of a SAM 3 that is prompted with points and boxes."""
    eye = {
        **SMALL,
        "model_type": "sam3_vit_model",
        "image_size": 64,
        "patch_size": 8,
        "window_size": 4,
        "global_attn_indexes": [1],
        "pretrain_image_size": 32,
    }
    config = hf.Sam3TrackerConfig(
        vision_config={
            "backbone_config": eye,
            "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
        },
        prompt_encoder_config={**_ENCODER, "patch_size": 8, "hidden_size": 32},
        mask_decoder_config={**_DECODER, "hidden_size": 32, "mlp_dim": 32},
    )
    save(folder, loud(hf.Sam3TrackerModel(config), *_LOUD))
    half = [0.5, 0.5, 0.5]
    _write_eye(folder, image_processor_type="Sam3ImageProcessor", image_mean=half, image_std=half)


def _write_eye(folder: Path, **more: Any) -> None:
    """Write what SAM 2's own processor would, which cannot be had without torchvision."""
    settings = {
        "image_processor_type": "Sam2ImageProcessor",
        "size": SQUARE,
        "resample": 2,
        "rescale_factor": 1 / 255,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        **more,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))


def vitpose(folder: Path) -> None:
    """A VitPose of five keypoints on boxes of 48 x 64 pixels."""
    configs: Any = hf  # their signatures leave out what their base takes
    backbone = configs.VitPoseBackboneConfig(
        image_size=[64, 48],
        patch_size=[16, 16],
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        mlp_ratio=2,
        out_features=["stage2"],
    )
    names = dict(enumerate(_NAMES))
    config = configs.VitPoseConfig(
        backbone_config=backbone,
        num_labels=len(names),
        id2label=names,
        label2id={name: number for number, name in names.items()},
        use_simple_decoder=True,
    )
    model = loud(hf.VitPoseForPoseEstimation(config), "patch_embeddings", "head")
    model.head.conv.weight.data /= 64  # scores are about 0 to 1
    model.head.conv.bias.data.zero_()
    save(folder, model, VitPoseImageProcessorPil(size={"height": 64, "width": 48}))


def superpoint(folder: Path) -> None:
    """A SuperPoint that answers twenty points at most."""
    config = hf.SuperPointConfig(
        encoder_hidden_sizes=[8, 8, 16, 16],
        decoder_hidden_size=16,
        descriptor_decoder_dim=16,
        keypoint_threshold=0.0,
        max_keypoints=20,
    )
    model = loud(hf.SuperPointForKeypointDetection(config), "encoder")
    model.keypoint_decoder.conv_score_b.weight.data /= 256  # scores are neither all 0 nor all 1
    save(folder, model, SuperPointImageProcessorPil(size=SQUARE))


def clip(folder: Path) -> None:
    """A CLIP."""
    tokenizer = _clip_tokenizer(32)
    config = hf.CLIPConfig(text_config=_text(tokenizer), vision_config=_EYE, projection_dim=16)
    image_processor = CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size=SQUARE)
    processor = hf.CLIPProcessor(image_processor=image_processor, tokenizer=tokenizer)
    save(folder, loud(hf.CLIPModel(config), "vision_model", "projection"), processor)


def siglip(folder: Path) -> None:
    """A SigLIP: each label by itself, sentences always 64 tokens long."""
    tokenizer = _clip_tokenizer(64)
    config = hf.SiglipConfig(text_config=_text(tokenizer), vision_config=_EYE)
    model = loud(hf.SiglipModel(config), "vision_model", "head")
    save(folder, model, SiglipImageProcessorPil(size=SQUARE), tokenizer)


def owlvit(folder: Path) -> None:
    """An OWL-ViT."""
    tokenizer = _clip_tokenizer(16)
    config = hf.OwlViTConfig(text_config=_text(tokenizer), vision_config=_EYE, projection_dim=32)
    model = _fit_for_scores(hf.OwlViTForObjectDetection(config))
    save(folder, model, OwlViTImageProcessorPil(size=SQUARE, crop_size=SQUARE), tokenizer)


def owlv2(folder: Path) -> None:
    """An OWLv2, which pads images to squares."""
    tokenizer = _clip_tokenizer(16)
    config = hf.Owlv2Config(text_config=_text(tokenizer), vision_config=_EYE, projection_dim=32)
    model = _fit_for_scores(hf.Owlv2ForObjectDetection(config))
    save(folder, model, Owlv2ImageProcessorPil(size=SQUARE), tokenizer)


def _fit_for_scores(model: Any) -> Any:
    """Loud, but with scores that are neither all 0 nor all 1."""
    loud(model, "vision_model", "token_embedding", "text_projection", "dense0", "box_head")
    for head in (model.class_head.logit_scale, model.class_head.logit_shift):
        head.weight.data /= 8
    return model


def _clip_tokenizer(max_length: int) -> Any:
    """CLIP's frame around every text. No part of it is token 0: OWL-ViT takes that for padding."""
    start, end = "<|startoftext|>", "<|endoftext|>"
    tokenizer = bpe(bos="!", eos=end, pad=end, unk=end, extra=[start], max_length=max_length)
    tokenizer.bos_token = start
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        special_tokens=[(start, tokenizer.bos_token_id), (end, tokenizer.eos_token_id)],
    )
    return tokenizer


def _text(tokenizer: Any) -> dict[str, Any]:
    return {
        **SMALL,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": tokenizer.model_max_length,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
