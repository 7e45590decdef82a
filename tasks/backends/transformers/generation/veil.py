"""What listeners are told of a text that may end in calls of tools: all but the calls.

A call is read once it is whole, and told whole; its tokens are told without their text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ....text.tokens import Token


@dataclass(frozen=True, slots=True)
class Opening:
    """What calls begin with."""

    texts: tuple[str, ...]
    #: The same as tokens of their own, where the tokenizer has such.
    ids: frozenset[int] = frozenset()
    #: Whether it opens a call only where the text begins.
    at_start: bool = False
    #: Whether the text is nothing but calls.
    at_once: bool = False


class Veil:
    """Falls over a row's text where its calls begin."""

    def __init__(self, opening: Opening) -> None:
        self._opening, self._down = opening, opening.at_once
        #: Whether the text has begun, and with no call.
        self._begun = False

    def may_fall(self, held: Sequence[Token]) -> bool:
        """Whether what is held may be the beginning of a call: it is known with what comes next."""
        if self._down or self._found(held) is not None:
            return False
        text = _text(held)
        if self._opening.at_start:
            return not self._begun and not text.strip()
        begun = any(
            text.endswith(opening[:size])
            for opening in self._opening.texts
            for size in range(1, len(opening))
        )
        return begun or text != text.rstrip()

    def seen(self, held: Sequence[Token]) -> list[Token]:
        """What is told: text up to a call, less the space before it."""
        if self._down:
            return [token._replace(text="") for token in held]
        place = self._found(held)
        if place is None:
            self._begun = self._begun or bool(_text(held).strip())
            return list(held)
        self._down = True
        return _up_to(len(_text(held)[:place].rstrip()), held)

    def _found(self, held: Sequence[Token]) -> int | None:
        """Where in the held text a call begins, in characters."""
        starts = accumulate((len(token.text) for token in held), initial=0)
        places = [
            start
            for start, token in zip(starts, held, strict=False)
            if token.id in self._opening.ids
        ]
        text = _text(held)
        places += [at for opening in self._opening.texts if (at := text.find(opening)) >= 0]
        place = min(places, default=None)
        if place is not None and self._opening.at_start and (self._begun or text[:place].strip()):
            return None
        return place


def _text(tokens: Iterable[Token]) -> str:
    return "".join(token.text for token in tokens)


def _up_to(length: int, tokens: Sequence[Token]) -> list[Token]:
    """All tokens, with what they add to the first so many characters."""
    shown = []
    for token in tokens:
        shown.append(token._replace(text=token.text[: max(0, length)]))
        length -= len(token.text)
    return shown
