"""Whisper as three graphs, their files and tensors named as Optimum names them.

decoder_model.onnx reads a prompt and gives, beside its logits, what attention computed of it:
present.N.{decoder,encoder}.{key,value}, (B, heads, T, D / heads). decoder_with_past_model.onnx
takes those as past_key_values.N.… with one token more, and gives the decoder's anew, one longer.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import transformers as hf

from ..backends.transformers.whole import load_whole
from .graphs import LOADING, Axes, Sample, Signature, write

Tensors = dict[str, torch.Tensor]

_BATCH: Axes = {0: "batch"}
_TOKENS: Axes = {0: "batch", 1: "tokens"}

_PRESENT, _PAST = "present", "past_key_values"
#: The third axis of the decoder's keys and values; the encoder's has always 30 seconds.
_LENGTHS = {_PRESENT: "length", _PAST: "past"}


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
        outputs={"logits": _TOKENS, **decoder.axes(_PRESENT)},
    )
    goes_on = Signature(
        sample=decoder.tokens,
        inputs={"input_ids": _BATCH, **decoder.axes(_PAST)},
        outputs={"logits": _BATCH, **decoder.axes(_PRESENT, sides=("decoder",))},
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
        self._layers = range(model.config.decoder_layers)

    def axes(self, form: str, *, sides: Iterable[str] = ("decoder", "encoder")) -> dict[str, Axes]:
        """The free axes of all keys and values, by name."""
        free: dict[str, Axes] = {"decoder": {0: "batch", 2: _LENGTHS[form]}, "encoder": _BATCH}
        return {
            f"{form}.{layer}.{side}.{kind}": free[side]
            for layer in self._layers
            for side in sides
            for kind in ("key", "value")
        }

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
        past = {name.replace(_PRESENT, _PAST): t for name, t in read.items() if name != "logits"}
        return {"input_ids": torch.full((rows, 1), rows), **past}

    def read(self, input_ids: torch.Tensor, encoder_hidden_states: torch.Tensor) -> Tensors:
        """From prompts (B, T) to logits (B, T, vocabulary), and all keys and values."""
        cache = hf.EncoderDecoderCache(hf.DynamicCache(), hf.DynamicCache())
        # The model's own mask asks whether texts are packed, in an operator that ONNX lacks.
        length = input_ids.shape[1]
        later = torch.ones(length, length).triu(1) * torch.finfo(torch.float32).min
        logits = self._run(input_ids, encoder_hidden_states, later, cache)
        own = self._present("decoder", cache.self_attention_cache)
        heard = self._present("encoder", cache.cross_attention_cache)
        return {"logits": logits, **own, **heard}

    def go_on(self, input_ids: torch.Tensor, **past: torch.Tensor) -> Tensors:
        """From a token each (B, 1) and the past to logits (B, 1, vocabulary), and the decoder's
        keys and values.
        """
        cache = hf.EncoderDecoderCache(
            *(
                hf.DynamicCache(
                    [
                        (past[f"{_PAST}.{n}.{side}.key"], past[f"{_PAST}.{n}.{side}.value"])
                        for n in self._layers
                    ]
                )
                for side in ("decoder", "encoder")
            )
        )
        # Only its presence counts: its keys and values are in the cache.
        hidden = torch.zeros(input_ids.shape[0], 1, self._config.d_model)
        before = past[f"{_PAST}.0.decoder.key"].shape[2]
        logits = self._run(input_ids, hidden, torch.zeros(1, before + 1), cache)
        return {"logits": logits, **self._present("decoder", cache.self_attention_cache)}

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

    def _present(self, side: str, cache: Any) -> Tensors:
        return {
            f"{_PRESENT}.{n}.{side}.{kind}": tensor
            for n, layer in zip(self._layers, cache.layers, strict=True)
            for kind, tensor in (("key", layer.keys), ("value", layer.values))
        }


def _seeded(rows: int) -> torch.Generator:
    return torch.Generator().manual_seed(rows)
