"""Tiny audio language models: Whisper's ear, Qwen2's mouth, a chat template between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from .parts import bpe, loud, save

#: A user's message: a sound where it stands, words, and the turn of the other one.
_TURNS = (
    "{{% for message in messages %}}<|im_start|>{{{{ message['role'] }}}}\n"
    "{{% for part in message['content'] %}}"
    "{{% if part['type'] == 'audio' %}}{sound}{{% else %}}{{{{ part['text'] }}}}{{% endif %}}"
    "{{% endfor %}}<|im_end|>\n{{% endfor %}}"
    "{{% if add_generation_prompt %}}<|im_start|>assistant\n{{% endif %}}"
)
_TURN = ("<|im_start|>", "<|im_end|>")
_EAR: dict[str, Any] = {
    "num_mel_bins": 80,
    "max_source_positions": 150,  # of three seconds
}
_FLAMINGO_EAR: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 37,
}
_LOUD = ("conv", "projector", "lm_head", "self_attn", "embed_tokens")


def qwen2_audio(folder: Path) -> None:
    """A Qwen2-Audio that hears three seconds."""
    marks = ("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
    tokenizer = bpe(extra=(*marks, *_TURN))
    ear = {"d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 37}
    config = hf.Qwen2AudioConfig(
        audio_config={**_EAR, **ear},
        text_config=_text(tokenizer),
        audio_token_index=tokenizer.convert_tokens_to_ids(marks[0]),
    )
    processor = hf.Qwen2AudioProcessor(
        _extractor(), tokenizer, chat_template=_TURNS.format(sound=marks[1] + marks[0] + marks[2])
    )
    model = loud(hf.Qwen2AudioForConditionalGeneration(config), *_LOUD)
    save(folder, _ended(model, tokenizer), processor)


def audio_flamingo3(folder: Path) -> None:
    """An Audio Flamingo 3 that hears two windows of three seconds."""
    tokenizer = bpe(extra=("<sound>", *_TURN))
    config = hf.AudioFlamingo3Config(
        audio_config={**_EAR, **_FLAMINGO_EAR},
        text_config=_text(tokenizer),
        audio_token_id=tokenizer.convert_tokens_to_ids("<sound>"),
    )
    processor = hf.AudioFlamingo3Processor(
        _extractor(), tokenizer, chat_template=_TURNS.format(sound="<sound>"), max_audio_len=6
    )
    model = loud(hf.AudioFlamingo3ForConditionalGeneration(config), *_LOUD)
    save(folder, _ended(model, tokenizer), processor)


def music_flamingo(folder: Path) -> None:
    """A Music Flamingo of the same size, which tells where in time it hears."""
    marks = ("<sound>", "<|sound_bos|>", "<|sound_eos|>")
    tokenizer = bpe(extra=(*marks, *_TURN))
    names = ("audio_token_id", "audio_bos_token_id", "audio_eos_token_id")
    config = hf.MusicFlamingoConfig(
        audio_config={**_EAR, **_FLAMINGO_EAR, "model_type": "audioflamingo3_encoder"},
        text_config=_text(tokenizer),
        **dict(zip(names, tokenizer.convert_tokens_to_ids([*marks]), strict=True)),
    )
    processor = hf.MusicFlamingoProcessor(
        _extractor(), tokenizer, chat_template=_TURNS.format(sound="<sound>"), max_audio_len=6
    )
    model = loud(hf.MusicFlamingoForConditionalGeneration(config), *_LOUD)
    save(folder, _ended(model, tokenizer), processor)


def _extractor() -> Any:
    return hf.WhisperFeatureExtractor(feature_size=80, chunk_length=3)


def _text(tokenizer: Any) -> dict[str, Any]:
    return {
        "model_type": "qwen2",
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
    }


def _ended(model: Any, tokenizer: Any) -> Any:
    model.generation_config = hf.GenerationConfig(
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        pad_token_id=tokenizer.pad_token_id,
    )
    return model
