"""A row's answer is its own: alone, and beside a longer and a shorter one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.company import (
    Company,
    Probe,
    Values,
    apart,
    distance,
    try_company,
    turned,
)
from wherry.tasks.backends.text.lengths import alike_in_length, sharing
from wherry.tasks.base import TaskOutput
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.registry import get_task
from wherry.tasks.text.embedding import EmbeddingOutput
from wherry.tasks.text.generation import GenerationOutput
from wherry.tasks.text.text_classification import TextClassificationOutput

from . import mixed
from .writing import texts as written

TEXTS = [
    "the quick brown fox jumps",
    "who are you now",
    "a photo of a cat and a dog beside the red car and a fox over the lazy dog in london",
    "my name is ada and i live in london what",
    "how are you and who am i",  # another of the first one's length, or near it
]

#: What each is found to need: a model that heeds its mask, one that does not, one that mixes rows.
NORMAL = {
    "classifier": {"bert": "padded", "fnet": "equal-length", "mobilebert": "equal-length"},
    "writer": {"llama": "padded", "bart": "equal-length", "rwkv": "one-by-one"},
    "rewriter": {"t5": "padded"},
    "recurrent": {"recurrent_gemma": "equal-length", "rwkv": "one-by-one"},
}
ALL = {
    "classifier": mixed.ENCODERS,
    "writer": mixed.DECODERS,
    "rewriter": mixed.ENCODER_DECODERS,
    "recurrent": mixed.RECURRENT,
}


def kinds(what: str) -> list[Any]:
    return [
        pytest.param(kind, marks=() if kind in NORMAL[what] else pytest.mark.slow, id=kind)
        for kind in ALL[what]
    ]


def made(what: str, kind: str, folder: Path) -> LocalTask:
    torch.manual_seed(0)
    task = {
        "classifier": "text-classification",
        "writer": "text-generation",
        "rewriter": "text2text-generation",
    }
    source = str(getattr(mixed, what)(kind, folder))
    loaded = create_task("transformers", task[what], source)
    expected = NORMAL[what].get(kind)
    assert expected in (None, loaded.backend.company.batching)
    return loaded


def scores(task: LocalTask, texts: Sequence[str]) -> list[dict[str, float]]:
    output = task.process(task.task.input.validated({"texts": list(texts)}))
    assert isinstance(output, TextClassificationOutput)
    return [{found.label: found.score for found in row} for row in output.results]


@pytest.mark.parametrize("kind", kinds("recurrent"))
def test_a_prompt_of_one_token_sees_nothing_of_the_rows_before(kind: str, tmp_path: Path) -> None:
    task = made("writer", kind, tmp_path)
    tokenizer: Any = task.backend.tokenizer  # type: ignore[attr-defined] # a Writer has one
    [token] = tokenizer("a", add_special_tokens=False)["input_ids"]

    def said(tokens: list[int]) -> list[tuple[int, float | None]]:
        given = {"texts": [""], "token_ids": [tokens], "max_new_tokens": 8, "logprobs": 0}
        output = task.process(task.task.input.validated(given))
        assert isinstance(output, GenerationOutput)
        [generation] = output.generations
        return [(told.id, told.logprob) for told in generation.tokens or ()]

    def fresh() -> list[tuple[int, float | None]]:
        task.close()
        task.backend.load()
        return said([token])

    own = fresh()
    for before in (TEXTS[2], "b", "z"):
        said(tokenizer(before, add_special_tokens=False)["input_ids"])
        assert [one for one, _ in said([token])] == [one for one, _ in own]
        assert [chance for _, chance in said([token])] == pytest.approx([c for _, c in own])


def test_a_model_that_looks_in_chunks_is_tried_with_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(mixed.ENCODERS["reformer"], "local_attn_chunk_length", 32)
    task = made("classifier", "reformer", tmp_path)
    assert task.backend.company.batching == "equal-length"
    texts = ["the quick brown fox " * 22, "who are you " * 3, "a red car in london " * 15]
    assert scores(task, texts) == [pytest.approx(scores(task, [text])[0]) for text in texts]


@pytest.mark.parametrize("kind", kinds("classifier"))
def test_a_text_is_judged_alone_as_in_company(kind: str, tmp_path: Path) -> None:
    task = made("classifier", kind, tmp_path)
    alone = [scores(task, [text])[0] for text in TEXTS]
    assert len({round(row["cat"], 4) for row in alone}) > 1
    for own, together in zip(alone, scores(task, TEXTS), strict=True):
        assert together == pytest.approx(own, abs=1e-3)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        pytest.param(what, *param.values, marks=param.marks, id=f"{what}-{param.id}")
        for what in ("writer", "rewriter")
        for param in kinds(what)
    ],
)
def test_a_text_goes_on_alone_as_in_company(what: str, kind: str, tmp_path: Path) -> None:
    task = made(what, kind, tmp_path)
    alone = [written(task, texts=[text], max_new_tokens=12)[0] for text in TEXTS]
    assert len(set(alone)) > 1
    assert written(task, texts=TEXTS, max_new_tokens=12) == alone


def test_a_models_states_are_its_rows_own(tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = str(mixed.classifier("fnet", tmp_path))
    task = create_task("transformers", "embedding", folder)
    padded = create_task("transformers", "embedding", folder, {"batching": "padded"})
    alone = [vectors(task, [text])[0] for text in TEXTS]
    for own, together in zip(alone, vectors(task, TEXTS), strict=True):
        assert together == pytest.approx(own, abs=1e-4)
    assert vectors(padded, TEXTS)[1] != pytest.approx(alone[1], abs=1e-2)


def vectors(task: LocalTask, texts: Sequence[str]) -> list[list[float]]:
    output = task.process(task.task.input.validated({"texts": list(texts)}))
    assert isinstance(output, EmbeddingOutput)
    return output.embeddings


def test_the_declaration_has_the_last_word(tmp_path: Path) -> None:
    folder = str(mixed.classifier("bert", tmp_path))
    task = create_task("transformers", "text-classification", folder, {"batching": "one-by-one"})
    assert task.backend.company == Company("one-by-one")
    with pytest.raises(ValueError, match="batching 'pad': use padded, equal-length, one-by-one"):
        create_task("transformers", "text-classification", folder, {"batching": "pad"})
    with pytest.raises(ValueError, match="image-classification pads no rows"):
        create_task("transformers", "image-classification", folder, {"batching": "padded"})


@pytest.mark.parametrize("batching", ["equal-length", "one-by-one"])
@pytest.mark.parametrize(
    "name",
    [
        "document-question-answering",
        "fill-mask",
        "image-text-to-text",
        "question-answering",
        "ranking",
        "table-question-answering",
        "text-generation",
        "token-classification",
        "zero-shot-classification",
    ],
)
def test_rows_kept_apart_answer_in_their_places(
    name: str, batching: str, tiny_model: Callable[[str], Path]
) -> None:
    folder = str(tiny_model(name))
    rows = get_task(name).example.input.rows()
    text = next(f for f in ("texts", "questions", "queries") if f in type(rows[0]).model_fields)
    if isinstance(getattr(rows[0], text)[0], str):
        longer = [f"{one} {one}" for one in getattr(rows[0], text)]
        rows = [rows[0], rows[0].model_copy(update={text: longer}), rows[0]]
    usual = create_task("transformers", name, folder).backend
    assert usual.company == Company()
    backend = create_task("transformers", name, folder, {"batching": batching}).backend
    for own, padded in zip(backend.run(rows), usual.run(rows), strict=True):
        assert isinstance(own, TaskOutput)
        assert isinstance(padded, TaskOutput)
        assert close(own.model_dump(), padded.model_dump())


def close(one: Any, other: Any) -> bool:
    """Whether two dumps are the same, numbers within a thousandth."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    return bool(one == (pytest.approx(other, abs=1e-3) if isinstance(one, float) else other))


