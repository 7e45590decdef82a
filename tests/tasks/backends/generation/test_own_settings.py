"""Rows of one batch that are each written as they ask: token for token what they are alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import torch
import transformers as hf

from wherry.protocol.errors import RowError
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.device import Device
from wherry.tasks.backends.transformers.generation.generate import may_leave
from wherry.tasks.backends.transformers.generation.row_loop import only
from wherry.tasks.backends.transformers.generation.sampling import Drawing, Warping
from wherry.tasks.text.generation import Generation, GenerationOutput
from wherry.tasks.text.tokens import Listener, Token

from .. import mixed

PROMPTS = [
    "the quick brown fox",
    "hello",
    "a photo of a cat and a dog beside",
    "my name is ada and i live in london what",
    "one",
    "a wherry waits",
]
#: One a prompt: greedy and drawn, short and long, with rules of their own.
WAYS: list[dict[str, Any]] = [
    {"max_new_tokens": 2},
    {"max_new_tokens": 12, "do_sample": True, "temperature": 0.7, "seed": 1, "logprobs": 1},
    {"max_new_tokens": 7, "repetition_penalty": 1.5},
    {"max_new_tokens": 16, "do_sample": True, "seed": 4, "top_k": 7, "top_p": 0.8, "logprobs": 3},
    {"max_new_tokens": 14, "stop": ["a", "e"], "logprobs": 0},
    {"max_new_tokens": 5, "do_sample": True, "temperature": 1.5, "seed": 9, "top_k": 3},
]

#: Kinds of models: learned places that end soon, places that are turned, an encoder, two that keep
#: a state in which rows cannot be told apart.
KINDS = [
    ("text-generation", "gpt2"),
    ("text-generation", "llama"),
    ("text-generation", "mamba"),
    ("text-generation", "bamba"),
    ("text2text-generation", "bart"),
    ("text2text-generation", "t5"),
]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """A small model of a kind, loaded once."""
    made: dict[str, Any] = {}
    with ExitStack() as closing:

        def loaded(task: str, kind: str) -> Any:
            if kind not in made:
                torch.manual_seed(0)
                folder = tmp_path_factory.mktemp(kind)
                make = mixed.writer if task == "text-generation" else mixed.rewriter
                make(kind, folder)
                made[kind] = create_backend("transformers", task, str(folder), device=Device("cpu"))
                made[kind].load()
                closing.callback(made[kind].close)
            return made[kind]

        yield loaded


def rows_of(backend: Any, ways: list[dict[str, Any]] | None = None) -> list[Any]:
    return [
        backend.task.input.validated({"texts": [text], **way})
        for text, way in zip(PROMPTS, ways or WAYS, strict=True)
    ]


def said(backend: Any, rows: list[Any], ears: list[Listener | None] | None = None) -> list[Any]:
    """Each row's generation, its tokens' scores to the fourth digit."""
    found: list[Any] = []
    for answer in backend.stream(rows, ears or [None] * len(rows)):
        assert isinstance(answer, GenerationOutput), answer
        found += map(told, answer.generations)
    return found


def told(generation: Generation) -> Any:
    scores = [
        (token.id, round(token.logprob or 0, 3), [candidate.id for candidate in token.top])
        for token in generation.tokens or ()
    ]
    return generation.model_dump(exclude={"tokens"}), scores


@contextmanager
def batch_sizes(backend: Any) -> Iterator[list[int]]:
    """How many rows each forward has."""
    sizes: list[int] = []

    def note(_: Any, __: Any, out: Any) -> None:
        sizes.append(out.logits.shape[0])

    hook = backend.model.register_forward_hook(note)
    try:
        yield sizes
    finally:
        hook.remove()


@pytest.mark.parametrize(("task", "kind"), KINDS)
def test_rows_of_a_mixed_batch_say_what_they_say_alone(
    load: Callable[..., Any], task: str, kind: str
) -> None:
    backend = load(task, kind)
    rows = rows_of(backend)
    alone = [said(backend, [row])[0] for row in rows]
    with batch_sizes(backend) as sizes:
        together = said(backend, rows)
    assert together == alone
    assert said(backend, rows[::-1]) == alone[::-1]
    if may_leave(backend.model):
        assert (sizes[0], sizes[-1]) == (len(rows), 1), "rows that have ended leave"
        assert len(sizes) == max(generation["completion_tokens"] for generation, _ in together)


def test_a_row_at_the_end_of_its_places_leaves_the_others_room(load: Callable[..., Any]) -> None:
    """GPT-2 knows no place beyond its last: one that has ended cannot go on beside longer ones."""
    backend = load("text-generation", "gpt2")
    last = backend.model.config.n_positions - 3
    [few, *others] = rows_of(backend)
    full = few.model_copy(update={"texts": [""], "token_ids": [[5] * last], "max_new_tokens": 9})
    alone = [said(backend, [row])[0] for row in (full, *others)]
    assert alone[0][0]["completion_tokens"] == 3
    assert said(backend, [full, *others]) == alone


def test_rows_are_those_of_a_plain_generate(load: Callable[..., Any]) -> None:
    """Each against what transformers writes of it, called as its documentation has it."""
    backend = load("text-generation", "llama")
    ways = [{"max_new_tokens": n, "repetition_penalty": p} for n, p in ((3, 1.0), (9, 1.3)) * 3]
    written = said(backend, rows_of(backend, ways))
    for text, way, (generation, _) in zip(PROMPTS, ways, written, strict=True):
        inputs = backend.tokenizer(text, return_tensors="pt")
        made = backend.model.generate(**inputs, **way, do_sample=False)[
            0, inputs.input_ids.shape[1] :
        ]
        assert generation["text"] == backend.tokenizer.decode(made, skip_special_tokens=True)


class Ear:
    """Hears tokens, up to a number."""

    def __init__(self, patience: int = 10_000) -> None:
        self.heard: list[Token] = []
        self._patience = patience

    def __call__(self, token: Token) -> bool:
        self.heard.append(token)
        return len(self.heard) < self._patience


def test_each_listener_hears_its_row_and_one_that_goes_ends_its_own(
    load: Callable[..., Any],
) -> None:
    backend = load("text-generation", "gpt2")
    rows = rows_of(backend)
    alone = said(backend, rows)
    ears = [Ear(5) if place == 3 else Ear() for place in range(len(rows))]
    heard = said(backend, rows, list(ears))
    for place, ear in enumerate(ears):
        if place != 3:
            assert heard[place] == alone[place]
            assert "".join(token.text for token in ear.heard) == alone[place][0]["text"]
    assert len(ears[3].heard) == 5


def test_a_row_that_cannot_be_written_fails_alone(load: Callable[..., Any]) -> None:
    backend = load("text-generation", "gpt2")
    rows = rows_of(backend)
    alone = said(backend, rows)
    rows[2] = backend.task.input.validated({"texts": ["a" * 500], "max_new_tokens": 3})
    answers = backend.run(rows)
    assert isinstance(answers[2], RowError)
    others = [told(answer.generations[0]) for place, answer in enumerate(answers) if place != 2]
    assert others == [*alone[:2], *alone[3:]]


def test_an_end_by_force_comes_at_each_rows_own_length(load: Callable[..., Any]) -> None:
    """BART's settings for summaries have their last token made the end."""
    backend = load("text2text-generation", "bart")
    own = backend.model.generation_config
    own.forced_eos_token_id = backend.tokenizer.eos_token_id
    try:
        rows = rows_of(backend, [{"max_new_tokens": n} for n in (3, 8, 10, 2, 9, 4)])
        alone = [said(backend, [row])[0] for row in rows]
        assert said(backend, rows) == alone
        assert {generation["finish_reason"] for generation, _ in alone} == {"stop"}
    finally:
        own.forced_eos_token_id = None


