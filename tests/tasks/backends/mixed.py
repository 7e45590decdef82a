"""Tiny models of the kinds whose answers padding may move, with weights that are all different.

The padding token's embedding is like any other: as it is initialised, zeros, it would hide what
some models read of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf

from wherry.samples.tiny.parts import LABELS, bpe, wordpiece

_HIDDEN: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 37,
    "max_position_embeddings": 128,
}
_D_MODEL: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 37,
    "decoder_ffn_dim": 37,
    "max_position_embeddings": 128,
}

#: Model type -> what makes it small.
ENCODERS: dict[str, dict[str, Any]] = {
    "bert": _HIDDEN,
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 37},
    "mobilebert": {**_HIDDEN, "embedding_size": 16, "intra_bottleneck_size": 16},
    "convbert": {**_HIDDEN, "embedding_size": 32, "conv_kernel_size": 3, "num_groups": 1},
    "nystromformer": {**_HIDDEN, "num_landmarks": 16, "segment_means_seq_len": 16},
    "yoso": _HIDDEN,
    "fnet": _HIDDEN,
    "funnel": {"d_model": 32, "block_sizes": [1, 1, 1], "n_head": 2, "d_head": 16, "d_inner": 37},
    "reformer": {
        "hidden_size": 32,
        "attention_head_size": 16,
        "num_attention_heads": 2,
        "feed_forward_size": 37,
        "attn_layers": ["local", "local"],
        "axial_pos_shape": [8, 16],
        "axial_pos_embds_dim": [16, 16],
        "max_position_embeddings": 128,
        "local_attn_chunk_length": 8,
        "is_decoder": False,
    },
    "openai-gpt": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128},
    "electra": {**_HIDDEN, "embedding_size": 32},
    "deberta-v2": _HIDDEN,
    "xlnet": {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 37},
}

DECODERS: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128},
    "llama": {**_HIDDEN, "num_key_value_heads": 1},
    "bart": _D_MODEL,
    "mbart": _D_MODEL,
    "pegasus": _D_MODEL,
    "marian": _D_MODEL,
    "blenderbot": _D_MODEL,
    "blenderbot-small": _D_MODEL,
    "plbart": _D_MODEL,
    "prophetnet": {
        "hidden_size": 32,
        "num_encoder_layers": 2,
        "num_decoder_layers": 2,
        "num_encoder_attention_heads": 2,
        "num_decoder_attention_heads": 2,
        "encoder_ffn_dim": 37,
        "decoder_ffn_dim": 37,
        "max_position_embeddings": 128,
        "ngram": 2,
    },
    "xlm": {"emb_dim": 32, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 128},
    "roformer": {**_HIDDEN, "embedding_size": 32, "is_decoder": True},
    "rwkv": {"hidden_size": 32, "num_hidden_layers": 2, "context_length": 128},
    "recurrent_gemma": {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "intermediate_size": 64,
        "lru_width": 32,
        "head_dim": 16,
        "attention_window_size": 64,
    },
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 2},
    "stablelm": {**_HIDDEN, "num_key_value_heads": 2},
    "trocr": {
        "d_model": 32,
        "decoder_layers": 2,
        "decoder_attention_heads": 2,
        "decoder_ffn_dim": 37,
        "max_position_embeddings": 128,
        "cross_attention_hidden_size": 32,
    },
    "whisper": {
        **{name: value for name, value in _D_MODEL.items() if name != "max_position_embeddings"},
        "max_target_positions": 128,
    },
}

_HYBRID: dict[str, Any] = {**_HIDDEN, "num_key_value_heads": 1, "head_dim": 16}
_LINEAR: dict[str, Any] = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "layer_types": ["linear_attention", "full_attention"],
}

#: Decoders that keep a state, not only what they have read.
RECURRENT: dict[str, dict[str, Any]] = {
    **{kind: DECODERS[kind] for kind in ("mamba", "recurrent_gemma", "rwkv")},
    "falcon_mamba": DECODERS["mamba"],
    "mamba2": {
        **DECODERS["mamba"],
        "num_heads": 4,
        "head_dim": 16,
        "n_groups": 2,
        "chunk_size": 8,
    },
    "jamba": {
        **_HIDDEN,
        "num_key_value_heads": 1,
        "mamba_dt_rank": 4,
        "num_experts": 1,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "use_mamba_kernels": False,
    },
    "zamba": {
        **_HIDDEN,
        "num_hidden_layers": 5,
        "num_key_value_heads": 2,
        "mamba_dt_rank": 4,
        "n_mamba_heads": 2,
        "attention_hidden_size": 64,
        "attention_head_dim": 32,
        "use_mamba_kernels": False,
        "layers_block_type": ["mamba", "mamba", "hybrid", "mamba", "hybrid"],
    },
    "zamba2": {
        **_HIDDEN,
        "num_key_value_heads": 2,
        "mamba_d_state": 8,
        "chunk_size": 8,
        "n_mamba_heads": 4,
        "mamba_headdim": 16,
        "mamba_ngroups": 1,
        "attention_hidden_size": 64,
        "use_mamba_kernels": False,
        "layers_block_type": ["mamba", "hybrid"],
    },
    "bamba": {
        **_HIDDEN,
        "num_key_value_heads": 1,
        "mamba_n_heads": 4,
        "mamba_d_head": 16,
        "mamba_d_state": 8,
        "mamba_chunk_size": 8,
        "attn_layer_indices": [1],
    },
    "falcon_h1": {
        **_HYBRID,
        "mamba_d_ssm": 64,
        "mamba_n_heads": 4,
        "mamba_d_head": 16,
        "mamba_d_state": 8,
        "mamba_chunk_size": 8,
    },
    "lfm2": {**_HYBRID, "layer_types": ["conv", "full_attention"]},
    "qwen3_5_text": {**_HYBRID, **_LINEAR},
    "qwen3_next": {
        **_HYBRID,
        **_LINEAR,
        "num_experts": 2,
        "num_experts_per_tok": 1,
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16,
    },
}

ENCODER_DECODERS: dict[str, dict[str, Any]] = {
    "bart": _D_MODEL,
    "t5": {"d_model": 32, "d_kv": 16, "d_ff": 37, "num_layers": 2, "num_heads": 2},
    "pegasus": _D_MODEL,
    "prophetnet": {**DECODERS["prophetnet"]},
    "nllb-moe": {**_D_MODEL, "num_experts": 2},
    "led": {
        **{name: value for name, value in _D_MODEL.items() if name != "max_position_embeddings"},
        "attention_window": [8, 8],
        "max_encoder_position_embeddings": 128,
        "max_decoder_position_embeddings": 128,
    },
}

#: Encoder-decoders whose encoder alone makes a text's vectors.
TEXT_ENCODERS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        ("blenderbot", "blenderbot-small", "m2m_100", "marian", "pegasus", "pegasus_x"), _D_MODEL
    ),
    **dict.fromkeys(("longt5", "mt5", "t5", "umt5"), ENCODER_DECODERS["t5"]),
    "switch_transformers": {**ENCODER_DECODERS["t5"], "num_experts": 2},
    "prophetnet": DECODERS["prophetnet"],
    "t5gemma": {
        side: {**_HIDDEN, "num_key_value_heads": 1, "head_dim": 16, "vocab_size": 600}
        for side in ("encoder", "decoder")
    },
}


def classifier(kind: str, folder: Path) -> Path:
    """A text classifier of that model type."""
    tokenizer = wordpiece(max_length=100)
    if kind == "fnet":
        tokenizer.model_input_names = ["input_ids", "token_type_ids"]
    if kind == "openai-gpt":
        tokenizer = hf.PreTrainedTokenizerFast(
            tokenizer_object=tokenizer.backend_tokenizer, unk_token="[UNK]", model_max_length=100
        )
    config = _config(kind, tokenizer, ENCODERS[kind], **LABELS)
    return _saved(hf.AutoModelForSequenceClassification.from_config(config), tokenizer, folder)


def writer(kind: str, folder: Path) -> Path:
    """A decoder of that model type."""
    tokenizer = _bytes(kind)
    config = _config(kind, tokenizer, {**DECODERS, **RECURRENT}[kind])
    if config.is_encoder_decoder:
        config.is_encoder_decoder, config.is_decoder = False, True
    return _saved(hf.AutoModelForCausalLM.from_config(config), tokenizer, folder)


def rewriter(kind: str, folder: Path) -> Path:
    """An encoder-decoder of that model type."""
    tokenizer = _bytes(kind, framed=True)
    config = _config(kind, tokenizer, {**TEXT_ENCODERS, **ENCODER_DECODERS}[kind])
    config.decoder_start_token_id = tokenizer.pad_token_id
    return _saved(hf.AutoModelForSeq2SeqLM.from_config(config), tokenizer, folder)


def _bytes(kind: str, *, framed: bool = False) -> Any:
    # ProphetNet counts places from its padding token, which must be 0.
    first = {"bos": "<pad>", "pad": "<pad>"} if kind == "prophetnet" else {}
    return bpe(max_length=100, framed=framed, **first)


def _config(kind: str, tokenizer: Any, small: dict[str, Any], **more: Any) -> Any:
    special = {
        f"{name}_token_id": number
        for name in ("pad", "bos", "eos")
        if (number := getattr(tokenizer, f"{name}_token_id")) is not None
    }
    size = {"n_words" if kind == "xlm" else "vocab_size": len(tokenizer)}
    return hf.AutoConfig.for_model(kind, **size, **small, **special, **more)


def _saved(model: Any, tokenizer: Any, folder: Path) -> Path:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.5 if "emb" in name or "wte" in name else 0.2
            if parameter.ndim > 1:
                parameter.normal_(std=scale)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
