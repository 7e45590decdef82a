"""Translation against the model's own generate: languages by token, by prefix, and by model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.protocol.errors import RowError
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.translation import TranslationInput, TranslationOutput

from ..writing import PROMPTS, own_text, texts, written


@pytest.fixture
def t5(tiny_model: Callable[[str], Path]) -> Iterator[LocalTask]:
    with create_task("transformers", "translation", str(tiny_model("translation"))) as made:
        yield made


@pytest.fixture
def nllb(tiny_model: Callable[[str], Path]) -> Iterator[LocalTask]:
    with create_task("transformers", "translation", str(tiny_model("translation-nllb"))) as made:
        yield made


def own(task: LocalTask, text: str, source: str, target: str) -> str:
    """NLLB's own way: the source set on its tokenizer, the target forced as first token."""
    tokenizer: Any = task.backend.tokenizer  # type: ignore[attr-defined] # transformers' backends have one
    before, tokenizer.src_lang = tokenizer.src_lang, source
    # The language takes one token more, which our count leaves out: it is told, not made.
    said = own_text(task, text, 9, forced_bos_token_id=tokenizer.convert_tokens_to_ids(target))
    tokenizer.src_lang = before
    return said


PAIRS = [
    ("eng_Latn", "fra_Latn"),
    ("deu_Latn", "eng_Latn"),
    ("eng_Latn", "deu_Latn"),
    ("fra_Latn", "deu_Latn"),
]


def test_one_batch_holds_rows_of_different_languages(nllb: LocalTask) -> None:
    rows = [
        TranslationInput(texts=[text], src_lang=source, tgt_lang=target, max_new_tokens=8)
        for text, (source, target) in zip(PROMPTS, PAIRS, strict=True)
    ]
    found = []
    for (source, target), text, answer in zip(PAIRS, PROMPTS, nllb.backend.run(rows), strict=True):
        assert isinstance(answer, TranslationOutput)
        found.append(answer.generations[0].text)
        assert found[-1] == own(nllb, text, source, target)
    assert len(set(found)) == len(PROMPTS)


def test_a_source_does_not_stick(nllb: LocalTask) -> None:
    before = texts(nllb, texts=PROMPTS, max_new_tokens=8)
    texts(nllb, texts=PROMPTS, max_new_tokens=8, src_lang="deu_Latn")
    assert texts(nllb, texts=PROMPTS, max_new_tokens=8) == before


@pytest.mark.parametrize("odd", [{"src_lang": "xx"}, {"tgt_lang": "xx"}, {"tgt_lang": "a"}])
def test_a_language_that_the_model_does_not_know_fails_alone(
    nllb: LocalTask, odd: dict[str, Any]
) -> None:
    rows = [
        TranslationInput(texts=["hello"], max_new_tokens=4, **odd),
        TranslationInput(texts=["hello"], max_new_tokens=4, tgt_lang="fra_Latn"),
    ]
    refused, good = nllb.backend.run(rows)
    assert isinstance(refused, RowError)
    assert refused.message == f"this model knows no language {next(iter(odd.values()))!r}"
    assert isinstance(good, TranslationOutput)


def test_room_is_what_the_decoder_has(nllb: LocalTask) -> None:
    (row,) = written(nllb, texts=["hello"], max_new_tokens=500, tgt_lang="fra_Latn")
    assert (row.completion_tokens, row.finish_reason) == (62, "length")


def test_a_pair_that_the_config_names_has_its_prefix(t5: LocalTask) -> None:
    rows = [
        TranslationInput(texts=[PROMPTS[0]], src_lang="en", tgt_lang="de", max_new_tokens=8),
        TranslationInput(texts=[PROMPTS[0]], src_lang="en", tgt_lang="fr", max_new_tokens=8),
        TranslationInput(texts=[PROMPTS[0]], max_new_tokens=8),
    ]
    prefixes = ("translate English to German: ", "translate English to French: ", "")
    found = [row.generations[0].text for row in t5.backend.run(rows)]  # type: ignore[union-attr] # none fails
    assert found == [own_text(t5, prefix + PROMPTS[0], 8) for prefix in prefixes]
    assert len(set(found)) == 3


def test_a_pair_that_the_model_does_not_do_fails_alone(t5: LocalTask) -> None:
    rows = [
        TranslationInput(texts=["hello"], src_lang="en", tgt_lang="xx", max_new_tokens=4),
        TranslationInput(texts=["hello"], src_lang="en", tgt_lang="de", max_new_tokens=4),
    ]
    refused, good = t5.backend.run(rows)
    assert isinstance(refused, RowError)
    assert refused.message == "this model does not translate en to xx"
    assert isinstance(good, TranslationOutput)


def test_a_model_of_many_targets_is_told_within_the_text(t5: LocalTask) -> None:
    """As Marian's are."""
    tokenizer: Any = t5.backend.tokenizer  # type: ignore[attr-defined] # transformers' backends have one
    assert tokenizer.add_tokens([">>fra<<"]) == 1
    model: Any = t5.backend.model  # type: ignore[attr-defined] # likewise
    model.resize_token_embeddings(len(tokenizer))
    told = texts(t5, texts=["hello"], tgt_lang="fra", max_new_tokens=8)
    assert told == [own_text(t5, ">>fra<< hello", 8)]


def test_a_model_of_one_pair_may_be_told_it(t5: LocalTask) -> None:
    """Again as Marian's."""
    tokenizer: Any = t5.backend.tokenizer  # type: ignore[attr-defined] # transformers' backends have one
    tokenizer.source_lang, tokenizer.target_lang = "eng", "deu"
    told = texts(t5, texts=["hello"], src_lang="eng", tgt_lang="deu", max_new_tokens=8)
    assert told == [own_text(t5, "hello", 8)]
    with pytest.raises(RowError, match="does not translate deu to None"):
        texts(t5, texts=["hello"], src_lang="deu", max_new_tokens=8)
