"""Models that answer a text beside something else, each asked in its own way."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import torch

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ...company import Values, apart
from ...rows import Decoded, alike
from ..base import TransformersBackend
from ..generation.generate import (
    Completion,
    company_of,
    first_steps,
    generate,
    pad_token,
    room_of,
    within,
)
from ..generation.parameters import Parameters
from ..processors import load_processor
from ..tokenizer import check_tokenizer, tokenizer_errors
from ..vision.base import Tensors

#: What a row's text is tokens of.
IDS = "input_ids"


class Row(Protocol):
    """A row as the model takes it, (1, ...) each."""

    @property
    def tensors(self) -> Tensors:
        """What its processor made."""
        ...


R = TypeVar("R", bound=Row)


class Conversing(TransformersBackend, Generic[R]):
    """A model that writes what it says to a row of several kinds of content."""

    rows_have_own = True
    #: What reads such a row.
    reads: str
    processor: Any
    asker: Any

    def load_processor(self) -> None:
        """Load the processor: tokens, and what stands beside them."""
        with tokenizer_errors(str(self.source), self._revision):
            self.processor = load_processor(
                str(self.source), revision=self._revision, config=self.model.config
            )
        if not hasattr(self.processor, "tokenizer"):
            raise ValueError(f"{self.source}: a model without a processor of {self.reads}")
        check_tokenizer(
            str(self.source),
            self.processor.tokenizer,
            revision=self._revision,
            config=self.model.config,
        )

    @abstractmethod
    def encode(self, row: TaskInput) -> R:
        """A row as the model's processor makes it, input_ids (1, T). Raises RowError."""

    @abstractmethod
    def said(self, written: Completion, row: R) -> str:
        """The answer to a row."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One generate for all readable rows; one per size of their tensors, for models that cut
        images into tiles, or sounds into windows, more or fewer of them.
        """
        decoded = Decoded(batch, self.encode)
        found: dict[int, TaskOutput] = {}
        wanted = [
            self.parameters(input_, row.tensors)
            for input_, row in zip(decoded.inputs, decoded.rows, strict=True)
        ]
        sizes = [self.sizes(row.tensors) for row in decoded.rows]
        company = [
            apart(self.company.batching, place, _length(row.tensors))
            for place, row in enumerate(decoded.rows)
        ]
        for group in alike(zip(company_of(self.model, wanted), sizes, company, strict=True)):
            rows = [decoded.rows[i].tensors for i in group]
            written = self._write(rows, [wanted[i] for i in group])
            for position, completion in zip(group, written, strict=True):
                said = self.said(completion, decoded.rows[position])
                found[position] = self.task.output.model_validate({"texts": [said]})
        return decoded.answers([found[i] for i in range(len(decoded.rows))])

    def first_steps(self, rows: Sequence[Tensors]) -> Sequence[Values]:
        """The logits of each row's first two tokens, one generate for all."""
        tokenizer = self.processor.tokenizer
        tensors = self._joined(rows)
        with self.forward():
            return first_steps(self.model, tokenizer, self.to_device(tensors))

    def parameters(self, row: Any, encoded: Tensors) -> Parameters:
        """How a row is written. Raises RowError for one that leaves no room."""
        started = encoded.get("decoder_input_ids")
        room = room_of(
            self.model,
            _length(encoded),
            row.max_new_tokens,
            started=1 if started is None else started.shape[1],
        )
        return Parameters(
            max_new_tokens=within(row.max_new_tokens, room),
            do_sample=row.do_sample,
            temperature=row.temperature,
            top_p=row.top_p,
            seed=row.seed,
            room=room,
        )

    def _write(self, rows: Sequence[Tensors], wanted: Sequence[Parameters]) -> list[Completion]:
        """One generate."""
        tensors = self._joined(rows)
        with self.forward():
            return generate(self.model, self.processor.tokenizer, self.to_device(tensors), wanted)

    def sizes(self, row: Tensors) -> tuple[object, ...]:
        """What rows must share to be one tensor: all but their first dimension and their tokens."""
        return tuple(
            (name, None if self._is_padded(row, name) else tensor.shape[1:])
            for name, tensor in row.items()
        )

    def _is_padded(self, row: Tensors, name: str) -> bool:
        return name in self.asker.padded and row[name].shape == row[IDS].shape

    def _joined(self, rows: Sequence[Tensors]) -> Tensors:
        """Rows as one batch, tokens padded on the left where the answer goes on from them."""
        pad = pad_token(self.model, self.processor.tokenizer)
        longest = max(map(_length, rows))

        def whole(row: Tensors, name: str) -> torch.Tensor:
            tensor = row[name]
            if not self._is_padded(row, name):
                return tensor
            missing = longest - tensor.shape[1]
            room = (missing, 0) if self.asker.side == "left" else (0, missing)
            return torch.nn.functional.pad(tensor, room, value=pad if name == IDS else 0)

        return {name: torch.cat([whole(row, name) for row in rows]) for name in rows[0]}


def _length(row: Tensors) -> int:
    """How many tokens a row has before its answer, a model's own start left out."""
    return row[IDS].shape[1] if IDS in row else 0
