from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...text.texts import CutInput, Side
from ..rows import alike
from ..text.cut import Truncation, cut_to

#: One text, or a pair, as the tokenizer makes it: input_ids and the like, a list of T each.
Tokens = Mapping[str, Any]

#: Which of a pair is cut where both are too long together: of the longer always, or the first.
TruncationStrategy = Literal["longest_first", "only_first"]


class SpecialToken(NamedTuple):
    """A token that stands for something: how it is written, and its number."""

    text: str
    number: int


class TextEncoder(Protocol):
    """A model that reads texts, with its tokenizer.

    What it is given together runs together, as far as lengths and the model allow; the answers are
    the same as alone, in order.
    """

    @property
    def name(self) -> str:
        """The model's, for messages."""
        ...

    @property
    def labels(self) -> Mapping[int, str]:
        """What its classes are called; empty where nobody says."""
        ...

    @property
    def classes(self) -> int | None:
        """How many there are; None where nobody says."""
        ...

    @property
    def problem_type(self) -> str | None:
        """What its logits mean, as transformers' configurations name it."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens that it reads at once, special ones included."""
        ...

    @property
    def raw_tokenizer(self) -> Tokenizer:
        """Joins tokens to text. Raises ValueError where tokens do not tell their places."""
        ...

    @property
    def unknown_token(self) -> int | None:
        """The number of the token for what the tokenizer does not know."""
        ...

    @property
    def mask_token(self) -> SpecialToken | None:
        """What stands for a word to be guessed."""
        ...

    @property
    def pad_token(self) -> int | None:
        """The number of the token that fills rows up."""
        ...

    @property
    def first_token(self) -> int | None:
        """The number of the token that a text begins with, [CLS] or <s>."""
        ...

    def tokens(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        truncation: TruncationStrategy | Literal[False] = "longest_first",
        side: Side = "right",
    ) -> list[Tokens]:
        """Texts, or pairs of them, as tokens, without padding, cut where they are too long unless
        that is not wished for.
        """
        ...

    def bare(self, text: str) -> list[int]:
        """A text's tokens, uncut and without special ones."""
        ...

    def decode(self, ids: Sequence[int], *, special: bool = True) -> str:
        """Tokens as text, special ones too unless they are to be left out."""
        ...

    def vocabulary(self) -> Mapping[str, int]:
        """Every token's number."""
        ...

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens texts have, uncut and without special ones."""
        ...

    def room(self, *, pair: bool) -> int:
        """How many tokens a text, or a pair together, may have, without special ones."""
        ...

    def pieces(self, text: str, stride: int | None, side: Side = "right") -> list[Encoding]:
        """A text as tokens with their places: cut, or in pieces that share `stride` tokens."""
        ...

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where a text's tokens begin and end, uncut and without special ones."""
        ...

    def passages(self, question: str, context: str, *, longest: int, stride: int) -> list[Encoding]:
        """A question with a context, in pieces of so many tokens that share `stride` of the
        context's.
        """
        ...

    def logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, (labels,)."""
        ...

    def span_logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, where an answer begins and ends, (T, 2)."""
        ...

    def gap_logits(self, sequences: Sequence[Tokens], mask: int) -> list[NDArray[np.float32]]:
        """Of each sequence, (masks, V), at its tokens of that number."""
        ...

    def token_logits(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """Of each sequence, (T, labels)."""
        ...

    def states(self, sequences: Sequence[Tokens]) -> list[NDArray[np.float32]]:
        """The last hidden state of each sequence, (T, D)."""
        ...

    def prompted(self, texts: Sequence[str], prompt_name: str | None = None) -> list[str]:
        """Texts behind the model's prompt, or the one of that name, as those of which vectors are
        made are read. Raises RowError for a name that the model has not.
        """
        ...

    def vectors(self, sequences: Sequence[Tokens]) -> NDArray[np.float32]:
        """A vector a sequence, (B, D), not of any particular length."""
        ...


def tokens_of(piece: Encoding) -> Tokens:
    """What a model is given of a piece of text."""
    return {"input_ids": piece.ids, "token_type_ids": piece.type_ids}


class Read(NamedTuple):
    """A text, or a pair, as it is read, and what of it is not."""

    tokens: Tokens
    cut: Truncation | None


class Reading(ABC):
    """A task done with a TextEncoder. It is made when the model loads; raises ValueError for one
    that does not fit.
    """

    def __init__(self, task: Task, reader: TextEncoder) -> None:
        self.task, self.reader = task, reader

    @abstractmethod
    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer inputs of one row each, in order."""

    def read(
        self,
        rows: Sequence[CutInput],
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        truncation: TruncationStrategy = "longest_first",
    ) -> list[Read]:
        """Tokenize texts, or pairs of them, cut at the end that the row of each says."""
        found: dict[int, Read] = {}
        for group in alike(row.truncation_direction for row in rows):
            first = [texts[i] for i in group]
            second = None if pairs is None else [pairs[i] for i in group]
            side = rows[group[0]].truncation_direction
            for i, tokens in zip(
                group, self.reader.tokens(first, second, truncation, side), strict=True
            ):
                pair = () if pairs is None else (pairs[i],)
                found[i] = Read(tokens, self.cut(len(tokens["input_ids"]), texts[i], *pair))
        return [found[i] for i in range(len(texts))]

    def cut(self, tokens: int, *texts: str) -> Truncation | None:
        """What was lost of a text, or a pair, of which so many tokens are left."""
        if tokens < self.reader.max_tokens:  # counting is only for those that may have lost some
            return None
        return cut_to(self.reader.room(pair=len(texts) > 1), sum(self.reader.lengths(texts)))
