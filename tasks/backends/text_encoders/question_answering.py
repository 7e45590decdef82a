from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...text.question_answering import Answer, QuestionAnsweringInput, QuestionAnsweringOutput
from ..rows import Decoded
from ..text.cut import Truncation, cut_to, warned
from ..text.spans import Piece, best, passages
from .reader import Reading, TextEncoder, Tokens, tokens_of


class _Pieces(NamedTuple):
    """A question with its context, in pieces that overlap where it is longer than the model."""

    tokens: list[Tokens]
    pieces: list[Piece]
    #: What of the question is not read.
    cut: Truncation | None


class QuestionAnswering(Reading):
    """The passages of contexts that answer questions."""

    def __init__(self, task: Task, reader: TextEncoder) -> None:
        super().__init__(task, reader)
        self._special = reader.raw_tokenizer.num_special_tokens_to_add(is_pair=True)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer all readable rows; pieces alike in length share a forward."""
        decoded = Decoded(batch, self._pieces)
        found = iter(
            self.reader.span_logits([tokens for row in decoded.rows for tokens in row.tokens])
        )
        answers: list[TaskOutput] = []
        for row, (_, pieces, cut) in zip(decoded.inputs, decoded.rows, strict=True):
            logits = [next(found) for _ in pieces]
            answer = _answer(cast("QuestionAnsweringInput", row), pieces, logits)
            answers.append(warned(answer, [cut]))
        return decoded.answers(answers)

    def _pieces(self, given: TaskInput) -> _Pieces:
        row = cast("QuestionAnsweringInput", given)
        context = row.contexts[0]
        question, count, cut = self._question(row)
        if cut and not row.truncate:
            raise cut.refusal()
        longest = min(row.max_seq_len, self.reader.max_tokens)
        room = longest - count - self._special
        if room < 1:
            raise RowError(f"a question of {count} tokens leaves no room for the context")
        encoded = self.reader.passages(
            question, context, longest=longest, stride=min(row.doc_stride, room // 2)
        )
        pieces = [self._piece(piece) for piece in encoded]
        if not any(piece.in_context.any() for piece in pieces):
            raise RowError("the context is empty")
        return _Pieces([tokens_of(piece) for piece in encoded], pieces, cut)

    def _question(self, row: QuestionAnsweringInput) -> tuple[str, int, Truncation | None]:
        """The question, cut where it is too long, its count of tokens, and what was cut."""
        question = row.questions[0]
        every = self.reader.places(question)
        offsets = every[: row.max_question_len]
        if not offsets:
            raise RowError("the question is empty")
        cut = cut_to(len(offsets), len(every), "tokens of the question")
        return question[: offsets[-1][1]], len(offsets), cut

    def _piece(self, encoded: Encoding) -> Piece:
        null = self.reader.first_token
        return Piece(
            offsets=encoded.offsets,
            in_context=np.array([of == 1 for of in encoded.sequence_ids]),
            words=encoded.word_ids,
            null=encoded.ids.index(null) if null in encoded.ids else None,
        )


def _answer(
    row: QuestionAnsweringInput, pieces: Sequence[Piece], logits: Sequence[NDArray[np.float32]]
) -> TaskOutput:
    """The row's passages. logits: (T, 2) a piece. Each piece is normalised by itself."""
    found: list[Answer] = []
    nulls: list[float] = []
    for piece, own in zip(pieces, logits, strict=True):
        answers, null = passages(
            piece,
            own,
            row.contexts[0],
            top_k=row.top_k,
            max_tokens=row.max_answer_len,
            whole_words=row.align_to_words,
        )
        found += answers
        nulls.append(null)
    return QuestionAnsweringOutput(
        answers=[best(found, nulls, row.top_k, null=row.handle_impossible_answer)]
    )
