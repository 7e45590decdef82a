"""Whisper as three graphs, their files and tensors named as Optimum names them.

decoder_model.onnx reads a prompt and gives, beside its logits, what attention computed of it:
present.N.{decoder,encoder}.{key,value}, (B, heads, T, D / heads). decoder_with_past_model.onnx
takes those as past_key_values.N.… with one token more, and gives the decoder's anew, one longer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf

from ..backends.transformers.whole import load_whole
from . import memory
from .graphs import LOADING, Axes, Sample, Signature, write
from .memory import PAST, PRESENT, Tensors

_BATCH: Axes = {0: "batch"}
_TOKENS: Axes = {0: "batch", 1: "tokens"}
_BOTH = ("decoder", "encoder")


def whisper(source: str, folder: Path) -> float:
    """Dialect whisper-encoder-decoder."""
    model, _ = load_whole("WhisperForConditionalGeneration", source, **LOADING)
    extractor = hf.AutoFeatureExtractor.from_pretrained(source, trust_remote_code=False)
    for part in (model.config, model.generation_config, extractor):
        part.save_pretrained(folder)
    decoder = _Decoder(model)
    encodes = Signature(
        sample=_features(model.config),
        inputs={"input_features": _BATCH},
        outputs={"last_hidden_state": _BATCH},
    )
    reads = Signature(
        sample=decoder.prompts,
        inputs={"input_ids": _TOKENS, "encoder_hidden_states": _BATCH},
        outputs={"logits": _TOKENS, **memory.axes(PRESENT, decoder.layers, _BOTH)},
    )
    goes_on = Signature(
        sample=decoder.tokens,
        inputs={"input_ids": _BATCH, **memory.axes(PAST, decoder.layers, _BOTH)},
        outputs={"logits": _BATCH, **memory.axes(PRESENT, decoder.layers, ("decoder",))},
    )
    return max(
        write(folder / "encoder_model.onnx", model.model.encoder, encodes),
        write(folder / "decoder_model.onnx", model, reads, call=decoder.read),
        write(folder / "decoder_with_past_model.onnx", model, goes_on, call=decoder.go_on),
    )


def _features(config: Any) -> Sample:
    def sample(rows: int) -> Tensors:
        shape = (rows, config.num_mel_bins, 2 * config.max_source_positions)
        return {"input_features": torch.randn(shape, generator=_seeded(rows))}

    return sample


class _Decoder:
    """The decoder as functions of tensors, and samples for them."""

    def __init__(self, model: Any) -> None:
        self._model, self._config = model, model.config
        self.layers = range(model.config.decoder_layers)

    def prompts(self, rows: int) -> Tensors:
        """A few tokens, and something heard."""
        config, seeded = self._config, _seeded(rows)
        shape = (rows, config.max_source_positions, config.d_model)
        return {
            "input_ids": torch.randint(config.vocab_size, (rows, 3 + rows), generator=seeded),
            "encoder_hidden_states": torch.randn(shape, generator=seeded),
        }

    def tokens(self, rows: int) -> Tensors:
        """A token each, after prompts that were read."""
        with torch.inference_mode():
            read = self.read(**self.prompts(rows))
        past = {name.replace(PRESENT, PAST): t for name, t in read.items() if name != "logits"}
        return {"input_ids": torch.full((rows, 1), rows), **past}

    def read(self, input_ids: torch.Tensor, encoder_hidden_states: torch.Tensor) -> Tensors:
        """From prompts (B, T) to logits (B, T, vocabulary), and all keys and values."""
        cache = hf.EncoderDecoderCache(hf.DynamicCache(), hf.DynamicCache())
        later = memory.causal(input_ids.shape[1], 0)
        logits = self._run(input_ids, encoder_hidden_states, later, cache)
        own = memory.present(cache.self_attention_cache, "decoder")
        heard = memory.present(cache.cross_attention_cache, "encoder")
        return {"logits": logits, **own, **heard}

    def go_on(self, input_ids: torch.Tensor, **past: torch.Tensor) -> Tensors:
        """From a token each (B, 1) and the past to logits (B, 1, vocabulary), and the decoder's
        keys and values.
        """
        cache = hf.EncoderDecoderCache(*(memory.cached(past, self.layers, side) for side in _BOTH))
        # Only its presence counts: its keys and values are in the cache.
        hidden = torch.zeros(input_ids.shape[0], 1, self._config.d_model)
        before = past[f"{PAST}.0.decoder.key"].shape[2]
        logits = self._run(input_ids, hidden, torch.zeros(1, before + 1), cache)
        return {"logits": logits, **memory.present(cache.self_attention_cache, "decoder")}

    def _run(
        self, input_ids: torch.Tensor, hidden: torch.Tensor, mask: torch.Tensor, cache: Any
    ) -> torch.Tensor:
        """Logits; the cache is filled. mask: (T, past + T), added to the scores of all rows."""
        out = self._model.model.decoder(
            input_ids=input_ids,
            encoder_hidden_states=hidden,
            attention_mask=mask[None, None].expand(input_ids.shape[0], 1, -1, -1),
            past_key_values=cache,
            use_cache=True,
        )
        logits: torch.Tensor = self._model.proj_out(out.last_hidden_state)
        return logits


def _seeded(rows: int) -> torch.Generator:
    return torch.Generator().manual_seed(rows)