def test_rows_that_must_be_apart_are_not_batched_continuously(
    tiny_model: Callable[[str], Path],
) -> None:
    parameters = {"continuous": True, "batching": "equal-length"}
    with pytest.raises(ModelRefused, match="leave `continuous` out"):
        create_task("transformers", "text-generation", str(tiny_model("chat")), parameters)


def test_who_may_share_a_forward() -> None:
    lengths = [3, 7, 3, 9, 7]
    assert sharing(lengths, "padded") == alike_in_length(lengths)
    assert sharing(lengths, "equal-length") == [[0, 2], [1, 4], [3]]
    assert sharing(lengths, "one-by-one") == [[0], [1], [2], [3], [4]]
    assert apart("padded", 0, 3) == apart("padded", 1, 5)


def heard(rows: Sequence[list[int]], moved: Callable[[list[int], int], float]) -> list[Values]:
    longest = max(map(len, rows))
    return [[np.array([sum(row) + moved(row, longest - len(row))])] for row in rows]


ROWS = [[1, 2, 3, 4], [1, 2, 3, 4, 5, 6], [1, 4]]


def probed(answer: Callable[[Sequence[list[int]]], Sequence[Values]]) -> Company:
    return Probe(ROWS, turned(ROWS[0]), answer).company()


def test_a_model_that_heeds_its_mask_is_padded() -> None:
    assert probed(lambda rows: heard(rows, lambda row, missing: 1e-6 * missing)) == Company()


def test_a_model_that_hears_its_padding_gets_rows_of_one_length() -> None:
    company = probed(lambda rows: heard(rows, lambda row, missing: 0.5 * missing))
    assert company.batching == "equal-length"
    assert company.moved == pytest.approx(0.4)  # 2 of 5, the shorter row's
    assert "move by 40.0%" in company.note


def test_a_model_that_mixes_its_rows_gets_one_at_a_time() -> None:
    company = probed(lambda rows: [[np.array([sum(map(sum, rows)) * 1.0])] for _ in rows])
    assert company.batching == "one-by-one"
    assert company.note.startswith("each row has a forward of its own")


def test_a_model_that_draws_is_told_of() -> None:
    chance = np.random.default_rng(0)
    company = probed(lambda rows: [[chance.normal(size=3)] for _ in rows])
    assert company.note == "its answers change from one call to the next"


def test_where_trying_fails_rows_are_apart() -> None:
    def broken(rows: Sequence[list[int]]) -> Sequence[Values]:
        raise RuntimeError("too short")

    company = try_company(Probe(ROWS, ROWS[0], broken), "some-model")
    assert company.batching == "one-by-one"
    assert "failed" in company.note


def test_distances_are_parts_of_the_greatest_number() -> None:
    assert distance([np.array([10.0, 1.0])], [np.array([10.0, 1.5])]) == pytest.approx(0.05)
    assert distance([np.array([1.0])], [np.array([1.0, 2.0])]) == float("inf")
    assert distance([np.array([np.nan])], [np.array([1.0])]) == float("inf")
    assert distance([np.array([-np.inf, 1.0])], [np.array([-np.inf, 1.0])]) == 0
