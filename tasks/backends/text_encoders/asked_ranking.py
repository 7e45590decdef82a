from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from ....protocol.errors import RowError
from ...base import Task, TaskInput
from ...text.ranking import RankingInput
from ...text.texts import CutInput
from ..text.cut import cut_to
from . import ranking
from .reader import Read, TextEncoder, TruncationStrategy

#: Texts of different tokens: what prompts of them end in alike is the prompt's own.
_FILLERS = ("0", "1 2 3 4")

#: How many prompts' ends are remembered: a client may send as many instructions as it likes.
_ENDS = 64


class PairPrompt(NamedTuple):
    """How a query and a text are put to a model."""

    #: (instruction, query, text) -> texts that are tokenized each by itself.
    texts: Callable[[str, str, str], Sequence[str]]
    takes_instruction: bool
    #: The one to use where a request has none; "" for the prompt's own.
    instruction: str
    #: Tokens before all.
    first: tuple[int, ...] = ()


class AskedRanking(ranking.Ranking):
    """A model is asked of each text whether it fits. What is cut is the text's: the end of the
    prompt, which asks, is always read.
    """

    def __init__(self, task: Task, reader: TextEncoder, prompt: PairPrompt) -> None:
        super().__init__(task, reader)
        self._prompt, self.takes_instruction = prompt, prompt.takes_instruction
        self._end = functools.lru_cache(_ENDS)(self._find_end)
        least = len(self._tokens(prompt.instruction, "", ""))
        if least >= reader.max_tokens:
            raise ValueError(
                f"{reader.name} reads {reader.max_tokens} tokens, and its prompt has {least} alone"
            )

    def pairs(self, given: TaskInput) -> list[Read]:
        """A row's query with each of its texts.

        Raises RowError for one that leaves no room for any: all would be scored alike.
        """
        row = cast("RankingInput", given)
        instruction = row.instruction or self._prompt.instruction
        asked, most = len(self._tokens(instruction, row.queries[0], "")), self.reader.max_tokens
        if asked >= most:
            named = "instruction and query" if row.instruction else "query"
            raise RowError(
                f"{named}: {asked} tokens with the prompt's own leave no room for a text; the "
                f"model reads {most} at once: shorten the {named}"
            )
        return super().pairs(row)

    def read(
        self,
        rows: Sequence[CutInput],
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        truncation: TruncationStrategy = "longest_first",  # noqa: ARG002 # a prompt is cut at its text
    ) -> list[Read]:
        """Queries and texts as prompts."""
        return [
            self._read(row, query, text)
            for row, query, text in zip(rows, texts, pairs or (), strict=True)
        ]

    def _read(self, row: CutInput, query: str, text: str) -> Read:
        asked = row.instruction if isinstance(row, RankingInput) else None
        instruction = asked or self._prompt.instruction
        ids = self._tokens(instruction, query, text)
        most = self.reader.max_tokens
        cut = cut_to(most, len(ids))
        if cut and row.truncation_direction == "left":
            ids = self._without_start(instruction, query, text, len(ids) - most)
        if len(ids) > most:
            end = self._end(instruction)[-most:]
            ids = [*ids[: most - len(end)], *end]
        return Read({"input_ids": ids}, cut)

    def _without_start(self, instruction: str, query: str, text: str, excess: int) -> list[int]:
        """A prompt whose text has lost so many tokens at its start."""
        places = self.reader.places(text)
        left = text[places[excess][0] :] if excess < len(places) else ""
        return self._tokens(instruction, query, left)

    def _tokens(self, instruction: str, query: str, text: str) -> list[int]:
        parts = self._prompt.texts(instruction, query, text)
        return [*self._prompt.first, *(token for part in parts for token in self.reader.bare(part))]

    def _find_end(self, instruction: str) -> list[int]:
        """The tokens behind the text, which are the same whatever is asked about."""
        some, others = (self._tokens(instruction, filler, filler) for filler in _FILLERS)
        alike = 0
        while alike < min(len(some), len(others)) and some[-1 - alike] == others[-1 - alike]:
            alike += 1
        return some[len(some) - alike :]
