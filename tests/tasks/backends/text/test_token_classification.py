"""Batches against the pipeline of transformers, row by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError
from transformers import pipeline

from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.token_classification import (
    Entity,
    Strategy,
    TokenClassificationInput,
    TokenClassificationOutput,
)

TOLERANCE = 1e-3
TEXTS = [
    "my name is ada and i live in london",
    "hello",
    "",
    "Héllo wörld ☂, the quickest brownish foxes",
    "the quick brown fox jumps over the lazy dog. " * 8,
]

Made = Callable[[str], Path]


@pytest.fixture
def folder(tiny_model: Made) -> Path:
    return tiny_model("token-classification")


@pytest.fixture
def task(folder: Path) -> LocalTask:
    return create_task("transformers", "token-classification", str(folder))


def mark(task: LocalTask, texts: list[str], **fields: Any) -> list[list[Entity]]:
    output = task.process(TokenClassificationInput(texts=texts, **fields))
    assert isinstance(output, TokenClassificationOutput)
    return output.entities


def own_entities(folder: Path, text: str, **options: Any) -> list[dict[str, Any]]:
    """The pipeline's answer to one text."""
    found: Any = pipeline("token-classification", model=str(folder))(text, **options)
    return [
        {
            "entity": entity.get("entity") or entity["entity_group"],
            "score": float(entity["score"]),
            "word": entity["word"],
            "start": entity["start"],
            "end": entity["end"],
            "index": entity.get("index", -1),
        }
        for entity in found
    ]


def agree(found: list[Entity], own: list[dict[str, Any]]) -> None:
    assert len(found) == len(own)
    for entity, expected in zip(found, own, strict=True):
        assert entity.score == pytest.approx(expected.pop("score"), abs=TOLERANCE)
        assert entity.model_dump(exclude={"score"}) == expected


@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_batch_equals_the_pipelines_single_answers(
    task: LocalTask, folder: Path, strategy: Strategy
) -> None:
    together = mark(task, TEXTS, aggregation_strategy=strategy)
    for found, text in zip(together, TEXTS, strict=True):
        agree(found, own_entities(folder, text, aggregation_strategy=strategy))
    assert together[2] == []
    assert len({len(found) for found in together}) > 2  # rows do differ
    assert len({entity.entity for found in together for entity in found}) > 1


def test_ignored_labels_are_left_out(task: LocalTask, folder: Path) -> None:
    everything = mark(task, TEXTS[:1], ignore_labels=[])[0]
    agree(everything, own_entities(folder, TEXTS[0], ignore_labels=[]))
    label = everything[0].entity
    rest = mark(task, TEXTS[:1], ignore_labels=[label])[0]
    assert rest == [entity for entity in everything if entity.entity != label]
    assert len(rest) < len(everything)


@pytest.mark.parametrize("strategy", ["simple", "max"])
def test_long_texts_are_read_in_pieces(task: LocalTask, folder: Path, strategy: Strategy) -> None:
    (cut,) = mark(task, TEXTS[-1:], aggregation_strategy=strategy)
    together = mark(task, TEXTS, aggregation_strategy=strategy, stride=16)
    for found, text in zip(together, TEXTS, strict=True):
        agree(found, own_entities(folder, text, aggregation_strategy=strategy, stride=16))
    assert together[-1][-1].end > cut[-1].end


def test_pieces_of_tokens_alone_are_refused() -> None:
    with pytest.raises(ValidationError, match="stride"):
        TokenClassificationInput(texts=["a"], stride=4)
