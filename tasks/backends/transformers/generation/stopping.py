"""Where a generated text ends: at an end token, or at a string that the caller named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

#: Tokens looked at beyond those that a stop string can have: tokens that are part of a character.
_MARGIN = 4


@dataclass(frozen=True, slots=True)
class Stops:
    """The ends of a text for one model and one request."""

    tokenizer: Any
    end_tokens: frozenset[int]
    strings: tuple[str, ...]
    #: A string of n bytes is in the last n tokens, if at all.
    window: int

    @classmethod
    def of(cls, model: Any, tokenizer: Any, strings: tuple[str, ...]) -> Self:
        """The model's end tokens, and these strings."""
        own = model.generation_config.eos_token_id
        ends = own if isinstance(own, list) else [own]
        longest = max((len(text.encode(errors="replace")) for text in strings), default=0)
        known = frozenset(int(token) for token in ends if token is not None)
        return cls(tokenizer, known, strings, longest + _MARGIN)

    def criteria(self, prompt_length: int) -> StoppingCriteriaList:
        """What stops `generate` at the strings; it knows the end tokens itself."""
        return StoppingCriteriaList([_StringCriteria(self, prompt_length)] if self.strings else [])

    def end(self, tokens: list[int]) -> tuple[int, bool]:
        """How many of a row's new tokens are its own, and whether it came to an end by itself.

        What follows the end is padding, there because other rows were longer.
        """
        for count in range(1, len(tokens) + 1):
            if self.ends(tokens[:count]):
                return count, True
        return len(tokens), False

    def ends(self, tokens: list[int]) -> bool:
        """Whether the last of a row's new tokens ends it."""
        return tokens[-1] in self.end_tokens or self.ends_in_string(tokens)

    def may_follow(self, text: str) -> bool:
        """Whether a text has one of the strings, or could be about to: its end begins one."""
        return any(
            text.find(string) >= 0
            or any(text.endswith(string[:size]) for size in range(1, len(string)))
            for string in self.strings
        )

    def ends_in_string(self, tokens: list[int]) -> bool:
        """Whether the last of these tokens made one of the strings whole."""
        if not self.strings:
            return False
        # Special tokens are kept: chat models' turns end in one, and a caller may name it.
        last = self.tokenizer.decode(tokens[-self.window :], skip_special_tokens=False)
        return any(text in last for text in self.strings)

    def cut(self, text: str) -> str:
        """The text up to the first of the strings, which is left out."""
        return text[: min((at for s in self.strings if (at := text.find(s)) >= 0), default=None)]


class _StringCriteria(StoppingCriteria):  # type: ignore[misc] # transformers is untyped
    def __init__(self, stops: Stops, prompt_length: int) -> None:
        self._stops, self._prompt_length = stops, prompt_length

    def __call__(
        self,
        input_ids: torch.Tensor,
        scores: Any,  # noqa: ARG002 # transformers' signature
        **kwargs: Any,  # noqa: ARG002 # likewise
    ) -> Any:
        """Which rows of (B, T) have just come to an end."""
        start = max(self._prompt_length, input_ids.shape[1] - self._stops.window)
        found = [self._stops.ends_in_string(row) for row in input_ids[:, start:].tolist()]
        return torch.tensor(found, device=input_ids.device)
