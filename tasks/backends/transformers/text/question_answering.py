from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....text.question_answering import Answer, QuestionAnsweringInput, QuestionAnsweringOutput
from ...company import TEXTS
from ...rows import Decoded
from ...text.cut import Truncation, cut_to, warned
from ...text.spans import Piece, best, passages
from ...text_encoders.reader import Tokens
from ..whole import POOLER
from .base import TextBackend, real_tokens


class _Pieces(NamedTuple):
    """A question with its context, in pieces that overlap where it is longer than the model."""

    tokens: list[Tokens]
    pieces: list[Piece]
    #: What of the question is not read.
    cut: Truncation | None


class QuestionAnswering(TextBackend):
    """The passages of an AutoModelForQuestionAnswering."""

    auto_class = "AutoModelForQuestionAnswering"
    unread = (POOLER,)

    def load_processor(self) -> None:
        """Load the tokenizer. Raises ValueError for one that knows no places in the text."""
        super().load_processor()
        self.needs_offsets()

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer all readable rows; pieces alike in length share a forward."""
        decoded = Decoded(batch, self._pieces)
        found = iter(self.infer([tokens for row in decoded.rows for tokens in row.tokens], _logits))
        answers: list[TaskOutput] = []
        for row, (_, pieces, cut) in zip(decoded.inputs, decoded.rows, strict=True):
            logits = [next(found) for _ in pieces]
            answer = _answer(cast("QuestionAnsweringInput", row), pieces, logits)
            answers.append(warned(answer, [cut]))
        return decoded.answers(answers)

    def probe_rows(self) -> list[Tokens]:
        """Questions of three lengths before one context: a lone text is none to some models."""
        return self.tokens(TEXTS, [TEXTS[0]] * len(TEXTS))

    def _pieces(self, given: TaskInput) -> _Pieces:
        row = cast("QuestionAnsweringInput", given)
        context = row.contexts[0]
        question, count, cut = self._question(row)
        if cut and not row.truncate:
            raise cut.refusal()
        longest = min(row.max_seq_len, self.max_tokens)
        room = longest - count - self.tokenizer.num_special_tokens_to_add(pair=True)
        if room < 1:
            raise RowError(f"a question of {count} tokens leaves no room for the context")
        encoded = self.encoded(
            question,
            context,
            truncation="only_second",
            max_length=longest,
            stride=min(row.doc_stride, room // 2),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        names = [name for name in self._names if name in encoded]
        every = range(len(encoded["input_ids"]))
        pieces = [self._piece(encoded, piece) for piece in every]
        if not any(piece.in_context.any() for piece in pieces):
            raise RowError("the context is empty")
        tokens: list[Tokens] = [{name: encoded[name][piece] for name in names} for piece in every]
        return _Pieces(tokens, pieces, cut)

    def _question(self, row: QuestionAnsweringInput) -> tuple[str, int, Truncation | None]:
        """The question, cut where it is too long, its count of tokens, and what was cut."""
        question = row.questions[0]
        encoded = self.encoded(
            question, add_special_tokens=False, return_offsets_mapping=True, truncation=False
        )
        offsets = encoded["offset_mapping"][: row.max_question_len]
        if not offsets:
            raise RowError("the question is empty")
        cut = cut_to(len(offsets), len(encoded["offset_mapping"]), "tokens of the question")
        return question[: offsets[-1][1]], len(offsets), cut

    def _piece(self, encoded: Any, piece: int) -> Piece:
        ids, null = encoded["input_ids"][piece], self.tokenizer.cls_token_id
        return Piece(
            offsets=encoded["offset_mapping"][piece],
            in_context=np.array([of == 1 for of in encoded.sequence_ids(piece)]),
            words=encoded.word_ids(piece),
            null=ids.index(null) if null in ids else None,
        )


def _logits(out: Any, tensors: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
    both = torch.stack([out.start_logits, out.end_logits], dim=-1)
    return real_tokens(both, tensors)  # B times (T, 2)


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
