"""Tiny configurations of any kind of model: its defaults, with every known size made small.

What no rule fits is in `odd_sizes`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import transformers
from transformers import PretrainedConfig

from .odd_sizes import ODD

HIDDEN, HEADS, LAYERS, EDGE = 32, 2, 2, 64

_WIDTHS = (
    *("hidden_size", "d_model", "n_embd", "dim", "embed_dim", "embedding_size", "emb_dim"),
    *(
        "model_dim",
        "projection_dim",
        "output_hidden_size",
        "out_hidden_size",
        "decoder_hidden_size",
    ),
    *(
        "out_hidden_size",
        "encoder_hidden_size",
        "hidden_dim",
        "word_embed_proj_dim",
        "feature_size",
        "embedding_dim",
    ),
    *("mask_feature_size", "fusion_hidden_size", "conv_dim_size", "fpn_hidden_size", "lru_width"),
    *("fpn_feature_size", "width", "cross_attention_hidden_size", "multimodal_hidden_size"),
    *("decoder_dim", "encoder_hidden_dim", "attention_hidden_size", "text_embed_dim"),
    *("vision_embed_dim", "kv_dim", "d_embed", "dim_model", "shared_expert_dim"),
)
_INNER = (
    *("intermediate_size", "d_ff", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim", "n_inner"),
    *("dim_feedforward", "mlp_dim", "moe_intermediate_size", "shared_expert_intermediate_size"),
    *("encoder_feedforward_dim", "ffn_hidden_size", "intermediate_dim", "dense_intermediate_size"),
    *("intermediate_size_mlp", "decoder_intermediate_size", "inner_dim", "n_inner_size"),
    *(
        "moe_shared_expert_intermediate_size",
        "shared_experts_intermediate_size",
        "ffn_intermediate_size",
        "block_ff_dim",
    ),
)
_LAYERS = (
    *("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"),
    *("num_decoder_layers", "num_encoder_layers", "depth", "decoder_num_hidden_layers"),
    *("layers", "decoder_num_layers", "memory_attention_num_layers", "encoder_num_layers"),
    *("memory_fuser_num_layers", "num_blocks"),
)
_HEADS = (
    *("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads"),
    *("decoder_attention_heads", "num_decoder_attention_heads", "num_encoder_attention_heads"),
    *("attention_heads", "decoder_num_attention_heads", "num_key_value_heads", "num_kv_heads"),
    *("n_kv_heads", "encoder_num_attention_heads", "linear_num_key_heads"),
    *("linear_num_value_heads", "decoder_num_key_value_heads", "encoder_num_key_value_heads"),
    *("multi_query_group_num", "pooler_num_attention_heads"),
)
_SET: dict[str, Any] = {
    **dict.fromkeys(_WIDTHS, HIDDEN),
    **dict.fromkeys(_INNER, 64),
    **dict.fromkeys(_LAYERS, LAYERS),
    **dict.fromkeys(_HEADS, HEADS),
    **dict.fromkeys(("head_dim", "d_kv", "qk_head_dim", "attention_head_dim", "d_head"), 16),
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim", "global_head_dim"), 16),
    **dict.fromkeys(("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "index_head_dim"), 16),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank", "o_lora_rank"), 16),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("n_group", "topk_group", "num_expert_groups", "first_k_dense_replace"), 1),
    "num_expert_group": 1,
    "index_n_heads": 2,
    "attn_window": 16,
}
#: Never more than this; a model may have less.
_MOST: dict[str, int] = {
    **dict.fromkeys(("num_experts_per_tok", "moe_k", "moe_topk", "num_experts_per_token"), 2),
    **dict.fromkeys(
        ("max_position_embeddings", "n_positions", "n_ctx", "max_target_positions"), 256
    ),
    **dict.fromkeys(("max_seq_len", "max_sequence_length", "max_seq_length", "seq_length"), 256),
    **dict.fromkeys(("num_queries", "num_query_tokens", "num_detection_tokens"), 8),
    **dict.fromkeys(("image_size", "img_size"), EDGE),
    **dict.fromkeys(("patch_size", "vision_patch_size"), 16),
    **dict.fromkeys(("state_size", "ssm_state_size", "mamba_d_state", "mamba_state_size"), 8),
    **dict.fromkeys(("codebook_size",), 64),
    **dict.fromkeys(("num_conv_pos_embeddings",), 16),
    **dict.fromkeys(("num_conv_pos_embedding_groups",), 2),
    "sliding_window": 64,
    "attention_window": 16,
    "type_vocab_size": 16,
    "max_source_positions": 1500,
}

#: Whatever else is called a size and is as large.
_LARGE = 96
_WIDE = re.compile(r"conv_dim|hidden_sizes|(dim|dims|channels)$")
_A_SIZE = re.compile(r"(dim|dims|dimension|size|channels|width|features)$|vocab_size|hidden_size")


def tiny_config(kind: str, words: Mapping[str, Any], labels: Mapping[str, Any]) -> Any:
    """A configuration of a kind of model, small. `words` is what its text part must agree with a
    tokenizer in: vocab_size and the ids of special tokens.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return _tiny(CONFIG_MAPPING[kind], {**words}, {**labels})


