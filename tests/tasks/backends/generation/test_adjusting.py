"""Penalties, biases and least lengths: each row's own, in a batch and in the running batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from wherry.protocol.errors import InvalidRequest, RowError
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.device import Device
from wherry.tasks.backends.transformers.generation.adjusting import Adjustment
from wherry.tasks.backends.transformers.generation.parameters import Parameters
from wherry.tasks.backends.transformers.generation.sampling import Drawing, Warping
from wherry.tasks.text.text_generation import TextGenerationInput

LENGTH = 12
PROMPT = "the boat is"


def adjusted(tokens: list[int], ends: tuple[int, ...] = (), **wanted: Any) -> list[float]:
    """What becomes of scores of nothing."""
    adjust = Adjustment.of(Parameters(max_new_tokens=9, **wanted), ends)
    assert adjust
    scores = torch.zeros(5)
    adjust(tokens, scores)
    found: list[float] = scores.tolist()
    return found


def test_penalties_are_for_tokens_that_were_made() -> None:
    assert adjusted([1, 3, 3], presence_penalty=0.5) == [0, -0.5, 0, -0.5, 0]
    assert adjusted([1, 3, 3], frequency_penalty=0.5) == [0, -0.5, 0, -1.0, 0]
    assert adjusted([1, 3, 3], presence_penalty=-1, frequency_penalty=0.5) == [0, 0.5, 0, 0, 0]
    assert adjusted([], presence_penalty=0.5) == [0] * 5


def test_biases_are_added_and_ends_wait() -> None:
    assert adjusted([], logit_bias=((0, -100.0), (4, 2.0))) == [-100, 0, 0, 0, 2]
    assert adjusted([7, 7], ends=(2,), min_new_tokens=3) == [0, 0, -torch.inf, 0, 0]
    assert adjusted([7, 7, 7], ends=(2,), min_new_tokens=3) == [0] * 5


def test_a_row_that_asks_for_nothing_has_none() -> None:
    assert Adjustment.of(Parameters(max_new_tokens=9), (2,)) is None


def test_what_is_typical_is_as_transformers_has_it() -> None:
    torch.manual_seed(0)
    scores = torch.randn(3, 50) * 3
    masses = (0.2, 1.0, 0.9)
    warpings = [Warping(temperature=1.0, top_k=0, top_p=1.0, typical_p=mass) for mass in masses]
    bent = Drawing(warpings).bent(scores)
    for place, mass in enumerate(masses):
        row = scores[place : place + 1]
        row = hf.TypicalLogitsWarper(mass)(None, row) if mass < 1 else row
        assert torch.equal(bent[place], row[0])


@pytest.fixture(scope="module")
def load(tiny_model: Callable[[str], Path]) -> Iterator[Callable[..., Any]]:
    with ExitStack() as closing:

        def loaded(**parameters: Any) -> Any:
            source, device = str(tiny_model("chat")), Device("cpu")
            backend = create_backend(
                "transformers", "text-generation", source, device=device, **parameters
            )
            backend.load()
            closing.callback(backend.close)
            return backend

        yield loaded


@pytest.fixture(scope="module", params=[False, True], ids=["batches", "continuous"])
def backend(request: pytest.FixtureRequest, load: Callable[..., Any]) -> Any:
    return load(continuous=request.param)


def row(**fields: Any) -> TextGenerationInput:
    return TextGenerationInput.validated(
        {"texts": [PROMPT], "max_new_tokens": LENGTH, "logprobs": 0, **fields}
    )


def ids(backend: Any, *rows: TextGenerationInput) -> list[list[int]]:
    """The tokens of each row's answer."""
    answers = backend.run(list(rows))
    return [[token.id for token in answer.generations[0].tokens] for answer in answers]


def test_rows_in_one_batch_have_each_their_own(backend: Any) -> None:
    [plain] = ids(backend, row())
    first = plain[0]
    ways: list[dict[str, Any]] = [
        {},
        {"logit_bias": {str(first): -100}},
        {"logit_bias": {"7": 100}},
        {"presence_penalty": 2.0, "frequency_penalty": 2.0},
        {"do_sample": True, "seed": 3, "typical_p": 0.3},
        {"do_sample": True, "seed": 3},
    ]
    rows = [row(**way) for way in ways]
    alone = [ids(backend, each)[0] for each in rows]
    assert ids(backend, *rows) == alone
    assert alone[0] == plain
    assert first not in alone[1]
    assert alone[2] == [7] * LENGTH
    # Over so many steps a greedy tiny model repeats itself, unless that costs it.
    assert len(set(alone[3])) > len(set(plain))
    assert alone[4] != alone[5]


def test_a_text_is_as_long_as_is_asked_for(backend: Any, load: Callable[..., Any]) -> None:
    end = backend.model.generation_config.eos_token_id
    end = end[0] if isinstance(end, list) else end
    wanted = {"logit_bias": {str(end): 100}}
    assert [len(each) for each in ids(backend, row(**wanted))] == [1]
    short, long = ids(
        backend, row(**wanted, min_new_tokens=4), row(**wanted, min_new_tokens=LENGTH)
    )
    assert (len(short), short[-1]) == (5, end)
    assert len(long) == LENGTH
    assert end not in long


def test_a_token_that_the_model_has_not_is_refused(backend: Any) -> None:
    good, odd = backend.run([row(), row(logit_bias={"999999": 1})])
    assert good.generations[0].completion_tokens
    assert isinstance(odd, RowError)
    assert odd.message.startswith("logit_bias: there is no token 999999")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("presence_penalty", 1.0),
        ("frequency_penalty", 1.0),
        ("logit_bias", {"1": 1}),
        ("min_new_tokens", 2),
    ],
)
def test_beam_search_refuses_what_it_does_not_heed(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"{name}: beam search"):
        row(logprobs=None, num_beams=2, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("presence_penalty", 2.1),
        ("logit_bias", {"a": 1}),
        ("logit_bias", {"1": 101}),
        ("logit_bias", {str(token): 1 for token in range(2000)}),
        ("min_new_tokens", -1),
        ("typical_p", 0),
    ],
)
def test_values_out_of_range_are_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=name):
        row(**{name: value})
