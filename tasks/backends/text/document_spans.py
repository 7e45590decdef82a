"""From start and end logits over a page's tokens to its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...multimodal.document_question_answering import DocumentAnswer
from ..classify import softmax


class Span(NamedTuple):
    """A window of a page: per token the word it belongs to, None off the page.

    `none` holds the tokens that stand for no answer: they take their share of the probability.
    """

    words: list[int | None]
    none: list[int]


def best_answers(
    words: Sequence[str],
    spans: Sequence[Span],
    starts: Sequence[NDArray[np.float32]],
    ends: Sequence[NDArray[np.float32]],
    *,
    top_k: int,
    max_answer_len: int,
) -> list[DocumentAnswer]:
    """The likeliest runs of words. starts, ends: (T,) a window, padding at the end.

    Windows overlap and words have several tokens: a run counts once, with its best score.
    """
    best: dict[tuple[int, int], float] = {}
    for span, start, end in zip(spans, starts, ends, strict=True):
        for run, score in _candidates(span, start, end, top_k, max_answer_len):
            best[run] = max(score, best.get(run, 0.0))
    ranked = sorted(best.items(), key=lambda item: -item[1])[:top_k]
    return [
        DocumentAnswer(answer=" ".join(words[first : last + 1]), score=score, start=first, end=last)
        for (first, last), score in ranked
    ]


def _candidates(
    span: Span, start: NDArray[np.float32], end: NDArray[np.float32], top_k: int, longest: int
) -> list[tuple[tuple[int, int], float]]:
    """The window's likeliest runs of words."""
    of_word = span.words
    tokens = [i for i, word in enumerate(of_word) if word is not None]
    pool = np.array(sorted({*tokens, *span.none}))
    joint = _over(pool, start)[tokens][:, None] * _over(pool, end)[tokens][None]  # (t, t)
    joint = np.tril(np.triu(joint), longest - 1)  # ends after it starts, not too late
    found: dict[tuple[int, int], float] = {}
    for flat in np.argsort(-joint, axis=None, kind="stable"):
        first, last = divmod(int(flat), len(tokens))
        if len(found) == top_k or joint[first, last] <= 0:
            break
        run: Any = (of_word[tokens[first]], of_word[tokens[last]])
        found.setdefault(run, float(joint[first, last]))
    return list(found.items())


def _over(pool: NDArray[Any], logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of the tokens in the pool, zero for the others."""
    scores = np.zeros_like(logits)
    scores[pool] = softmax(logits[pool])
    return scores
