"""Models that write text, as Optimum lays them out: one graph that takes its own past, or an
encoder with two decoders, the second of which goes on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf
from transformers.modeling_outputs import BaseModelOutput

from ..backends.transformers.tokenizer import load_tokenizer
from ..backends.transformers.whole import load_whole, read_config
from . import memory
from .graphs import LOADING, Axes, Sample, Signature, write
from .memory import PAST, PRESENT, Tensors

_TOKENS: Axes = {0: "batch", 1: "tokens"}
_READ: Axes = {0: "batch", 1: "read"}
_BOTH = ("decoder", "encoder")

#: How much farther than rounding the graphs' steps may be from the model's own call.
_STEPS = 1e-3


def writer(source: str, folder: Path) -> float:
    """A decoder that stands alone, or one behind an encoder. Raises ValueError for others."""
    config = read_config(source)
    auto = "AutoModelForSeq2SeqLM" if config.is_encoder_decoder else "AutoModelForCausalLM"
    kinds = {*(getattr(config, "layer_types", None) or ["full_attention"])}
    if kinds != {"full_attention"}:
        raise ValueError(f"{source}: layers of {', '.join(sorted(kinds))} cannot be exported")
    model, _ = load_whole(auto, source, **LOADING)
    tokenizer = load_tokenizer(source, config=config)
    for part in (model.config, model.generation_config, tokenizer):
        part.save_pretrained(folder)
    return _pair(model, folder) if config.is_encoder_decoder else _alone(model, folder)


def _alone(model: Any, folder: Path) -> float:
    layers = range(model.config.get_text_config().num_hidden_layers)

    def call(
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        position_ids: torch.Tensor,
        **past: torch.Tensor,
    ) -> Tensors:
        cache = memory.cached(past, layers, "")
        before = past[f"{PAST}.0.key"].shape[2]
        mask = memory.causal(input_ids.shape[1], before)[None, None] + _hidden(attention_mask)
        out = model(
            input_ids=input_ids,
            attention_mask=mask.clamp(min=torch.finfo(torch.float32).min),
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
        )
        return {"logits": out.logits, **memory.present(cache, "")}

    def sample(rows: int) -> Tensors:
        ids = _ids(model, rows, 4)
        with torch.inference_mode():
            cache = model(input_ids=_ids(model, rows, 2 + rows), use_cache=True).past_key_values
        read = memory.present(cache, "")
        return {
            "input_ids": ids,
            "attention_mask": torch.ones(rows, 6 + rows, dtype=torch.int64),
            "position_ids": torch.arange(2 + rows, 6 + rows).expand(rows, -1),
            **{name.replace(PRESENT, PAST): tensor for name, tensor in read.items()},
        }

    with torch.inference_mode():
        whole = torch.cat([_ids(model, 2, 4), _ids(model, 2, 4)], dim=1)
        stepped = sample(2)
        own = model(input_ids=whole).logits[:, 4:]
        _check(call(**stepped)["logits"], own)
    masks: dict[str, Axes] = {"attention_mask": {0: "batch", 1: "past and tokens"}}
    signature = Signature(
        sample=sample,
        inputs={
            "input_ids": _TOKENS,
            **masks,
            "position_ids": _TOKENS,
            **memory.axes(PAST, layers, memory.ALONE),
        },
        outputs={"logits": _TOKENS, **memory.axes(PRESENT, layers, memory.ALONE)},
    )
    return write(folder / "model.onnx", model, signature, call=call)


def _pair(model: Any, folder: Path) -> float:
    decoder = _Behind(model)
    read = {"encoder": "read"}
    reads = Signature(
        sample=_texts(model),
        inputs={"input_ids": _READ, "attention_mask": _READ},
        outputs={"last_hidden_state": _READ},
    )
    begins = Signature(
        sample=decoder.prompts,
        inputs={
            "input_ids": _TOKENS,
            "encoder_attention_mask": _READ,
            "encoder_hidden_states": _READ,
        },
        outputs={"logits": _TOKENS, **memory.axes(PRESENT, decoder.layers, _BOTH, **read)},
    )
    goes_on = Signature(
        sample=decoder.tokens,
        inputs={
            "input_ids": _TOKENS,
            "encoder_attention_mask": _READ,
            **memory.axes(PAST, decoder.layers, _BOTH, **read),
        },
        outputs={"logits": _TOKENS, **memory.axes(PRESENT, decoder.layers, ("decoder",))},
    )
    decoder.check()
    return max(
        write(folder / "encoder_model.onnx", model, reads, call=decoder.encode),
        write(folder / "decoder_model.onnx", model, begins, call=decoder.begin),
        write(folder / "decoder_with_past_model.onnx", model, goes_on, call=decoder.go_on),
    )


class _Behind:
    """A decoder behind an encoder, and the encoder, as functions of tensors; samples for them."""

    def __init__(self, model: Any) -> None:
        self._model = model
        config = model.config
        self.layers = range(getattr(config, "num_decoder_layers", None) or config.decoder_layers)

    def check(self) -> None:
        """Raise ValueError where the steps answer otherwise than the model itself."""
        with torch.inference_mode():
            stepped = self.tokens(2)
            given = self.prompts(2)
            own = self._model(
                encoder_outputs=BaseModelOutput(last_hidden_state=given["encoder_hidden_states"]),
                attention_mask=given["encoder_attention_mask"],
                decoder_input_ids=torch.cat([given["input_ids"], stepped["input_ids"]], dim=1),
            ).logits
            _check(self.go_on(**stepped)["logits"], own[:, -1:])

    def encode(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Tensors:
        """What the encoder makes of texts (B, S)."""
        mask = _hidden(attention_mask).expand(-1, 1, input_ids.shape[1], -1)
        out = self._model.get_encoder()(input_ids=input_ids, attention_mask=mask)
        return {"last_hidden_state": out.last_hidden_state}

    def prompts(self, rows: int) -> Tensors:
        """A few tokens, and texts that were read."""
        read = _texts(self._model)(rows)
        with torch.inference_mode():
            hidden = self.encode(**read)["last_hidden_state"]
        return {
            "input_ids": _ids(self._model, rows, 1 + rows),
            "encoder_attention_mask": read["attention_mask"],
            "encoder_hidden_states": hidden,
        }

    def tokens(self, rows: int) -> Tensors:
        """A token each, after prompts that were read."""
        given = self.prompts(rows)
        with torch.inference_mode():
            read = self.begin(**given)
        past = {name.replace(PRESENT, PAST): t for name, t in read.items() if name != "logits"}
        mask = given["encoder_attention_mask"]
        return {"input_ids": _ids(self._model, rows, 1), "encoder_attention_mask": mask, **past}

    def begin(
        self,
        input_ids: torch.Tensor,
        encoder_attention_mask: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
    ) -> Tensors:
        """From prompts (B, T) to logits (B, T, V), and all keys and values."""
        cache = hf.EncoderDecoderCache(hf.DynamicCache(), hf.DynamicCache())
        logits = self._run(input_ids, encoder_attention_mask, encoder_hidden_states, 0, cache)
        own = memory.present(cache.self_attention_cache, "decoder")
        return {"logits": logits, **own, **memory.present(cache.cross_attention_cache, "encoder")}

    def go_on(
        self, input_ids: torch.Tensor, encoder_attention_mask: torch.Tensor, **past: torch.Tensor
    ) -> Tensors:
        """From new tokens and the past to their logits, and the decoder's keys and values."""
        cache = hf.EncoderDecoderCache(*(memory.cached(past, self.layers, side) for side in _BOTH))
        before = past[f"{PAST}.0.decoder.key"].shape[2]
        # Only its presence and length count: its keys and values are in the cache.
        hidden = torch.zeros(*encoder_attention_mask.shape, self._model.config.d_model)
        logits = self._run(input_ids, encoder_attention_mask, hidden, before, cache)
        return {"logits": logits, **memory.present(cache.self_attention_cache, "decoder")}

    def _run(
        self,
        ids: torch.Tensor,
        read: torch.Tensor,
        hidden: torch.Tensor,
        before: int,
        cache: Any,
    ) -> torch.Tensor:
        length = ids.shape[1]
        later = memory.causal(length, before)[None, None].expand(ids.shape[0], 1, -1, -1)
        logits: torch.Tensor = self._model(
            encoder_outputs=BaseModelOutput(last_hidden_state=hidden),
            attention_mask=_hidden(read).expand(-1, 1, length, -1),
            decoder_input_ids=ids,
            decoder_attention_mask=later,
            past_key_values=cache,
            use_cache=True,
        ).logits
        return logits


def _texts(model: Any) -> Sample:
    def sample(rows: int) -> Tensors:
        mask = torch.ones(rows, 5 + rows, dtype=torch.int64)
        mask[0, 3:] = 0
        return {"input_ids": _ids(model, rows, 5 + rows), "attention_mask": mask}

    return sample


def _ids(model: Any, rows: int, length: int) -> torch.Tensor:
    size = model.config.get_text_config().vocab_size
    generator = torch.Generator().manual_seed(length)
    # The first tokens are special, and some models take the place of a padding token for none.
    return torch.randint(min(10, size // 2), size, (rows, length), generator=generator)


def _hidden(mask: torch.Tensor) -> torch.Tensor:
    """What is added to scores so that nobody looks at padding: (B, S) -> (B, 1, 1, S)."""
    return (1 - mask[:, None, None].float()) * torch.finfo(torch.float32).min


def _check(found: torch.Tensor, own: torch.Tensor) -> None:
    difference = float((found - own).abs().max())
    if not difference <= _STEPS:
        raise ValueError(
            f"read token by token, the model's logits move by {difference:.1e}: it cannot be "
            "exported with its past"
        )
