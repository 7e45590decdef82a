"""Tiny models that play: MusicGen, alone, in stereo, and with a melody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf

from .parts import bpe, loud, save

#: Codes of each codebook; the one behind them stands for none.
_CODES = 16


def musicgen(folder: Path, *, channels: int = 1) -> None:
    """A MusicGen of four codebooks a channel, 50 frames of 8 samples a second."""
    tokenizer = bpe()
    plays = hf.MusicgenDecoderConfig(**_decoder(channels))
    config = hf.MusicgenConfig(**_encoders(len(tokenizer)), decoder=plays.to_dict())
    _save(folder, hf.MusicgenForConditionalGeneration(config), tokenizer)


def stereo_musicgen(folder: Path) -> None:
    """One of two channels."""
    musicgen(folder, channels=2)


def musicgen_melody(folder: Path) -> None:
    """One that could follow a melody, without what hears it: that needs torchaudio."""
    tokenizer = bpe()
    plays = hf.MusicgenMelodyDecoderConfig(**_decoder(1))
    config = hf.MusicgenMelodyConfig(
        **_encoders(len(tokenizer)), decoder=plays.to_dict(), num_chroma=12, chroma_length=8
    )
    _save(folder, hf.MusicgenMelodyForConditionalGeneration(config), tokenizer)


def _encoders(words: int) -> dict[str, Any]:
    hears = hf.T5Config(vocab_size=words, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    codec = hf.EncodecConfig(
        num_filters=4,
        hidden_size=8,
        codebook_dim=8,
        codebook_size=_CODES,
        upsampling_ratios=[4, 2],
        num_lstm_layers=1,
        target_bandwidths=[0.8],
        sampling_rate=400,
    )
    return {"text_encoder": hears.to_dict(), "audio_encoder": codec.to_dict()}


def _decoder(channels: int) -> dict[str, Any]:
    return {
        "vocab_size": _CODES,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "ffn_dim": 16,
        "num_codebooks": 4 * channels,
        "audio_channels": channels,
        "max_position_embeddings": 64,
        "pad_token_id": _CODES,
        "bos_token_id": _CODES,
    }


def _save(folder: Path, model: Any, tokenizer: Any) -> None:
    played = loud(model, "layers", "embed", "head", "shared", "block")
    # A codec of random weights, with codes of no size, is silent.
    for name, buffer in played.audio_encoder.named_buffers():
        if name.endswith("codebook.embed"):
            torch.nn.init.normal_(buffer)
    played.generation_config = hf.GenerationConfig(
        max_new_tokens=12,
        do_sample=True,
        guidance_scale=3,
        decoder_start_token_id=_CODES,
        pad_token_id=_CODES,
        bos_token_id=_CODES,
    )
    save(folder, played, tokenizer)
