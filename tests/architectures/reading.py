"""Tokenizers of the words that the rows hold, and what a model's config must know of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from tokenizers import processors

from wherry.samples.tiny.parts import bpe, wordpiece

_ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endif %}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tokenizer_of(auto_class: str) -> Any:
    """A tokenizer as models of that class have: pieces of words with a mask, or bytes."""
    if auto_class == "AutoModelForCausalLM":
        made = bpe(extra=_ROLES, max_length=256)
        made.chat_template = _TEMPLATE
        return made
    if auto_class == "AutoModelForSeq2SeqLM":
        return bpe(max_length=128, framed=True)
    made = wordpiece(max_length=128)
    made.bos_token, made.eos_token = made.cls_token, made.sep_token
    return made


def is_kept(tokenizer: Any, folder: Path) -> bool:
    """Whether a saved tokenizer reads as before: for some types transformers loads a class of its
    own over another's words.
    """
    loaded = transformers.AutoTokenizer.from_pretrained(folder)
    tried = ("the quick brown fox", "a car")
    return bool(loaded(*tried)["input_ids"] == tokenizer(*tried)["input_ids"])


def words_of(tokenizer: Any) -> dict[str, Any]:
    """The size of its vocabulary and its special tokens, as a config's fields."""
    names = ("bos_token_id", "eos_token_id", "pad_token_id", "cls_token_id", "sep_token_id")
    found = {name: getattr(tokenizer, name, None) for name in (*names, "mask_token_id")}
    given = {name: number for name, number in found.items() if number is not None}
    return {"vocab_size": len(tokenizer), "decoder_start_token_id": found["pad_token_id"], **given}


def framed_tokenizer(max_length: int) -> Any:
    """CLIP's frame around every text. No part of it is token 0: OWL-ViT takes that for padding."""
    start, end = "<|startoftext|>", "<|endoftext|>"
    made = bpe(bos="!", eos=end, pad=end, unk=end, extra=[start], max_length=max_length)
    made.bos_token = start
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        special_tokens=[(start, made.bos_token_id), (end, made.eos_token_id)],
    )
    made.model_input_names = ["input_ids", "attention_mask"]
    return made
