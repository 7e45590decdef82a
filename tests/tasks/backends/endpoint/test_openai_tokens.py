from __future__ import annotations

from wherry.tasks.backends.endpoint.protocols.openai_tokens import tokens_told
from wherry.tasks.text.tokens import Candidate, Token


def test_chats_form() -> None:
    told = {
        "content": [
            {
                "token": " Paris",
                "logprob": -0.5,
                "top_logprobs": [{"token": " Rome", "logprob": -1.5}],
            },
            {"token": ".", "logprob": None},
        ]
    }
    assert tokens_told(told) == [
        Token(-1, " Paris", -0.5, top=(Candidate(-1, " Rome", -1.5),)),
        Token(-1, ".", -9999.0),
    ]


def test_completions_form() -> None:
    told = {
        "tokens": ["a", "b"],
        "token_logprobs": [-0.25, -2.0],
        "top_logprobs": [{"a": -0.25, "c": -1.0}, None],
    }
    assert tokens_told(told) == [
        Token(-1, "a", -0.25, top=(Candidate(-1, "a", -0.25), Candidate(-1, "c", -1.0))),
        Token(-1, "b", -2.0),
    ]


def test_none_are_none() -> None:
    assert tokens_told(None) == []
    assert tokens_told({}) == []