def _tiny(cls: type[PretrainedConfig], words: dict[str, Any], labels: dict[str, Any]) -> Any:
    plain = _plain(cls)
    names = set(inspect.signature(cls.__init__).parameters) | set(plain)
    given = {name: small for name in names if (small := _small(name, plain.get(name))) is not None}
    for name, part in _parts(cls, plain).items():
        given[name] = _shown(_tiny(part, words, {}), plain.get(name)).to_dict()
    given.update({name: words[name] for name in words.keys() & names if "_token_i" in name})
    if "vocab_size" in words:  # tables beside the words' own
        tables = (name for name in given if "vocab_size" in name)
        given.update(dict.fromkeys(tables, words["vocab_size"]))
    if plain.get("vocab_size") is not None or "vocab_size" in names:
        given.update({k: v for k, v in words.items() if k in names or k == "vocab_size"})
    if plain.get("is_encoder_decoder") and "decoder_start_token_id" in words:
        given["decoder_start_token_id"] = words["decoder_start_token_id"]
    given.update(_layers(plain, given))
    given.update(_turned(plain))
    given.update(labels)
    odd = ODD.get(cls.model_type, {})
    given.update({k: v({**words, **given}) if callable(v) else v for k, v in odd.items()})
    return cls(**given)


def _shown(small: Any, whole: Any) -> Any:
    """A backbone of which the same stages are shown as of the large one, if it has them."""
    stages = getattr(whole, "out_features", None) or ()
    if {*stages} <= {*(getattr(small, "stage_names", None) or ())} and stages:
        small.set_output_features_output_indices(out_indices=None, out_features=[*stages])
    return small


def _parts(cls: type[PretrainedConfig], plain: Mapping[str, Any]) -> dict[str, Any]:
    """Configurations within a configuration, by name: their classes."""
    found = {n: type(value) for n, value in plain.items() if isinstance(value, PretrainedConfig)}
    for name, part in (getattr(cls, "sub_configs", None) or {}).items():
        if name not in found and hasattr(part, "model_type") and part.__name__ != "AutoConfig":
            found[name] = part
    return found


def _plain(cls: type[PretrainedConfig]) -> dict[str, Any]:
    """The defaults."""
    try:
        return dict(vars(cls()))
    except Exception:  # some must be told their parts
        return {
            name: parameter.default
            for name, parameter in inspect.signature(cls.__init__).parameters.items()
            if parameter.default is not inspect.Parameter.empty
        }


def _small(name: str, value: Any) -> Any:
    """A size made small; None for what is no size."""
    if name.startswith("_"):
        return None
    if value is None and name in ("head_dim", "num_key_value_heads"):
        return _SET[name]
    if isinstance(value, int) and not isinstance(value, bool):
        if name in _SET:
            return _SET[name]
        if name == "patch_size" and value == 14:  # as most processors that go with it are made
            return 16
        if name in _MOST:
            return min(value, _MOST[name])
        if value >= _LARGE and _A_SIZE.search(name):
            return HIDDEN
    if isinstance(value, list | tuple) and value:
        return _small_list(name, value)
    return None


def _small_list(name: str, value: Any) -> Any:
    count = len(value)
    if name in ("image_size", "img_size") and count == 2:
        return [min(v, EDGE) for v in value]
    if name in ("depths", "layers") and all(isinstance(v, int) for v in value):
        return [1] * count
    if name in ("hidden_sizes", "embed_dims", "encoder_hidden_sizes", "embed_dim") and all(
        isinstance(v, int) for v in value
    ):
        return [16 * 2 ** min(i, 2) for i in range(count)]
    if all(isinstance(v, int) and v >= _LARGE for v in value) and _WIDE.search(name):
        return [HIDDEN] * count
    if name in ("num_heads", "num_attention_heads") and all(isinstance(v, int) for v in value):
        return [min(v, 2) for v in value]
    return None


def _layers(plain: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Lists of one entry a layer, cut to the layers there are; all kinds of layers stay."""
    found: dict[str, Any] = {}
    count = next((given[n] for n in _LAYERS if isinstance(given.get(n), int)), None)
    before = next((plain[n] for n in _LAYERS if isinstance(plain.get(n), int)), None)
    if count is None or before is None:
        return found
    for name, value in plain.items():
        if isinstance(value, list) and len(value) == before and name not in given:
            first = list({str(entry): entry for entry in value}.values())
            found[name] = (first * count)[:count]
    return found


def _turned(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Rotary positions in time, height and width, of heads that are 16 wide."""
    return {
        name: {**plain[name], "mrope_section": [2, 3, 3]}
        for name in ("rope_parameters", "rope_scaling")
        if isinstance(plain.get(name), dict) and "mrope_section" in plain[name]
    }


def version() -> str:
    """transformers' own."""
    return str(transformers.__version__)
