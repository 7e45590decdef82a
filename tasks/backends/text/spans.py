"""From start and end scores to the passages that answer a question (Devlin et al., 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...text.question_answering import Answer
from ..classify import softmax


@dataclass(frozen=True, slots=True)
class Piece:
    """A question with a piece of its context, as tokenized: an entry per token."""

    #: First character of each token, and the first after it, in the text the token is of.
    offsets: Sequence[tuple[int, int]]
    #: Whether the token is of the context.
    in_context: NDArray[np.bool_]
    #: The word each token is of, None for special tokens.
    words: Sequence[int | None]
    #: Position of the token that stands for "no answer", None where the model has none.
    null: int | None


def passages(
    piece: Piece,
    logits: NDArray[np.float32],
    context: str,
    *,
    top_k: int,
    max_tokens: int,
    whole_words: bool,
) -> tuple[list[Answer], float]:
    """A piece's likeliest passages, and the score of there being none. logits: (T, 2)."""
    allowed = piece.in_context.copy()
    if piece.null is not None:
        allowed[piece.null] = True
    scores = softmax(np.where(allowed[:, None], logits, -np.inf).T)  # (2, T): start, end
    starts, ends = scores * piece.in_context
    none = float(scores[:, piece.null].prod()) if piece.null is not None else 0.0
    # A passage ends where it starts or behind, at most max_tokens long.
    places = piece.in_context
    together = np.tril(np.triu(np.outer(places, places)), max_tokens - 1)
    found: dict[tuple[int, int], Answer] = {}
    firsts, lasts = np.nonzero(together)
    # By sums of logits: of what is all but impossible the probabilities are all 0.
    likeliest = np.argsort(-(logits[firsts, 0] + logits[lasts, 1]), kind="stable")
    for place in likeliest:
        if len(found) == top_k:
            break
        first, last = int(firsts[place]), int(lasts[place])
        score = float(starts[first] * ends[last])
        if whole_words:
            first, last = _whole(piece, first, last)
        start, end = _trimmed(context, piece.offsets[first][0], piece.offsets[last][1])
        answer = Answer(answer=context[start:end], score=score, start=start, end=end)
        found.setdefault((start, end), answer)
    return list(found.values()), none


def _trimmed(context: str, start: int, end: int) -> tuple[int, int]:
    """Without the space before it, which some tokenizers count to a word."""
    text = context[start:end]
    return start + len(text) - len(text.lstrip()), end


def _whole(piece: Piece, first: int, last: int) -> tuple[int, int]:
    """Widen to whole words."""

    def same(token: int, other: int) -> bool:
        return bool(piece.in_context[other]) and piece.words[other] == piece.words[token]

    while first > 0 and same(first, first - 1):
        first -= 1
    while last + 1 < len(piece.words) and same(last, last + 1):
        last += 1
    return first, last


def best(
    found: Sequence[Answer], nulls: Sequence[float], top_k: int, *, null: bool
) -> list[Answer]:
    """The likeliest passages of all pieces; pieces that overlap may hold the same one.

    With `null` no answer is one of them: as likely as in the piece where it is least likely.
    """
    kept: dict[tuple[int, int], Answer] = {}
    for answer in sorted(found, key=lambda answer: -answer.score):
        kept.setdefault((answer.start, answer.end), answer)
    answers = list(kept.values())
    if null:
        answers.append(Answer(answer="", score=min(nulls), start=0, end=0))
        answers.sort(key=lambda answer: -answer.score)
    return answers[:top_k]
