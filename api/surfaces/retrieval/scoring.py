"""Texts in order, and how alike they are, by whichever task the model does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from ....protocol.errors import InvalidRequest
from ....tasks.catalog import ModelDeclaration
from ....tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from ....tasks.text.ranking import Ranked, RankingInput, RankingOutput
from ....tasks.text.sentence_similarity import SentenceSimilarityInput, SentenceSimilarityOutput
from ...core.run_and_wait import answer
from ...core.vectors import products

#: Tasks of models that compare vectors.
ALIKE = ("sentence-similarity", "embedding")

#: Tasks that put texts in order, the fittest first.
RANKING = ("ranking", *ALIKE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """How texts are to be read."""

    #: Our tasks' own parameters: truncate, truncation_direction.
    cut: dict[str, Any] = field(default_factory=dict)
    prompt_name: str | None = None
    instruction: str | None = None


async def ranked(
    request: Request,
    model: ModelDeclaration,
    query: str,
    texts: Sequence[str],
    *,
    most: int | None,
    raw_scores: bool,
    how: TextOptions,
) -> list[Ranked]:
    """The texts that fit a query best: by a reranker, else by the cosine of their vectors.

    Raises InvalidRequest for what the model cannot heed.
    """
    if model.task != "ranking":
        if how.instruction:
            raise InvalidRequest(
                f"instruction: model {model.name!r} does {model.task}, which is given none"
            )
        scores = await cosines(request, model, query, texts, how=how)
        order = sorted(range(len(scores)), key=lambda index: -scores[index])[:most]
        return [Ranked(index=index, score=scores[index]) for index in order]
    given = RankingInput.validated(
        {
            "queries": [query],
            "texts": [list(texts)],
            "top_k": most,
            "raw_scores": raw_scores,
            "instruction": how.instruction,
            "return_text": False,
            **how.cut,
        }
    )
    output = await answer(request, model, given)
    assert isinstance(output, RankingOutput)
    return output.rankings[0]


async def cosines(
    request: Request,
    model: ModelDeclaration,
    source: str,
    texts: Sequence[str],
    *,
    how: TextOptions,
) -> list[float]:
    """How alike a text and others are, -1 to 1. Raises InvalidRequest."""
    if model.task == "embedding":
        fields = {"texts": [source, *texts], "prompt_name": how.prompt_name, **how.cut}
        found = await answer(request, model, EmbeddingInput.validated(fields))
        assert isinstance(found, EmbeddingOutput)
        own, *others = found.embeddings
        return await products(own, others)
    if how.prompt_name:
        raise InvalidRequest(f"prompt_name: model {model.name!r} does {model.task}, which has none")
    given = SentenceSimilarityInput.validated(
        {"source_sentences": [source], "sentences": [list(texts)], **how.cut}
    )
    output = await answer(request, model, given)
    assert isinstance(output, SentenceSimilarityOutput)
    return output.scores[0]
