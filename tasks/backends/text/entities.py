"""From the scores of tokens to entities, as the token-classification pipeline of transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...text.token_classification import Entity, Strategy

#: Writes tokens as text: the tokenizer's own way to join them.
Join = Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True)
class LabeledToken:
    """A token of a text, and the score of each label, (labels,)."""

    word: str
    start: int
    end: int
    index: int
    #: Whether it continues the word before it.
    continues: bool
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Span:
    """Tokens that share a label."""

    tokens: Sequence[LabeledToken]
    label: str
    score: float

    @property
    def kind(self) -> str:
        return self.label[2:] if self.label.startswith(("B-", "I-")) else self.label


def entities(
    tokens: Sequence[LabeledToken], strategy: Strategy, labels: Mapping[int, str], join: Join
) -> list[Entity]:
    """The entities of one piece of text, in order; labels to ignore are still among them."""
    if strategy == "none":
        return [_token(_span([token], token.scores, labels)) for token in tokens]
    if strategy == "simple":
        spans = [_span([token], token.scores, labels) for token in tokens]
    else:
        spans = [_span(word, _agreed(word, strategy), labels) for word in _words(tokens)]
    return [_joined(group, join) for group in _groups(spans)]


def without_overlap(found: Sequence[Entity]) -> list[Entity]:
    """Entities of pieces that overlap: of two in one place the longer, or else the surer."""
    kept: list[Entity] = []
    for entity in sorted(found, key=lambda entity: entity.start):
        if not kept or entity.start >= kept[-1].end:
            kept.append(entity)
        elif _weight(entity) > _weight(kept[-1]):
            kept[-1] = entity
    return kept


def _weight(entity: Entity) -> tuple[int, float]:
    return entity.end - entity.start, entity.score


def _words(tokens: Sequence[LabeledToken]) -> list[list[LabeledToken]]:
    words: list[list[LabeledToken]] = []
    for token in tokens:
        if words and token.continues:
            words[-1].append(token)
        else:
            words.append([token])
    return words


def _agreed(word: Sequence[LabeledToken], strategy: Strategy) -> NDArray[np.float32]:
    """A word's scores: those of its first token, of its surest, or the mean."""
    if strategy == "average":
        mean: NDArray[np.float32] = np.mean([token.scores for token in word], axis=0)
        return mean
    if strategy == "max":
        return max(word, key=lambda token: float(token.scores.max())).scores
    return word[0].scores


def _span(
    tokens: Sequence[LabeledToken], scores: NDArray[np.float32], labels: Mapping[int, str]
) -> _Span:
    best = int(scores.argmax())
    return _Span(tokens, labels.get(best, str(best)), float(scores[best]))


def _groups(spans: Sequence[_Span]) -> list[list[_Span]]:
    """Neighbours of one kind; a B- begins a new group."""
    groups: list[list[_Span]] = []
    for span in spans:
        begins = span.label.startswith("B-")
        if groups and not begins and groups[-1][-1].kind == span.kind:
            groups[-1].append(span)
        else:
            groups.append([span])
    return groups


def _token(span: _Span) -> Entity:
    (token,) = span.tokens
    return Entity(
        entity=span.label,
        score=span.score,
        word=token.word,
        start=token.start,
        end=token.end,
        index=token.index,
    )


def _joined(group: Sequence[_Span], join: Join) -> Entity:
    tokens = [token for span in group for token in span.tokens]
    return Entity(
        entity=group[0].label.split("-", 1)[-1],
        score=float(np.mean([span.score for span in group])),
        word=join([token.word for token in tokens]),
        start=tokens[0].start,
        end=tokens[-1].end,
    )
