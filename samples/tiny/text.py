"""Tiny models that read text: BERT with a head for each task, DistilBERT, TAPAS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as hf

from .parts import NAMES, SMALL, bpe, loud, save, vocabulary

_POSITIONS = 64
_NLI = ("contradiction", "neutral", "entailment")
_ENTITIES = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def _labels(*names: str) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(names)),
        "label2id": {name: i for i, name in enumerate(names)},
    }


def _bert(model: Any, folder: Path, *louder: str, **config: Any) -> None:
    # The model's own class, as in real folders: it knows which text of a pair a token is of.
    tokenizer = hf.BertTokenizer(vocab=vocabulary(), model_max_length=_POSITIONS)
    settings = hf.BertConfig(
        **SMALL, vocab_size=len(tokenizer), max_position_embeddings=_POSITIONS, **config
    )
    save(
        folder,
        loud(
            model(settings), "word_embeddings", "position_embeddings", ".self.", "pooler", *louder
        ),
        tokenizer,
    )


def text_classification(folder: Path) -> None:
    """DistilBERT of three labels."""
    tokenizer = hf.DistilBertTokenizer(vocab=vocabulary(), model_max_length=_POSITIONS)
    config = hf.DistilBertConfig(
        vocab_size=len(tokenizer),
        dim=32,
        n_layers=2,
        n_heads=2,
        hidden_dim=37,
        max_position_embeddings=_POSITIONS,
        **_labels(*NAMES.values()),
    )
    model = hf.DistilBertForSequenceClassification(config)
    save(folder, loud(model, "_embeddings", "q_lin", "k_lin", "classifier"), tokenizer)


def text_pairs(folder: Path) -> None:
    """BERT that judges pairs, several labels at once."""
    labels = _labels("same", "near", "far")
    problem = "multi_label_classification"
    _bert(hf.BertForSequenceClassification, folder, "classifier", problem_type=problem, **labels)


def natural_language_inference(folder: Path) -> None:
    """BERT that judges whether a text entails another."""
    _bert(hf.BertForSequenceClassification, folder, "classifier", **_labels(*_NLI))


def token_classification(folder: Path) -> None:
    """BERT that marks people and places."""
    _bert(hf.BertForTokenClassification, folder, "classifier", **_labels(*_ENTITIES))


def question_answering(folder: Path) -> None:
    """BERT that finds passages."""
    _bert(hf.BertForQuestionAnswering, folder, "qa_outputs")


def byte_level_question_answering(folder: Path) -> None:
    """RoBERTa that finds passages: positions from two, no words marked, any byte a token."""
    tokenizer = bpe(cls_token="<s>", sep_token="</s>", framed=True, max_length=10**6)
    config = hf.RobertaConfig(
        **SMALL,
        vocab_size=len(tokenizer),
        max_position_embeddings=_POSITIONS,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = loud(hf.RobertaForQuestionAnswering(config), "word_embeddings", "qa_outputs")
    save(folder, model, tokenizer)


def fill_mask(folder: Path) -> None:
    """BERT that fills gaps."""
    _bert(hf.BertForMaskedLM, folder)


def encoder(folder: Path) -> None:
    """BERT without a head."""
    _bert(hf.BertModel, folder)


def ranking(folder: Path) -> None:
    """BERT as a cross-encoder."""
    _bert(hf.BertForSequenceClassification, folder, "classifier", num_labels=1)


def table_question_answering(folder: Path) -> None:
    """TAPAS that selects cells and an aggregator. Needs pandas."""
    words = vocabulary()
    file = folder / "vocab.txt"
    file.write_text("\n".join(sorted(words, key=words.__getitem__)))
    tokenizer = hf.TapasTokenizer(str(file), model_max_length=_POSITIONS, empty_token="[UNK]")
    config = hf.TapasConfig(
        **SMALL,
        vocab_size=len(words),
        max_position_embeddings=_POSITIONS,
        type_vocab_sizes=[3, 256, 256, 2, 256, 256, 10],
        num_aggregation_labels=4,
        aggregation_labels={0: "NONE", 1: "SUM", 2: "AVERAGE", 3: "COUNT"},
        select_one_column=True,
    )
    model = loud(
        hf.TapasForQuestionAnswering(config), "_embeddings", ".self.", "output_w", "aggregation"
    )
    save(folder, model, tokenizer)
