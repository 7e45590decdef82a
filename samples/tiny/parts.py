"""What tiny models share: sizes, labels, tokenizers trained on a handful of sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

SQUARE = {"height": 64, "width": 64}
NAMES = {0: "cat", 1: "dog", 2: "car"}
LABELS: dict[str, Any] = {"id2label": NAMES, "label2id": {v: k for k, v in NAMES.items()}}
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 37,
}

_TEXTS = (
    "the quick brown fox jumps over the lazy dog",
    "a photo of a cat and a dog beside the red car",
    "hello world how are you, what is the capital of france",
    "my name is ada and i live in london",
) * 20


def save(folder: Path, *parts: Any) -> None:
    """Save a model, its processors and tokenizers side by side."""
    for part in parts:
        part.save_pretrained(folder)


def loud(model: Any, *names: str) -> Any:
    """Enlarge the weights whose names hold one of these: random heads answer all but the same for
    every row, and a test of batching needs rows that differ.
    """
    for name, parameter in model.named_parameters():
        if any(part in name for part in names):
            torch.nn.init.normal_(parameter, std=0.5)
    return model


_WORDS = (
    "a ada am and are beside brown capital car cat dog er est fox france hello how i in ing is "
    "jump lazy live london my name of over paris photo quick red s the what who world you"
)


def vocabulary() -> dict[str, int]:
    """Pieces of words by their ids. Written, not trained: training orders them anew each time."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *".,?!", *letters, *_WORDS.split()]
    pieces += [f"##{piece}" for piece in (*letters, "er", "est", "ing", "ish", "s")]
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


def wordpiece(*, max_length: int = 64) -> Any:
    """A BERT-like tokenizer with pairs, token types and a mask."""
    tokenizer = Tokenizer(models.WordPiece(vocabulary(), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=max_length,
    )


def bpe(
    *,
    extra: Sequence[str] = (),
    bos: str = "<s>",
    eos: str = "</s>",
    pad: str = "<pad>",
    unk: str = "<unk>",
    max_length: int = 512,
    framed: bool = False,
    **more: Any,
) -> Any:
    """A byte-level tokenizer; `framed` puts bos and eos around every text."""
    tokenizer = Tokenizer(models.BPE(unk_token=unk))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = list(dict.fromkeys([bos, pad, eos, unk, *extra]))
    tokenizer.train_from_iterator(
        _TEXTS,
        trainers.BpeTrainer(
            show_progress=False,
            vocab_size=500,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    if framed:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A {eos}",
            pair=f"{bos} $A {eos} {eos} $B {eos}",
            special_tokens=[(bos, tokenizer.token_to_id(bos)), (eos, tokenizer.token_to_id(eos))],
        )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=bos,
        eos_token=eos,
        pad_token=pad,
        unk_token=unk,
        model_max_length=max_length,
        **more,
    )


def text_config(kind: str, tokenizer: Any) -> dict[str, Any]:
    """Settings of a small language model of a type, whose tokens are the tokenizer's."""
    return {
        **SMALL,
        "model_type": kind,
        "num_key_value_heads": 2,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 512,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
