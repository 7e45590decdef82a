from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...text.token_classification import TokenClassificationInput, TokenClassificationOutput
from ..classify import softmax
from ..rows import Decoded
from ..text.cut import with_truncation
from ..text.entities import LabeledToken, entities, without_overlap
from .reader import Reading, TextEncoder, tokens_of

#: A text as tokenized: one piece, or overlapping ones where it is longer than the model.
Pieces = list[Encoding]


class TokenClassification(Reading):
    """A label a token, and what it makes of them."""

    def __init__(self, task: Task, reader: TextEncoder) -> None:
        super().__init__(task, reader)
        self._tokenizer = reader.raw_tokenizer
        model = self._tokenizer.model
        self._marks_subwords = bool(getattr(model, "continuing_subword_prefix", None))

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Pieces of all readable rows together."""
        decoded = Decoded(batch, self._pieces)
        tokens = [tokens_of(piece) for pieces in decoded.rows for piece in pieces]
        found = iter(self.reader.token_logits(tokens))
        answers: list[TaskOutput | RowError] = []
        for given, pieces in zip(decoded.inputs, decoded.rows, strict=True):
            row = cast("TokenClassificationInput", given)
            output = self._answer(row, pieces, [softmax(next(found)) for _ in pieces])
            whole = row.stride is not None
            cut = None if whole else self.cut(len(pieces[0].ids), row.texts[0])
            answers.append(with_truncation(row, output, [cut]))
        return decoded.answers(answers)

    def _pieces(self, given: TaskInput) -> Pieces:
        row = cast("TokenClassificationInput", given)
        room = self.reader.room(pair=False)
        if row.stride is not None and row.stride >= room:
            raise RowError(f"stride {row.stride}: the model reads {room} tokens at once")
        return self.reader.pieces(row.texts[0], row.stride, row.truncation_direction)

    def _answer(
        self,
        row: TokenClassificationInput,
        pieces: Pieces,
        scores: Sequence[NDArray[np.float32]],
    ) -> TaskOutput:
        """The row's entities. scores: (T, labels) a piece."""
        found = [
            entity
            for piece, own in zip(pieces, scores, strict=True)
            for entity in entities(
                self._words(row.texts[0], piece, own),
                row.aggregation_strategy,
                self.reader.labels,
                self._join,
            )
            if entity.entity not in row.ignore_labels
        ]
        return TokenClassificationOutput(
            entities=[found if len(pieces) == 1 else without_overlap(found)]
        )

    def _words(self, text: str, piece: Encoding, scores: NDArray[np.float32]) -> list[LabeledToken]:
        """The tokens of the text itself. scores: (T, labels)."""
        found = []
        for index, (start, end) in enumerate(piece.offsets):
            if piece.special_tokens_mask[index]:
                continue
            word = piece.tokens[index]
            continues = self._continues(word, text, start, end)
            if piece.ids[index] == self.reader.unknown_token:
                word, continues = text[start:end], False
            found.append(LabeledToken(word, start, end, index, continues, scores[index]))
        return found

    def _continues(self, word: str, text: str, start: int, end: int) -> bool:
        """Whether a token is no word's first: it is marked, or no space stands before it."""
        if self._marks_subwords:
            return len(word) != end - start
        return start > 0 and " " not in text[start - 1 : start + 1]

    def _join(self, words: Sequence[str]) -> str:
        decoder = self._tokenizer.decoder
        return " ".join(words) if decoder is None else decoder.decode(list(words))