@pytest.mark.parametrize(
    "settings",
    [{"no_repeat_ngram_size": 2, "min_new_tokens": 3}, {"encoder_repetition_penalty": 1.4}],
)
def test_padding_is_not_read_as_a_rows_own_tokens(
    load: Callable[..., Any], settings: dict[str, Any]
) -> None:
    """Transformers would have it said nothing twice, or again, that only its neighbour lacks."""
    backend = load("text-generation", "llama")
    own = backend.model.generation_config
    before = {name: getattr(own, name) for name in settings}
    own.update(**settings)
    try:
        rows = rows_of(backend, [{**way, "max_new_tokens": 34, "stop": []} for way in WAYS])
        alone = [said(backend, [row])[0] for row in rows]
        assert said(backend, rows) == alone
    finally:
        own.update(**before)


def test_beams_of_different_lengths_are_followed_apart(load: Callable[..., Any]) -> None:
    backend = load("text2text-generation", "t5")
    ways = [{"max_new_tokens": n, "num_beams": b} for n, b in ((3, 2), (9, 2), (9, 1)) * 2]
    rows = rows_of(backend, ways)
    assert said(backend, rows) == [said(backend, [row])[0] for row in rows]


def test_each_row_is_bent_as_transformers_bends_it() -> None:
    torch.manual_seed(0)
    scores = torch.randn(3, 50) * 3
    ways = [(0.7, 5, 1.0), (1.0, 0, 0.6), (2.0, 12, 0.8)]
    bent = Drawing([Warping(*way) for way in ways]).bent(scores)
    for place, (temperature, top_k, top_p) in enumerate(ways):
        row = hf.TemperatureLogitsWarper(temperature)(None, scores[place : place + 1])
        row = hf.TopKLogitsWarper(top_k)(None, row) if top_k else row
        row = hf.TopPLogitsWarper(top_p)(None, row) if top_p < 1 else row
        assert torch.equal(bent[place].isinf(), row[0].isinf())
        assert torch.allclose(bent[place], row[0])


def test_what_is_known_of_rows_that_left_is_left_out() -> None:
    index = torch.tensor([2, 0])
    places = torch.arange(24).view(3, 4, 2)
    assert only(torch.arange(4), index, 4).tolist() == [2, 0]
    assert torch.equal(only(places, index, 4, "position_ids"), places[:, [2, 0]])
    assert only(None, index, 4) is None
    encoded = hf.modeling_outputs.BaseModelOutput(last_hidden_state=torch.arange(4)[:, None])
    assert only(encoded, index, 4).last_hidden_state.tolist() == [[2], [0]]
