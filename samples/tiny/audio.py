"""Tiny models that listen and speak: wav2vec 2.0, Whisper, Moonshine, VITS, CLAP, CSM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers as hf

from .parts import LABELS, SMALL, bpe, loud, save, wordpiece

_LETTERS = "abcdefghijklmnopqrstuvwxyz'"

#: Three convolutions: an output for each 128 samples.
_WAV2VEC2: dict[str, Any] = {
    **SMALL,
    "conv_dim": (16, 16, 16),
    "conv_kernel": (10, 3, 3),
    "conv_stride": (8, 4, 4),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
_WHISPER: dict[str, Any] = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_target_positions": 64,
}


def wav2vec2_classifier(folder: Path, *, masked: bool = False) -> None:
    """Classifies sounds. `masked` pads with a mask, and its norms look at one moment each."""
    config = hf.Wav2Vec2Config(
        **_WAV2VEC2, feat_extract_norm=_norm(masked), classifier_proj_size=16, **LABELS
    )
    model = loud(hf.Wav2Vec2ForSequenceClassification(config), "classifier", "projector")
    save(folder, model, _extractor(masked))


def masked_wav2vec2_classifier(folder: Path) -> None:
    """Classifies sounds, padded with a mask."""
    wav2vec2_classifier(folder, masked=True)


def ast(folder: Path) -> None:
    """Classifies sounds by their pictures of 128 frames, of 16 bands each."""
    config = hf.ASTConfig(
        **SMALL,
        patch_size=8,
        frequency_stride=8,
        time_stride=8,
        max_length=128,
        num_mel_bins=16,
        **LABELS,
    )
    model = loud(hf.ASTForAudioClassification(config), "classifier", "patch_embeddings", "layer")
    save(folder, model, hf.ASTFeatureExtractor(max_length=128, num_mel_bins=16))


def wav2vec2_ctc(folder: Path, *, masked: bool = False) -> None:
    """Hears letters. `masked` as for the classifier."""
    words = ["<pad>", "<s>", "</s>", "<unk>", "|", *_LETTERS]
    config = hf.Wav2Vec2Config(
        **_WAV2VEC2, feat_extract_norm=_norm(masked), vocab_size=len(words), pad_token_id=0
    )
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({word: i for i, word in enumerate(words)}))
    model = loud(hf.Wav2Vec2ForCTC(config), "lm_head")
    save(folder, model, _extractor(masked), hf.Wav2Vec2CTCTokenizer(str(vocabulary)))


def masked_wav2vec2_ctc(folder: Path) -> None:
    """Hears letters, padded with a mask."""
    wav2vec2_ctc(folder, masked=True)


def whisper(folder: Path) -> None:
    """Writes 12 tokens for every window, in English or French."""
    tokenizer = _whisper_tokenizer()
    number = tokenizer.convert_tokens_to_ids
    ends, start = number("<|endoftext|>"), number("<|startoftranscript|>")
    special = {
        "decoder_start_token_id": start,
        "bos_token_id": ends,
        "eos_token_id": ends,
        "pad_token_id": ends,
    }
    model = loud(
        hf.WhisperForConditionalGeneration(
            hf.WhisperConfig(vocab_size=len(tokenizer), **special, **_WHISPER)
        ),
        "conv",
        "embed",
        "layers",
    )
    with torch.no_grad():
        # Random timestamps, of which there are three times as many, would drown the words.
        model.model.decoder.embed_tokens.weight[number("<|0.00|>") :] *= 0.5
        # What is heard would be drowned by 29 seconds of silence.
        model.model.encoder.layer_norm.weight *= 4
    model.generation_config = hf.GenerationConfig(
        **special,
        max_new_tokens=12,
        no_repeat_ngram_size=2,  # else they stammer, and all rows the same
        is_multilingual=True,
        no_timestamps_token_id=number("<|notimestamps|>"),
        prev_sot_token_id=number("<|startofprev|>"),
        lang_to_id={name: number(name) for name in ("<|en|>", "<|fr|>")},
        task_to_id={name: number(f"<|{name}|>") for name in ("transcribe", "translate")},
    )
    save(folder, model, hf.WhisperFeatureExtractor(), tokenizer)


def moonshine(folder: Path) -> None:
    """Writes tokens for a sound that it hears whole."""
    tokenizer = bpe()
    sides = ("num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    config = hf.MoonshineConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        decoder_start_token_id=tokenizer.bos_token_id,
        **{f"{half}_{name}": 2 for half in ("encoder", "decoder") for name in sides},
        **_ends(tokenizer),
    )
    model = loud(hf.MoonshineForConditionalGeneration(config), "conv", "layers", "embed_tokens")
    model.generation_config = hf.GenerationConfig(
        **_ends(tokenizer),
        decoder_start_token_id=tokenizer.bos_token_id,
        max_new_tokens=9,
        no_repeat_ngram_size=2,  # else it stammers, and all rows the same
    )
    extractor = hf.Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True)
    save(folder, model, extractor, tokenizer)


def csm(folder: Path) -> None:
    """Speaks six frames at 2.4 kHz, as ten speakers."""
    tokenizer = bpe(extra=("<|AUDIO|>", "<|audio_eos|>"))
    number = tokenizer.convert_tokens_to_ids
    size: dict[str, Any] = {
        **SMALL,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "num_hidden_layers": 1,
    }
    sounds: dict[str, Any] = {"num_codebooks": 4, "vocab_size": 18}
    codec = hf.MimiConfig(
        **{**size, "hidden_size": 16},
        num_filters=4,
        codebook_size=32,
        codebook_dim=8,
        vector_quantization_hidden_dimension=8,
        upsampling_ratios=[4, 2],
        num_quantizers=4,
        upsample_groups=16,
        max_position_embeddings=128,
        sliding_window=16,
        sampling_rate=2400,
    )
    config = hf.CsmConfig(
        **size,
        **sounds,
        text_vocab_size=len(tokenizer),
        max_position_embeddings=128,
        depth_decoder_config={
            **size,
            **sounds,
            "backbone_hidden_size": 32,
            "max_position_embeddings": 8,
        },
        codec_config=codec.to_dict(),
        audio_token_id=number("<|AUDIO|>"),
        audio_eos_token_id=number("<|audio_eos|>"),
        codebook_pad_token_id=17,
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = hf.CsmForConditionalGeneration(config)
    for part in (model.backbone_model, model.depth_decoder):
        loud(part, "embed", "layers", "head")
    loud(model, "lm_head")
    for name, buffer in model.codec_model.named_buffers():
        if name.endswith("embed_sum"):  # zeros, as it is made: all codes would sound alike
            buffer.normal_()
    model.generation_config.update(max_new_tokens=6, do_sample=True)
    save(folder, model, hf.CsmProcessor(hf.EncodecFeatureExtractor(sampling_rate=2400), tokenizer))


def vits(folder: Path) -> None:
    """Speaks small letters, 16 kHz, as two speakers."""
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({letter: i for i, letter in enumerate("_ -" + _LETTERS)}))
    tokenizer = hf.VitsTokenizer(
        str(vocabulary), pad_token="_", unk_token="_", phonemize=False, is_uroman=False
    )
    config = hf.VitsConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        ffn_dim=16,
        spectrogram_bins=9,
        flow_size=16,
        num_speakers=2,
        speaker_embedding_size=8,
        upsample_initial_channel=16,
        upsample_rates=[8, 8],
        upsample_kernel_sizes=[16, 16],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3]],
        prior_encoder_num_flows=1,
        prior_encoder_num_wavenet_layers=1,
        posterior_encoder_num_wavenet_layers=1,
        duration_predictor_num_flows=1,
        depth_separable_num_layers=1,
        duration_predictor_filter_channels=16,
    )
    save(folder, hf.VitsModel(config), tokenizer)


def clap(folder: Path, *, fused: bool = False) -> None:
    """A CLAP that hears a second. `fused` hears parts of longer sounds beside the whole."""
    tokenizer = wordpiece()
    config = hf.ClapConfig(
        text_config={
            **SMALL,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 66,
            "pad_token_id": tokenizer.pad_token_id,
        },
        audio_config={
            "spec_size": 128,
            "num_mel_bins": 64,
            "window_size": 4,
            "depths": [1, 1],
            "num_attention_heads": [2, 2],
            "num_hidden_layers": 2,
            "patch_embeds_hidden_size": 8,
            "hidden_size": 16,
            "enable_fusion": fused,
            "fusion_type": "aff_2d" if fused else None,
            "patch_embed_input_channels": 1,
        },
        projection_dim=16,
    )
    extractor = hf.ClapFeatureExtractor(
        sampling_rate=16_000,
        hop_length=160,
        fft_window_size=512,
        frequency_max=8000,
        max_length_s=1,
        truncation="fusion" if fused else "rand_trunc",
    )
    names = (
        "word_embeddings",
        "value.weight",
        "attention.output.dense.weight",
        "pooler.dense.weight",
    )
    model = loud(hf.ClapModel(config), "patch_embed.proj", "audio_projection", *names)
    norm = model.audio_model.audio_encoder.batch_norm  # decibels of noise
    norm.running_mean.fill_(-5)
    norm.running_var.fill_(25)
    save(folder, model, extractor, tokenizer)


def fused_clap(folder: Path) -> None:
    """A CLAP that hears parts of long sounds beside the whole."""
    clap(folder, fused=True)


def _ends(tokenizer: Any) -> dict[str, Any]:
    names = ("bos", "eos", "pad")
    return {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in names}


def _norm(masked: bool) -> str:
    return "layer" if masked else "group"


def _extractor(masked: bool) -> Any:
    return hf.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=masked)


def _whisper_tokenizer() -> Any:
    end = "<|endoftext|>"
    trained = json.loads(bpe(bos=end, eos=end, pad=end, unk=end).backend_tokenizer.to_str())
    tokenizer = hf.WhisperTokenizer(
        vocab=trained["model"]["vocab"],
        merges=[tuple(merge) for merge in trained["model"]["merges"]],
        pad_token=end,
    )
    names = ("startoftranscript", "en", "fr", "translate", "transcribe", "startoflm")
    more = ("startofprev", "nospeech", "notimestamps")
    tokenizer.add_special_tokens(
        {"extra_special_tokens": [f"<|{name}|>" for name in (*names, *more)]}
    )
    # A timestamp for each 20 ms of 30 s; they are no special tokens.
    tokenizer.add_tokens([f"<|{i * 0.02:.2f}|>" for i in range(1501)])
    return tokenizer
