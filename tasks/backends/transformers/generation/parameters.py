"""How one row of a batch is to be written."""

from __future__ import annotations

from dataclasses import dataclass

from .grammars import Grammar
from .veil import Opening


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How to generate a row; None leaves it to the model's own generation config."""

    max_new_tokens: int
    do_sample: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    typical_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    #: Tokens and what is added to their scores.
    logit_bias: tuple[tuple[int, float], ...] = ()
    #: Tokens made before an end token may come.
    min_new_tokens: int = 0
    num_beams: int | None = None
    stop: tuple[str, ...] = ()
    #: What is drawn follows from it; None draws anew each time.
    seed: int | None = None
    #: Candidates told with each token.
    top: int = 0
    #: Tokens that the model has positions for; None for no limit.
    room: int | None = None
    #: What the text must follow, if anything.
    grammar: Grammar | None = None
    #: What calls of tools begin with, of which no listener is told; None where there are none.
    opening: Opening | None = None

    @property
    def draws(self) -> bool:
        """Whether tokens are drawn; temperature 0 means the likeliest."""
        return self.do_sample and self.temperature != 0
