from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ...text.token_classification import TokenClassificationInput, TokenClassificationOutput
from ..classify import softmax
from ..entities import Token, entities, without_overlap
from ..rows import Decoded
from .text import TextBackend, real_tokens

#: A text as tokenized: one piece, or overlapping ones where it is longer than the model.
Pieces = list[dict[str, Any]]


class TokenClassification(TextBackend):
    """The labels of an AutoModelForTokenClassification."""

    auto_class = "AutoModelForTokenClassification"

    def load_processor(self) -> None:
        """Load the tokenizer. Raises ValueError for one that knows no places in the text."""
        super().load_processor()
        self.needs_offsets()
        model = self.tokenizer.backend_tokenizer.model
        self._marks_subwords = bool(getattr(model, "continuing_subword_prefix", None))

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer all readable rows; pieces alike in length share a forward."""
        decoded = Decoded(batch, self._pieces)
        found = iter(self.infer([piece for row in decoded.rows for piece in row], _logits))
        answers: list[TaskOutput] = []
        for row, pieces in zip(decoded.inputs, decoded.rows, strict=True):
            scores = [softmax(next(found)) for _ in pieces]
            answers.append(self._answer(cast("TokenClassificationInput", row), pieces, scores))
        return decoded.answers(answers)

    def _pieces(self, given: TaskInput) -> Pieces:
        row = cast("TokenClassificationInput", given)
        options: dict[str, Any] = {}
        if row.stride is not None:
            room = self.max_tokens - self.tokenizer.num_special_tokens_to_add()
            if row.stride >= room:
                raise RowError(f"stride {row.stride}: the model reads {room} tokens at once")
            options = {"return_overflowing_tokens": True, "stride": row.stride}
        encoded = self.tokenizer(
            row.texts,
            truncation=True,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            **options,
        )
        return [
            {name: values[piece] for name, values in encoded.items()}
            for piece in range(len(encoded["input_ids"]))
        ]

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
                self._tokens(row.texts[0], piece, own),
                row.aggregation_strategy,
                self.model.config.id2label,
                self.tokenizer.convert_tokens_to_string,
            )
            if entity.entity not in row.ignore_labels
        ]
        return TokenClassificationOutput(
            entities=[found if len(pieces) == 1 else without_overlap(found)]
        )

    def _tokens(
        self, text: str, piece: Mapping[str, Any], scores: NDArray[np.float32]
    ) -> list[Token]:
        words = self.tokenizer.convert_ids_to_tokens(piece["input_ids"])
        found = []
        for index, (start, end) in enumerate(piece["offset_mapping"]):
            if piece["special_tokens_mask"][index]:
                continue
            word, continues = words[index], self._continues(words[index], text, start, end)
            if piece["input_ids"][index] == self.tokenizer.unk_token_id:
                word, continues = text[start:end], False
            found.append(Token(word, start, end, index, continues, scores[index]))
        return found

    def _continues(self, word: str, text: str, start: int, end: int) -> bool:
        """Whether a token is no word's first: it is marked, or no space stands before it."""
        if self._marks_subwords:
            return len(word) != end - start
        return start > 0 and " " not in text[start - 1 : start + 1]


def _logits(out: Any, tensors: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
    return real_tokens(out.logits, tensors)  # B times (T, labels)
