"""What models that listen are given: feature extractors, and tokenizers of letters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import transformers
from transformers.models.auto.feature_extraction_auto import FEATURE_EXTRACTOR_MAPPING_NAMES

_LETTERS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'")


def ear(kind: str) -> Any:
    """A type's feature extractor. One of waves pads with a mask, so that rows may share."""
    name = FEATURE_EXTRACTOR_MAPPING_NAMES.get(kind) or "Wav2Vec2FeatureExtractor"
    if kind == "wav2vec2-bert":  # as its documentation has it
        name = "SeamlessM4TFeatureExtractor"
    return getattr(transformers, name)()


def letters(folder: Path) -> Any:
    """A tokenizer of letters, for models that hear one after the other."""
    file = folder / "vocab.json"
    file.write_text(json.dumps({letter: place for place, letter in enumerate(_LETTERS)}))
    return transformers.Wav2Vec2CTCTokenizer(str(file))
