from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....text.table_question_answering import (
    TableAnswer,
    TableQuestionAnsweringInput,
    TableQuestionAnsweringOutput,
)
from ...company import TEXTS
from ...rows import Decoded
from ...text.cut import Truncation, cut_to, warned
from ...text_encoders.reader import Tokens
from .base import TextBackend, real_tokens

log = logging.getLogger(__name__)


class _Question(NamedTuple):
    """A query with its table: the cells as text, and the tokens of both."""

    table: Any  # a DataFrame: pandas ships no types
    tokens: Tokens
    #: What of the table is not read.
    cut: Truncation | None


class TableQuestionAnswering(TextBackend):
    """The cells that a TAPAS model selects."""

    auto_class = "AutoModelForTableQuestionAnswering"

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer all readable rows; those alike in length share a forward."""
        decoded = Decoded(batch, self._question)
        found = self.infer([row.tokens for row in decoded.rows], _logits)
        return decoded.answers(
            [
                warned(self._answer(row, own), [row.cut])
                for row, own in zip(decoded.rows, found, strict=True)
            ]
        )

    def probe_rows(self) -> list[Tokens]:
        """The example's table with questions of three lengths."""
        row = self.example()
        asked = [row.model_copy(update={"queries": [text]}) for text in TEXTS]
        return [self._question(one).tokens for one in asked]

    def _question(self, given: TaskInput) -> _Question:
        row = cast("TableQuestionAnsweringInput", given)
        query, columns = row.queries[0], row.tables[0]
        if not query.strip():
            raise RowError("the query is empty")
        if not columns or not all(columns.values()):
            raise RowError("the table is empty")
        if len(set(map(len, columns.values()))) > 1:
            raise RowError("the columns of the table differ in length")
        table = pd.DataFrame(
            {
                # A line takes a token at least: those behind would be parsed only to be dropped.
                name: ["" if cell is None else str(cell) for cell in cells[: self.max_tokens]]
                for name, cells in columns.items()
            }
        )
        try:
            encoded = self.encoded(
                table, query, truncation="drop_rows_to_fit", max_length=self.max_tokens
            )
        except ValueError as error:
            log.info("the tokenizer refused a row: %s", error)
            raise RowError("the query or the table's header is too long for the model") from None
        # Of each token: segment, column, row from 1 on (0 for none), and more.
        lines = max(kinds[2] for kinds in encoded["token_type_ids"])
        cut = cut_to(lines, len(next(iter(columns.values()))), "rows of the table")
        if cut and not row.truncate:
            raise cut.refusal()
        return _Question(table, {name: encoded[name] for name in self._names}, cut)

    def _answer(self, row: _Question, own: NDArray[np.float32]) -> TaskOutput:
        """The selected cells. own: the logits of T tokens, then those of the aggregators."""
        count = len(row.tokens["input_ids"])
        logits, aggregators = own[:count], own[count:]
        inputs = {name: torch.tensor([values]) for name, values in row.tokens.items()}
        (cells, *_) = self.tokenizer.convert_logits_to_predictions(
            inputs, torch.from_numpy(logits[None])
        )
        coordinates = [[int(i) for i in place] for place in (cells[0] if cells else [])]
        texts = [str(row.table.iat[line, column]) for line, column in coordinates]
        aggregator, prefix = self._aggregator(aggregators)
        answer = TableAnswer(
            answer=prefix + ", ".join(texts),
            coordinates=json.dumps(coordinates),
            cells=json.dumps(texts, ensure_ascii=False),
            aggregator=aggregator,
        )
        return TableQuestionAnsweringOutput(answers=[[answer]])

    def _aggregator(self, logits: NDArray[np.float32]) -> tuple[str, str]:
        """What to do with the cells, and how the answer says so; empty where the model does not."""
        if not len(logits):
            return "", ""
        config, chosen = self.model.config, int(logits.argmax())
        names = {int(i): str(name) for i, name in (config.aggregation_labels or {}).items()}
        name = names.get(chosen, str(chosen))
        return name, "" if chosen == config.no_aggregation_label_index else f"{name} > "


def _logits(out: Any, tensors: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
    """Each row's token logits with those of its aggregators behind, (T + A,)."""
    tokens = real_tokens(out.logits, tensors)
    if out.logits_aggregation is None:
        return tokens
    return [torch.cat(pair) for pair in zip(tokens, out.logits_aggregation, strict=True)]
