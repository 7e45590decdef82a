"""Models that listen: input_values (B, samples), or Whisper's input_features (B, mels, frames)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf

from .graphs import Signature, write

_RATE = 16_000


def audio_classification(source: str, folder: Path) -> float:
    """Dialect input-values-logits."""
    model = hf.AutoModelForAudioClassification.from_pretrained(
        source, trust_remote_code=False, attn_implementation="eager"
    )
    return _samples(source, folder, model, {0: "batch"})


def automatic_speech_recognition(source: str, folder: Path) -> float:
    """Dialects whisper-encoder-decoder and wav2vec2-ctc."""
    config = hf.AutoConfig.from_pretrained(source, trust_remote_code=False)
    tokenizer = hf.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    tokenizer.save_pretrained(folder)
    if config.model_type == "whisper":
        return _whisper(source, folder)
    model = hf.AutoModelForCTC.from_pretrained(
        source, trust_remote_code=False, attn_implementation="eager"
    )
    return _samples(source, folder, model, {0: "batch", 1: "outputs"})


def _samples(source: str, folder: Path, model: Any, axes: dict[int, str]) -> float:
    extractor = hf.AutoFeatureExtractor.from_pretrained(source, trust_remote_code=False)
    if extractor.model_input_names[0] != "input_values" or not hasattr(model.config, "conv_stride"):
        raise ValueError(f"{source}: a {model.config.model_type} takes no plain samples")
    for part in (model.config, extractor):
        part.save_pretrained(folder)
    for module in model.modules():
        if torch.nn.utils.parametrize.is_parametrized(module):
            # Weight norm, at its value: the exporter knows no parametrizations.
            for name in list(module.parametrizations):
                torch.nn.utils.parametrize.remove_parametrizations(module, name)
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


def _whisper(source: str, folder: Path) -> float:
    model: Any = hf.WhisperForConditionalGeneration.from_pretrained(
        source, trust_remote_code=False, attn_implementation="eager"
    )
    extractor = hf.AutoFeatureExtractor.from_pretrained(source, trust_remote_code=False)
    for part in (model.config, model.generation_config, extractor):
        part.save_pretrained(folder)
    config = model.config
    frames = 2 * config.max_source_positions

    def heard(rows: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(rows)
        return {
            "input_features": torch.randn(rows, config.num_mel_bins, frames, generator=generator)
        }

    def said(rows: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(rows)
        shape = (rows, config.max_source_positions, config.d_model)
        ids = torch.randint(0, config.vocab_size, (rows, 3 + rows), generator=generator)
        hidden = torch.randn(shape, generator=generator)
        return {"input_ids": ids, "encoder_hidden_states": hidden}

    encoder = Signature(
        sample=heard,
        inputs={"input_features": {0: "batch"}},
        outputs={"last_hidden_state": {0: "batch"}},
    )
    decoder = Signature(
        sample=said,
        inputs={"input_ids": {0: "batch", 1: "tokens"}, "encoder_hidden_states": {0: "batch"}},
        outputs={"logits": {0: "batch", 1: "tokens"}},
    )

    def speak(**tensors: torch.Tensor) -> dict[str, torch.Tensor]:
        ids = tensors["input_ids"]
        # The model's own mask asks whether texts are packed, in an operator that ONNX lacks.
        later = torch.ones(ids.shape[1], ids.shape[1]).triu(1) * torch.finfo(torch.float32).min
        mask = later[None, None].expand(ids.shape[0], 1, -1, -1)
        hidden = model.model.decoder(
            **tensors, attention_mask=mask, use_cache=False
        ).last_hidden_state
        return {"logits": model.proj_out(hidden)}

    return max(
        write(folder / "encoder_model.onnx", model.model.encoder, encoder),
        write(folder / "decoder_model.onnx", model, decoder, call=speak),
    )
