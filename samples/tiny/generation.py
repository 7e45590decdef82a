"""Tiny models that write text: a Llama that chats, a T5, a translator with language tokens."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import transformers as hf

from .parts import bpe, loud, save

_ROLES = ("<|system|>", "<|user|>", "<|assistant|>")

#: Each message is its role's token, its text and the end token.
_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

#: What vLLM reads in a config.json of a model that is asked whether a text fits.
_ASKED: dict[str, Any] = {
    "classifier_from_token": ["no", "yes"],
    "is_original_qwen3_reranker": True,
}

_LANGUAGES = ["eng_Latn", "fra_Latn", "deu_Latn"]


def llama(folder: Path) -> None:
    """A decoder of 64 positions with a chat template."""
    tokenizer = bpe(extra=_ROLES, max_length=64)
    tokenizer.chat_template = _TEMPLATE
    config = hf.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=None,  # as most have none
    )
    save(folder, loud(hf.LlamaForCausalLM(config), "proj", "embed"), tokenizer)


def qwen3_reranker(folder: Path) -> None:
    """A decoder that is asked whether a text fits, as its config.json says in vLLM's words."""
    tokenizer = bpe(
        extra=["<|im_start|>", "<|im_end|>"],
        bos="<|end|>",
        eos="<|end|>",
        pad="<|pad|>",
        max_length=384,  # its prompt has 240, letter by letter
    )
    tokenizer.add_tokens(["yes", "no", "Yes"])
    config = hf.Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=384,
        tie_word_embeddings=True,
        **_ASKED,
    )
    save(folder, loud(hf.Qwen3ForCausalLM(config), "proj", "embed"), tokenizer)


def gpt2(folder: Path) -> None:
    """A decoder of 32 learned positions, whose padding is its end token, as GPT-2's must be."""
    tokenizer = bpe(bos="<|end|>", eos="<|end|>", pad="<|end|>", unk="<|end|>", max_length=32)
    config = hf.GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=32,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    save(folder, loud(hf.GPT2LMHeadModel(config), "wte", "attn.c", "wpe"), tokenizer)


def t5(folder: Path) -> None:
    """An encoder-decoder without a limit to its positions, with T5's prefixes."""
    tokenizer = bpe(max_length=64, framed=True)
    prefixes: dict[str, Any] = {
        "summarization": {"prefix": "summarize: ", "num_beams": 2, "max_length": 200},
        "translation_en_to_de": {"prefix": "translate English to German: "},
        "translation_en_to_fr": {"prefix": "translate English to French: "},
    }
    more = {"task_specific_params": prefixes, "decoder_start_token_id": tokenizer.pad_token_id}
    config = hf.T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=16,
        d_ff=37,
        num_layers=2,
        num_heads=2,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **more,
    )
    model = hf.T5ForConditionalGeneration(config)
    save(folder, loud(model, "shared", "SelfAttention", "EncDec"), tokenizer)


def nllb(folder: Path) -> None:
    """A translator of 64 positions with a token per language."""
    letters = ["<s>", "<pad>", "</s>", "<unk>", "▁", *string.ascii_letters, *string.punctuation]
    tokenizer: Any = hf.NllbTokenizer(
        vocab={letter: place for place, letter in enumerate(letters)},
        extra_special_tokens=_LANGUAGES,
        model_max_length=64,
    )
    config = hf.M2M100Config(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=37,
        decoder_ffn_dim=37,
        max_position_embeddings=64,
        decoder_start_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=False,  # tied to loud embeddings, it would say one letter for ever
    )
    weights = ("proj.weight", "fc1.weight", "fc2.weight", "embed_tokens", "lm_head")
    model = loud(hf.M2M100ForConditionalGeneration(config), *weights)
    save(folder, model, tokenizer)
