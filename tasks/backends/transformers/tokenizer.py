"""Tokenizers that are in the folder, and its model's own."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..base import ModelRefused
from .whole import find_file, has_file, package_fault

#: Below so many rows an embedding says nothing about its tokenizer: models of letters, bases and
#: bytes round theirs up to 16, 128 or 512.
_SMALL = 1000

#: Vocabularies that are a SentencePiece file, and those in other forms.
_SENTENCEPIECE = (
    *("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "sentencepiece.model"),
    *("source.spm", "spm.model"),
)
#: How a SentencePiece file begins: with its first piece. tiktoken's begin with a token's letters.
_FIRST = b"\n"
_VOCABULARIES = (
    *("tokenizer.json", "vocab.json", "vocab.txt", "vocab-src.json", "bpe.codes", "dict.txt"),
    *("prophetnet.tokenizer", "tekken.json", *_SENTENCEPIECE),
)


def load_tokenizer(source: str, *, config: Any, revision: str | None = None) -> Any:
    """Load the tokenizer of a model with that config.

    Raises ModelRefused where the folder has none: transformers would make one of five words up.
    """
    from transformers import AutoTokenizer

    with tokenizer_errors(source, revision):
        tokenizer = AutoTokenizer.from_pretrained(
            source, revision=revision, trust_remote_code=False
        )
    check_tokenizer(source, tokenizer, revision=revision, config=config)
    return tokenizer


def load_processor(source: str, config: Any, revision: str | None = None) -> Any:
    """Load the processor of a model with that config. Raises ModelRefused as `load_tokenizer`."""
    from transformers import AutoProcessor

    with tokenizer_errors(source, revision):
        processor = AutoProcessor.from_pretrained(
            source, revision=revision, trust_remote_code=False
        )
    check_tokenizer(source, processor.tokenizer, revision=revision, config=config)
    return processor


@contextmanager
def tokenizer_errors(source: str, revision: str | None = None) -> Iterator[None]:
    """Say it in one line where a tokenizer cannot be read because of what is not there."""
    try:
        yield
    except (ImportError, OSError, TypeError, ValueError) as error:
        found = {
            name: Path(path)
            for name in _VOCABULARIES
            if (path := find_file(source, name, revision)) is not None
        }
        if not found:
            raise ModelRefused(f"{source}: the folder holds no tokenizer") from error
        if "tokenizer.json" not in found:
            files = [found[name] for name in _SENTENCEPIECE if name in found]
            _check_sentencepiece(source, files, broken="tiktoken" in str(error))
        if fault := package_fault(error):  # of what is beside the tokenizer
            raise ModelRefused(f"{source}: {fault}") from error
        if isinstance(error, ImportError):
            told = " ".join(str(error).split())
            raise ModelRefused(f"{source}: its tokenizer needs a package: {told}") from error
        raise


def _check_sentencepiece(source: str, files: list[Path], *, broken: bool) -> None:
    """Raise ModelRefused where it is these files that cannot be read.

    `broken` is whether transformers found one so: it takes it for tiktoken's then.
    """
    for file in files:
        with file.open("rb") as opened:
            if opened.read(1) != _FIRST:
                continue
        trouble = _without_sentencepiece() or ("it cannot be read: is it whole?" if broken else "")
        if trouble:
            raise ModelRefused(f"{source}: {file.name} is a SentencePiece file: {trouble}")


def _without_sentencepiece() -> str:
    """What to install so that SentencePiece files can be read; "" where they can be."""
    if importlib.util.find_spec("sentencepiece") is None:
        return "pip install 'wherry[transformers]', which brings sentencepiece"
    try:
        importlib.import_module("sentencepiece.sentencepiece_model_pb2")
    except ModuleNotFoundError:
        return "pip install protobuf"
    except Exception as error:  # protobuf's own kind, for code of a newer protobuf than is there
        return f"pip install 'sentencepiece<0.2.3' protobuf ({str(error).split(': ')[0]})"
    return ""


def check_tokenizer(
    source: str, tokenizer: Any, *, config: Any, revision: str | None = None
) -> None:
    """Raise ModelRefused for a tokenizer that was made up, or that is another model's.

    Embeddings are padded: Qwen has 151,936 rows for 151,669 tokens, GPT-J 50,400 for 50,257; none
    known has twice as many rows as tokens. Tokens that were added to a vocabulary may lie beyond
    the rows (Gemma 3 of text alone has one for images); those of the vocabulary itself may not.
    """
    files = {*type(tokenizer).vocab_files_names.values()} - {"tokenizer_config.json"}
    if not files:  # bytes or characters: there is no vocabulary to be lost
        return
    if not any(has_file(source, name, revision) for name in (*_VOCABULARIES, *sorted(files))):
        raise ModelRefused(
            f"{source}: the folder holds no tokenizer ({', '.join(sorted(files))}); save the "
            "model's own beside its weights"
        )
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    ordinary = set(vocabulary.values()) - set(tokenizer.added_tokens_decoder)
    if not ordinary:
        raise ModelRefused(f"{source}: the tokenizer has no tokens but special ones")
    rows = embedded(config)
    if rows is None:
        return
    if max(ordinary) >= rows:
        raise ModelRefused(
            f"{source}: the tokenizer has tokens up to {max(ordinary)}, the model's vocabulary "
            f"{rows}: they are not of one model"
        )
    if rows >= _SMALL and 2 * len(vocabulary) < rows:
        raise ModelRefused(
            f"{source}: the tokenizer has {len(vocabulary)} tokens, the model's vocabulary {rows}: "
            "they are not of one model"
        )


def embedded(config: Any) -> int | None:
    """How many tokens the text part of a model knows; None where its config does not say."""
    try:
        text = config.get_text_config(decoder=True)
    except ValueError:  # it has several parts that read
        return None
    # CSM's vocab_size counts the codes of its sounds.
    rows: int | None = getattr(text, "text_vocab_size", None) or getattr(text, "vocab_size", None)
    return rows
