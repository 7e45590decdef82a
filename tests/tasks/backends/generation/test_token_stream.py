"""Tokens told while a text is written, against the answer that comes in the end."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from wherry.protocol.errors import RowError
from wherry.samples.tiny.parts import bpe
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.base import StreamingBackend
from wherry.tasks.backends.device import Device
from wherry.tasks.backends.transformers.generation.stopping import Stops
from wherry.tasks.backends.transformers.generation.token_stream import RunningText
from wherry.tasks.create import create_task
from wherry.tasks.text.generation import GenerationOutput
from wherry.tasks.text.text_generation import TextGenerationInput
from wherry.tasks.text.tokens import Token

PROMPTS = ["the boat is", "a wherry waits at the stairs for", "one"]


@pytest.fixture(scope="module")
def backend(tiny_model: Callable[[str], Path]) -> StreamingBackend:
    made = create_backend(
        "transformers",
        "text-generation",
        str(tiny_model("text-generation")),
        device=Device("cpu"),
    )
    made.load()
    assert isinstance(made, StreamingBackend)
    return made


class Ear:
    """Hears tokens, up to a number."""

    def __init__(self, patience: int = 10_000) -> None:
        self.tokens: list[Token] = []
        self._patience = patience

    def __call__(self, token: Token) -> bool:
        self.tokens.append(token)
        return len(self.tokens) < self._patience

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.tokens)


def stream(backend: StreamingBackend, ears: list[Ear | None], **parameters: object) -> list[str]:
    rows = TextGenerationInput.validated(
        {"texts": PROMPTS, "max_new_tokens": 12, **parameters}
    ).rows()
    texts = []
    for answer in backend.stream(rows, ears):
        assert isinstance(answer, GenerationOutput)
        texts.append(answer.generations[0].text)
    return texts


@pytest.mark.parametrize("drawn", [{}, {"do_sample": True, "seed": 5, "temperature": 0.8}])
def test_what_is_told_is_the_text(backend: StreamingBackend, drawn: dict[str, object]) -> None:
    ears = [Ear(), None, Ear()]
    texts = stream(backend, list(ears), **drawn)
    assert texts == stream(backend, [None] * 3, **drawn), "listening changes nothing"
    for ear, text in zip(ears, texts, strict=True):
        if ear:
            assert ear.text == text, "bytes of a broken character, too"


def test_chances_are_the_models_own(backend: StreamingBackend) -> None:
    ear = Ear()
    stream(backend, [ear, None, None], do_sample=True, seed=1, temperature=2.0)
    model, tokenizer = backend.model, backend.tokenizer  # type: ignore[attr-defined] # a Writer has both
    prompt = tokenizer(PROMPTS[0])["input_ids"]
    made = [token.id for token in ear.tokens]
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *made]])).logits[0]
    for place, token in enumerate(ear.tokens):
        own = logits[len(prompt) + place - 1].log_softmax(-1)[token.id]
        assert token.logprob == pytest.approx(float(own), abs=1e-3)


def test_a_row_ends_when_its_listener_has_had_enough(backend: StreamingBackend) -> None:
    alone = stream(backend, [None] * 3)
    ear = Ear(patience=2)
    rows = TextGenerationInput(texts=PROMPTS, max_new_tokens=12).rows()
    answers = backend.stream(rows, [None, ear, None])
    counts = [a.generations[0].completion_tokens for a in answers]  # type: ignore[union-attr] # no row fails
    assert len(ear.tokens) == 2
    texts = [a.generations[0].text for a in answers]  # type: ignore[union-attr] # no row fails
    assert (texts[0], texts[2]) == (alone[0], alone[2]), "the others go on"
    assert counts[0] == 12


def test_when_all_have_had_enough_the_batch_ends(backend: StreamingBackend) -> None:
    steps = 0
    model = backend.model  # type: ignore[attr-defined] # a Writer has both
    hook = model.register_forward_hook(lambda *_: count())

    def count() -> None:
        nonlocal steps
        steps += 1

    try:
        stream(backend, [Ear(2), Ear(3), Ear(1)])
    finally:
        hook.remove()
    assert steps <= 4


def test_what_is_told_ends_where_the_text_does(backend: StreamingBackend) -> None:
    plain = Ear()
    stream(backend, [plain, None, None])
    texts = [token.text for token in plain.tokens]
    one, two = next((a, b) for a, b in itertools.pairwise(texts[2:]) if len(a) > 1 and b)
    # Within a token, over two, all of one, and one that never comes whole.
    for stop in (one[1:], one[-1] + two[0], one, plain.text[-1] + "!", texts[0][:1]):
        ear = Ear()
        [text, *_] = stream(backend, [ear, None, None], stop=[stop])
        assert text == plain.text.partition(stop)[0]
        assert ear.text == text
        assert ear.tokens == [
            token._replace(text=ear.tokens[place].text)
            for place, token in enumerate(plain.tokens[: len(ear.tokens)])
        ], "a token that is cut keeps its number and its chance"


def test_beam_search_tells_nothing_and_answers_all(backend: StreamingBackend) -> None:
    ear = Ear()
    assert all(stream(backend, [ear, None, None], num_beams=2))
    assert not ear.tokens


def test_so_does_that_of_a_models_own_configuration(tiny_model: Callable[[str], Path]) -> None:
    folder, ear = str(tiny_model("summarization")), Ear()
    with create_task("transformers", "summarization", folder) as task:
        assert isinstance(task.backend, StreamingBackend)
        row = task.task.input.validated({"texts": PROMPTS[:1], "max_new_tokens": 4})
        told, asked = task.backend.stream(
            [row, row.model_copy(update={"logprobs": 1})], [ear, None]
        )
    assert isinstance(told, GenerationOutput)
    assert not ear.tokens
    assert isinstance(asked, RowError)
    assert "use num_beams 1" in asked.message


def test_characters_of_many_tokens_are_told_whole() -> None:
    tokenizer = bpe(bos="<s>", eos="</s>", pad="<pad>", unk="<unk>")
    text = " héllo wörld 日本 🛶 end"
    running = RunningText(tokenizer, tokenizer(" the boat")["input_ids"])
    told = [running.add(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]
    assert "\ufffd" not in "".join(told)
    assert "".join(told) == text
    assert "" in told, "some tokens are parts of a character"


@pytest.mark.parametrize(
    ("text", "may"),
    [("ab", False), ("a\n", True), ("a\nUs", True), ("a\nUser: b", True), ("\nX", False)],
)
def test_text_is_held_only_while_a_stop_string_may_follow(text: str, may: bool) -> None:
    stops = Stops(tokenizer=None, end_tokens=frozenset(), strings=("\nUser",), window=9)
    assert stops.may_follow(text) == may
