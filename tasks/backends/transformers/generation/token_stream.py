"""A stream of a text's tokens while the rest of it is still being made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ....text.tokens import Candidate, Listener, Token
from .scores import Score
from .stopping import Stops
from .veil import Opening, Veil

#: What a decoder writes for bytes that are no whole character yet.
_INCOMPLETE = "\ufffd"

#: Tokens of the prompt that a text's first token is decoded behind.
_BEFORE = 8


#: Tokens without a whole character that are held: bytes that never become one are told as they are.
_MOST_HELD = 16


class TokenRecorder:
    """Keeps the tokens of a row for its answer, and passes them on."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self.tokens: list[Token] = []

    def __call__(self, token: Token) -> bool:
        """Hear a token."""
        self.tokens.append(token)
        return self._listener is None or self._listener(token)


def scored_prompt(
    tokenizer: Any, prompt: Sequence[int], scores: Sequence[Score]
) -> Iterator[Token]:
    """A prompt's tokens with their scores; the first has none."""
    text, special = RunningText(tokenizer, ()), frozenset(tokenizer.all_special_ids)
    for token, score in zip(prompt, [None, *scores], strict=True):
        top = text.candidates(score.likeliest) if score else ()
        mark = token in special
        added = "" if mark else text.add(token)
        yield Token(token, added, score and score.logprob, mark, top, prompt=True)


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
        held = len(self._tokens) - self._told
        if len(now) <= len(before) or (now.endswith(_INCOMPLETE) and held < _MOST_HELD):
            return ""
        self._start, self._told = self._told, len(self._tokens)
        return now[len(before) :]

    def rest(self) -> str:
        """What bytes that are no whole character yet would add."""
        return self._text(None)[len(self._text(self._told)) :]

    def candidates(self, likeliest: Sequence[tuple[int, float]]) -> tuple[Candidate, ...]:
        """Tokens that may come next, (id, logprob) each, with what they would add."""
        if not likeliest:
            return ()
        before, found = self._text(self._told), []
        for token, logprob in likeliest:
            now = self._decoded([*self._tokens[self._start :], token])
            whole = len(now) > len(before) and not now.endswith(_INCOMPLETE)
            found.append(Candidate(token, now[len(before) :] if whole else "", logprob))
        return tuple(found)

    def _text(self, end: int | None) -> str:
        return self._decoded(self._tokens[self._start : end])

    def _decoded(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return text


class RowStreamer:
    """One row's tokens on their way to its listener."""

    def __init__(
        self,
        listener: Listener,
        tokenizer: Any,
        prompt: Sequence[int],
        stops: Stops,
        opening: Opening | None = None,
    ) -> None:
        self._listener, self._stops = listener, stops
        self._veil = Veil(opening) if opening else None
        self._text = RunningText(tokenizer, prompt)
        self._special = frozenset(tokenizer.all_special_ids)
        self._made: list[int] = []
        #: Tokens that may be the beginning of a stop string, which is not part of the text, or of
        #: a character.
        self._held: list[Token] = []
        self.ended = False
        #: Whether the listener has had enough.
        self.gone = False

    def add(self, token: int, logprob: float, likeliest: Sequence[tuple[int, float]] = ()) -> None:
        """Tell a token, as soon as it is known what it adds to the text."""
        if self.ended or self.gone:
            return  # padding, there because other rows are longer
        self._made.append(token)
        top = self._text.candidates(likeliest)
        text = self._text.add(token)
        self._held.append(Token(token, text, logprob, token in self._special, top))
        self.ended = self._stops.ends(self._made)
        if self.ended:
            self.end()
        elif not (
            self._stops.may_follow(self._held_text())
            or self._text.rest()
            or (self._veil and self._veil.may_fall(self._held))
        ):
            self._pass_on()

    def end(self) -> None:
        """Tell what is held back, up to a stop string: the tokens' texts are the answer's text."""
        if not self._held or self.gone:
            return
        last = self._held[-1]
        self._held[-1] = last._replace(text=last.text + self._text.rest())
        text = self._held_text()
        left = self._stops.cut(text)
        if len(left) < len(text):
            self._held = [*_up_to(len(left), self._held)]
        self._pass_on()

    def _held_text(self) -> str:
        return "".join(held.text for held in self._held)

    def _pass_on(self) -> None:
        for held in self._veil.seen(self._held) if self._veil else self._held:
            if not self._listener(held):
                self.gone = True
        self._held = []


def _up_to(length: int, tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens of which something is within so many characters, the last one's text cut."""
    for token in tokens:
        if length <= 0:
            return
        yield token._replace(text=token.text[:length])
        length -= len(token.text)
