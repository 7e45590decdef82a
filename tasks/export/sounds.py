"""Models that listen: input_values (B, samples). Whisper is in .whisper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf

from ..backends.transformers.tokenizer import load_tokenizer
from ..backends.transformers.whole import load_whole
from .graphs import LOADING, Signature, trace, write
from .whisper import whisper

_RATE = 16_000


def audio_classification(source: str, folder: Path) -> float:
    """Dialects input-values-logits and spectrogram-logits."""
    model, _ = load_whole("AutoModelForAudioClassification", source, **LOADING)
    if model.config.model_type == "audio-spectrogram-transformer":
        return _pictures(source, folder, model)
    return _samples(source, folder, model, {0: "batch"})


def automatic_speech_recognition(source: str, folder: Path) -> float:
    """Dialects whisper-encoder-decoder and wav2vec2-ctc."""
    config = hf.AutoConfig.from_pretrained(source, trust_remote_code=False)
    tokenizer = load_tokenizer(source, config=config)
    tokenizer.save_pretrained(folder)
    if config.model_type == "whisper":
        return whisper(source, folder)
    model, _ = load_whole("AutoModelForCTC", source, **LOADING)
    return _samples(source, folder, model, {0: "batch", 1: "outputs"})


def text_to_speech(source: str, folder: Path) -> float:
    """A VITS voice, as transformers' config sets its first speaker, speed and noise."""
    model, _ = load_whole("VitsModel", source, **LOADING)
    tokenizer = load_tokenizer(source, config=model.config)
    for part in (model.config, tokenizer):
        part.save_pretrained(folder)
    _plain(model)
    noise = model.noise_scale, model.noise_scale_duration

    def sample(rows: int) -> dict[str, torch.Tensor]:
        # Attention pads texts shorter than its window in another way, which is not traced.
        letters = torch.arange(20 + rows)[None] % model.config.vocab_size
        return {"input_ids": letters, "attention_mask": torch.ones_like(letters)}

    text = {0: "texts", 1: "letters"}
    signature = Signature(
        sample=sample,
        inputs={"input_ids": text, "attention_mask": text},
        outputs={"waveform": {0: "texts", 1: "samples"}},
    )
    # Noise cannot be compared: first without, and then as it is to be.
    model.noise_scale = model.noise_scale_duration = 0.0
    worst = write(folder / "model.onnx", model, signature)
    model.noise_scale, model.noise_scale_duration = noise
    if any(noise):
        trace(folder / "model.onnx", model.eval(), signature)
    return worst


def _plain(model: Any) -> None:
    """Set weight norms at their values: the exporter knows no parametrizations."""
    for module in model.modules():
        if torch.nn.utils.parametrize.is_parametrized(module):
            for name in list(module.parametrizations):
                torch.nn.utils.parametrize.remove_parametrizations(module, name)


def _pictures(source: str, folder: Path, model: Any) -> float:
    extractor = hf.AutoFeatureExtractor.from_pretrained(source, trust_remote_code=False)
    for part in (model.config, extractor):
        part.save_pretrained(folder)
    size = (model.config.max_length, model.config.num_mel_bins)

    def sample(rows: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(rows)
        return {"input_values": torch.randn(rows, *size, generator=generator)}

    batch = {0: "batch"}
    signature = Signature(sample=sample, inputs={"input_values": batch}, outputs={"logits": batch})
    return write(folder / "model.onnx", model, signature)


def _samples(source: str, folder: Path, model: Any, axes: dict[int, str]) -> float:
    extractor = hf.AutoFeatureExtractor.from_pretrained(source, trust_remote_code=False)
    if extractor.model_input_names[0] != "input_values" or not hasattr(model.config, "conv_stride"):
        raise ValueError(f"{source}: a {model.config.model_type} takes no plain samples")
    for part in (model.config, extractor):
        part.save_pretrained(folder)
    _plain(model)
    names = ["input_values"]
    if extractor.return_attention_mask:
        names.append("attention_mask")

    def sample(rows: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(rows)
        values = torch.randn(rows, _RATE + 500 * rows, generator=generator)
        mask = torch.ones_like(values, dtype=torch.int64)
        mask[-1, _RATE // 2 :] = 0
        given = {"input_values": values * mask, "attention_mask": mask}
        return {name: given[name] for name in names}

    signature = Signature(
        sample=sample,
        inputs={name: {0: "batch", 1: "samples"} for name in names},
        outputs={"logits": axes},
    )
    return write(folder / "model.onnx", model, signature)
