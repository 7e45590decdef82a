"""What a listener is told of a text that ends in calls, however its tokens are cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from wherry.tasks.backends.transformers.generation.veil import Opening, Veil
from wherry.tasks.text.tokens import Token

MARK = Opening(("<tool_call>",), frozenset({99}))
BRACE = Opening(("{", "<|tag|>"), frozenset({99}), at_start=True)


def tokens(*texts: str) -> list[Token]:
    return [Token(99 if text == "MARK" else place, text, 0.0) for place, text in enumerate(texts)]


def told(opening: Opening, given: Sequence[Token]) -> Iterator[str]:
    """What is told token by token, as `RowStreamer` tells it."""
    veil, held = Veil(opening), list[Token]()
    for token in given:
        held.append(token._replace(text=token.text.replace("MARK", "")))
        if not veil.may_fall(held):
            yield from (seen.text for seen in veil.seen(held))
            held = []
    yield from (seen.text for seen in veil.seen(held))


CASES = [
    (MARK, ("a b", " c", "."), "a b c."),
    (MARK, ("see", "\n", "<tool", "_call", ">", "{}"), "see"),
    (MARK, ("see ", "MARK", "{}"), "see"),
    (MARK, ("a <", "b> ", "<tool", " "), "a <b> <tool "),
    (MARK, ("x<tool_call>y",), "x"),
    (BRACE, (" ", "{", '"name"'), ""),
    (BRACE, ("MARK", "{"), ""),
    (BRACE, (" so ", "{", "}"), " so {}"),
]


@pytest.mark.parametrize(("opening", "texts", "expected"), CASES)
def test_calls_are_not_told(opening: Opening, texts: tuple[str, ...], expected: str) -> None:
    parts = [*told(opening, tokens(*texts))]
    assert "".join(parts) == expected
    assert len(parts) == len(texts)


def test_nothing_is_told_of_what_is_calls_at_once() -> None:
    assert "".join(told(Opening(("{",), at_once=True), tokens("a", "b"))) == ""


def test_a_text_is_told_as_soon_as_it_can_be() -> None:
    veil = Veil(MARK)
    assert not veil.may_fall(tokens("see"))
    assert veil.may_fall(tokens("see "))
    assert veil.may_fall(tokens("see <too"))
    assert not veil.may_fall(tokens("see <to "[:-1] + "p"))
