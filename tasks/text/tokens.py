"""Text on its way: the tokens of a row as they are made, before the answer is whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, field_serializer

#: What stands for a chance of nothing, whose logarithm JSON cannot say.
LEAST_LOGPROB = -9999.0


class Candidate(NamedTuple):
    """A token that could have stood in another's place."""

    id: int
    text: str
    logprob: float


class Token(NamedTuple):
    """One token of a text: generated, or of its prompt."""

    id: int
    #: What it adds to the text: "" for one that ends it, or that is but part of a character.
    text: str
    #: Natural logarithm of its chance, before temperature and the like; None for a first token.
    logprob: float | None
    #: Whether it is one of the model's marks, such as the end of a turn.
    special: bool = False
    #: The likeliest tokens in its place, the likeliest first, where they were asked for.
    top: tuple[Candidate, ...] = ()
    #: Whether it is the prompt's.
    prompt: bool = False

    def view(self) -> dict[str, Any]:
        """The token as an object: of `top` and `prompt` only what there is."""
        about: dict[str, Any] = self._asdict()
        about["top"] = [candidate._asdict() for candidate in self.top]
        return {name: value for name, value in about.items() if value or name in _ALWAYS}


#: What every token has in its view.
_ALWAYS = Token._fields[:4]


#: Told each token of one row; answers whether anybody still wants the rest.
Listener = Callable[[Token], bool]


class Chunk(BaseModel):
    """Some tokens of one row of a job, told together."""

    model_config = ConfigDict(frozen=True)

    row: int
    #: How many tokens of the row came before these. A worker that starts anew counts anew.
    at: int
    tokens: list[Token]

    @field_serializer("tokens")
    def _short(self, tokens: list[Token]) -> list[tuple[Any, ...]]:
        """What is always there alone, where that is all: APIs of before read just that."""
        return [token if token.top or token.prompt else token[: len(_ALWAYS)] for token in tokens]

    @property
    def text(self) -> str:
        """What the tokens add to the generated text."""
        return "".join(token.text for token in self.tokens if not token.prompt)
