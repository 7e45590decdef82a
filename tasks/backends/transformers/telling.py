"""Telling a text's tokens while the rest of it is still being made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import LogitsProcessor, StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from ...text.tokens import Listener, Token
from .stopping import Stops

#: What a decoder writes for bytes that are no whole character yet.
_INCOMPLETE = "\ufffd"

#: Tokens of the prompt that a text's first token is decoded behind.
_BEFORE = 8


class RunningText:
    """A text that grows token by token; each character is told once, when it is whole."""

    def __init__(self, tokenizer: Any, prompt: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        # Decoded behind what came before: some tokenizers drop the space that a text begins with.
        self._tokens = list(prompt[-_BEFORE:])
        self._start, self._told = 0, len(self._tokens)

    def add(self, token: int) -> str:
        """What the text now has more, "" while the token's characters are not whole."""
        self._tokens.append(token)
        before, now = self._text(self._told), self._text(None)
        if len(now) <= len(before) or now.endswith(_INCOMPLETE):
            return ""
        self._start, self._told = self._told, len(self._tokens)
        return now[len(before) :]

    def _text(self, end: int | None) -> str:
        text: str = self._tokenizer.decode(
            self._tokens[self._start : end], skip_special_tokens=True
        )
        return text


class ToldRow:
    """One row's tokens on their way to its listener."""

    def __init__(
        self, listener: Listener, tokenizer: Any, prompt: Sequence[int], stops: Stops
    ) -> None:
        self._listener, self._stops = listener, stops
        self._text = RunningText(tokenizer, prompt)
        self._special = frozenset(tokenizer.all_special_ids)
        self._made: list[int] = []
        #: Tokens that may be the beginning of a stop string, which is not part of the text.
        self._held: list[Token] = []
        self.ended = False
        #: Whether the listener has had enough.
        self.gone = False

    def add(self, token: int, logprob: float) -> None:
        """Tell a token, as soon as it cannot be part of a stop string."""
        if self.ended or self.gone:
            return  # padding, there because other rows are longer
        self._made.append(token)
        text = self._text.add(token)
        self._held.append(Token(token, text, logprob, token in self._special))
        # What is held now is left out by the stop string, or told with the whole answer.
        self.ended = self._stops.ends(self._made)
        if self._stops.may_follow("".join(held.text for held in self._held)):
            return
        self._tell()

    def _tell(self) -> None:
        for held in self._held:
            if not self._listener(held):
                self.gone = True
        self._held = []


class Telling(BaseStreamer):  # type: ignore[misc] # transformers is untyped
    """Tells each row's tokens to its listener; rows without one are passed over.

    In each step `generate` shows the scores to `look`, gives the tokens chosen to `put`, and asks
    `hush` which rows to stop.
    """

    def __init__(
        self,
        tokenizer: Any,
        stops: Stops,
        prompts: Sequence[Sequence[int]],
        listeners: Sequence[Listener | None],
    ) -> None:
        self._rows = {
            index: ToldRow(listener, tokenizer, prompt, stops)
            for index, (listener, prompt) in enumerate(zip(listeners, prompts, strict=True))
            if listener
        }
        self._indices = list(self._rows)
        self._logprobs: torch.Tensor | None = None
        self.look, self.hush = _Look(self), _Hush(self)

    def saw(self, scores: torch.Tensor) -> None:
        """Keep the chances (B, V) of this step."""
        self._logprobs = scores[self._indices].float().log_softmax(-1)

    def put(self, value: torch.Tensor) -> None:
        """Take the step's tokens (B,); the first call has the prompts (B, T)."""
        if value.dim() > 1 or self._logprobs is None:
            return
        tokens = value[self._indices]
        chances = self._logprobs.gather(1, tokens.to(self._logprobs.device)[:, None])[:, 0]
        made = zip(self._rows.values(), tokens.tolist(), chances.tolist(), strict=True)
        for row, token, logprob in made:
            row.add(token, logprob)

    def end(self) -> None:
        """Nothing: what is held back at the end comes with the whole answer."""

    def gone(self, rows: int) -> list[bool]:
        """The rows that nobody listens to any more."""
        return [index in self._rows and self._rows[index].gone for index in range(rows)]


class _Look(LogitsProcessor):  # type: ignore[misc] # transformers is untyped
    def __init__(self, telling: Telling) -> None:
        self._telling = telling

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # noqa: ARG002 # transformers' names
        """See the scores (B, V); leave them."""
        self._telling.saw(scores)
        return scores


class _Hush(StoppingCriteria):  # type: ignore[misc] # transformers is untyped
    def __init__(self, telling: Telling) -> None:
        self._telling = telling

    def __call__(
        self,
        input_ids: torch.Tensor,
        scores: Any,  # noqa: ARG002 # transformers' signature
        **kwargs: Any,  # noqa: ARG002 # likewise
    ) -> Any:
        """Which rows of (B, T) to stop."""
        return torch.tensor(self._telling.gone(len(input_ids)), device=input_ids.device)
