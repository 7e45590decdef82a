"""Text on its way: the tokens of a row as they are made, before the answer is whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict


class Token(NamedTuple):
    """One token of a generated text."""

    id: int
    #: What it adds to the text: "" for one that ends it, or that is but part of a character.
    text: str
    #: Natural logarithm of its chance, before temperature and the like.
    logprob: float
    #: Whether it is one of the model's marks, such as the end of a turn.
    special: bool = False


#: Told each token of one row; answers whether anybody still wants the rest.
Listener = Callable[[Token], bool]


class Chunk(BaseModel):
    """Some tokens of one row of a job, told together."""

    model_config = ConfigDict(frozen=True)

    row: int
    #: How many tokens of the row came before these. A worker that starts anew counts anew.
    at: int
    tokens: list[Token]

    @property
    def text(self) -> str:
        """What the tokens add to the text."""
        return "".join(token.text for token in self.tokens)
