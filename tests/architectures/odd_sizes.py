"""What a kind of model needs beside or instead of the rules: its field -> value, or a function of
what the rules made.
"""

from __future__ import annotations

from typing import Any

#: Widths of Mamba's inner part: twice the hidden size of 32.
_MAMBA: dict[str, Any] = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_chunk_size": 16}


#: Two kinds of attention, in pieces of 16 tokens.
_REFORMER: dict[str, Any] = {
    "axial_pos_shape": [8, 16],
    "axial_pos_embds_dim": [16, 16],
    "attn_layers": ["local", "lsh"],
    "attention_head_size": 16,
    "feed_forward_size": 64,
    "max_position_embeddings": 128,
    "local_attn_chunk_length": 16,
    "lsh_attn_chunk_length": 16,
    "num_buckets": 4,
    "hash_seed": 0,  # else it draws
}
#: Detectors by words that look as DETR does.
_GROUNDED = ("deformable_detr", "grounding-dino", "mm-grounding-dino")
#: What fuses four layers to a map.
_NECK: dict[str, Any] = {"neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 16}


def _resnet(*stages: str) -> dict[str, Any]:
    """What DETR and its kin look with, where timm is not installed."""
    backbone = {
        "model_type": "resnet",
        "embedding_size": 8,
        "hidden_sizes": [8, 8, 16, 16],
        "depths": [1, 1, 1, 1],
        "layer_type": "basic",
        "out_features": list(stages),
    }
    return {
        "use_timm_backbone": False,
        "use_pretrained_backbone": False,
        "backbone": None,
        "backbone_config": backbone,
    }


#: How a picture is cut into squares: whole, side by side, or one below the other.
GRID = [[64, 64], [64, 128], [128, 64]]
#: A small DINOv2 that shows four of its layers.
_DINOV2: dict[str, Any] = {
    "model_type": "dinov2",
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "image_size": 64,
    "patch_size": 16,
    "out_indices": [1, 2, 3, 4],
    "reshape_hidden_states": False,
}
_ANYTHING: dict[str, Any] = {
    "backbone_config": _DINOV2,
    "neck_hidden_sizes": [8, 8, 16, 16],
    "fusion_hidden_size": 16,
    "reassemble_hidden_size": 32,
    "patch_size": 16,
}
_HGNET: dict[str, Any] = {
    "stem_channels": [3, 8, 8],
    "stage_in_channels": [8, 16, 16, 16],
    "stage_mid_channels": [8, 8, 8, 8],
    "stage_out_channels": [16, 16, 16, 32],
    "hidden_sizes": [16, 16, 16, 32],
    "embedding_size": 8,
    "stage_num_blocks": [1, 1, 1, 1],
    "stage_numb_of_layers": [1, 1, 1, 1],
}
#: Where a picture's parts are, and how many of a head's numbers tell each of three places.
_MROPE: dict[str, Any] = {
    "rope_type": "default",
    "rope_theta": 10_000.0,
    "mrope_section": [2, 3, 3],
}

ODD: dict[str, dict[str, Any]] = {
    # As wide at its end as the space that it shares.
    "align_vision_model": {"width_coefficient": 0.1, "depth_coefficient": 0.1, "hidden_dim": 32},
    "beit": {"num_hidden_layers": 4, "out_indices": [1, 2, 3, 4]},
    "bit": {"hidden_sizes": [16, 32, 32, 32], "embedding_size": 16, "num_groups": 4},
    "conditional_detr": _resnet("stage4"),
    "dab-detr": _resnet("stage4"),
    "detr": {
        **_resnet(*(f"stage{n}" for n in range(1, 5))),
        "encoder_attention_heads": 8,
        "decoder_attention_heads": 8,
    },
    "efficientnet": {"width_coefficient": 0.2, "depth_coefficient": 0.1, "hidden_dim": 256},
    "omdet-turbo": _resnet("stage2", "stage3", "stage4"),
    "table-transformer": _resnet("stage4"),
    **{key: {"window_size": 2} for key in ("swin", "donut-swin", "swinv2", "maskformer-swin")},
    **{kind: {"d_model": 64, **_resnet("stage2", "stage3", "stage4")} for kind in _GROUNDED},
    "dpt": {"num_hidden_layers": 4, "backbone_out_indices": [0, 1, 2, 3], **_NECK},
    "data2vec-vision": {"num_hidden_layers": 4, "out_indices": [1, 2, 3, 4]},
    "gemma3n_text": {"num_kv_shared_layers": 0},
    "reformer": _REFORMER,
    "recurrent_gemma": {"num_hidden_layers": 3},
    "codegen": {"n_embd": 64, "n_head": 4, "rotary_dim": 8},
    "longcat_flash": {"qk_head_dim": 32, "moe_topk": 2, "zero_expert_num": 2},
    "vipllava": {"vision_feature_layers": [-1, -2]},
    **{
        kind: {"mm_tokens_per_image": 16}
        for kind in ("gemma3", "shieldgemma2", "t5gemma2", "t5gemma2_encoder")
    },
    **{
        kind: {"rope_parameters": _MROPE}
        for kind in ("glm4v_text", "glm_ocr_text", "paddleocr_vl_text")
    },
    "glm4v_moe_text": {"rope_parameters": {**_MROPE, "partial_rotary_factor": 1.0}},
    "hunyuan_vl_text": {
        "rope_parameters": {**_MROPE, "rope_type": "xdrope", "xdrope_section": [2, 2, 2, 2]}
    },
    "ernie4_5_vl_moe_text": {"rope_parameters": {**_MROPE, "mrope_section": [3, 3, 2]}},
    **{
        kind: {"image_grid_pinpoints": GRID}
        for kind in ("llava_next", "llava_next_video", "granite4_vision")
    },
    "aria": {"projector_patch_to_query_dict": {900: 8, 3600: 16, 3721: 16}},
    "deepseek_ocr2_text": {"mlp_layer_types": ["dense", "sparse"]},
    "mllama_vision_model": {"intermediate_layers_indices": [0, 1], "vision_output_dim": 96},
    **{
        kind: {"feature_projection_input_dim": 160}
        for kind in ("seamless_m4t", "seamless_m4t_v2", "wav2vec2-bert")
    },
    "xlstm": {"hidden_size": 128, "embedding_dim": 128},
    "vjepa2": {"crop_size": 64, "pred_num_attention_heads": 2, "pred_hidden_size": 32},
    "lightglue": {"filter_threshold": 0.0},
    "xmod": {"default_language": "en_XX"},
    "zamba": {
        "num_hidden_layers": 4,
        "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"],
        "attention_hidden_size": 64,
        "attention_head_dim": 32,
        "n_mamba_heads": 2,
    },
    "zamba2": {
        "num_hidden_layers": 4,
        "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"],
        "attention_hidden_size": 64,
        "attention_head_dim": 32,
        "n_mamba_heads": 4,
        "mamba_headdim": 16,
        "mamba_ngroups": 1,
        "chunk_size": 16,
    },
    "gptj": {"rotary_dim": 8},
    "jamba": {
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
    },
    "deepseek_v2": {"num_experts_per_tok": 2},
    "layoutlmv3": {"coordinate_size": 4, "shape_size": 8, "input_size": 64},
    "lilt": {"hidden_size": 48, "channel_shrink_ratio": 4},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {"sliding_attention": _MROPE, "full_attention": _MROPE},
    },
    "bamba": {**_MAMBA, "attn_layer_indices": [1]},
    "dbrx": {
        "d_model": 32,
        "tie_word_embeddings": False,
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 10_000.0},
    },
    "depth_anything": _ANYTHING,
    "prompt_depth_anything": _ANYTHING,
    "lw_detr": {"projector_scale_factors": [1.0]},
    "zoedepth": {
        **_ANYTHING,
        "fusion_hidden_size": 32,
        "backbone_config": {
            "model_type": "beit",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 4,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 16,
            "out_indices": [1, 2, 3, 4],
            "reshape_hidden_states": False,
            "use_relative_position_bias": True,
        },
    },
    "dots1": {"n_shared_experts": 1, "n_routed_experts": 4, "num_experts_per_tok": 2},
    "bailing_hybrid": {"num_expert_group": 1},
    "blt": {"encoder_hash_byte_group_vocab": 64},
    "hgnet_v2": _HGNET,
    "mistral4": {"head_dim": 32, "qk_head_dim": 32},
    "pvt": {"num_labels": 3},
    "qwen4_exp_text": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 16,
        "indexer_budget": 64,
        "indexer_compress_ratio": 4,
    },
    "textnet": {"stem_out_channels": 16},
    "efficientloftr": {
        "stage_num_blocks": [1, 1, 1, 1],
        "out_features": [8, 8, 16, 32],
        "num_attention_heads": 8,  # its rotary positions fit no other count
        "num_key_value_heads": 8,
        "fine_matching_slice_dim": 4,
        "coarse_matching_threshold": 0.0,
        "coarse_matching_temperature": 1e-3,
        "coarse_matching_border_removal": 0,
    },
    "fsmt": {
        "src_vocab_size": lambda given: given["vocab_size"],
        "tgt_vocab_size": lambda given: given["vocab_size"],
    },
    "granitemoehybrid": {**_MAMBA, "layer_types": ["mamba", "attention"]},
    "luke": {"entity_vocab_size": 16, "entity_emb_size": 32},
    "mamba2": {"num_heads": 4, "head_dim": 16, "n_groups": 1, "chunk_size": 16},
    "mimo_v2_flash": {"num_attention_heads": 4},
    "perceiver": {
        "image_size": 64,
        "num_latents": 8,
        "d_latents": 32,
        "num_self_attends_per_block": 2,
    },
}
