"""Rows that join and leave a running batch, against the same rows in a batch of their own."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from wherry.protocol.errors import RowError, WherryError
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.device import Device
from wherry.tasks.backends.transformers.generation import continuous
from wherry.tasks.backends.transformers.generation.continuous_loop import Loop
from wherry.tasks.text.generation import Generation, GenerationOutput
from wherry.tasks.text.text_generation import TextGenerationInput
from wherry.tasks.text.tokens import Listener, Token

from .. import mixed

PROMPTS = ["the boat is", "a wherry waits at the stairs for", "one", "hello"]

#: Seconds after which a test that waits has failed.
TIMEOUT_S = 20

Rows = list[TextGenerationInput]


@pytest.fixture(scope="module")
def load(tiny_model: Callable[[str], Path]) -> Iterator[Callable[..., Any]]:
    with ExitStack() as closing:

        def loaded(model: str = "chat", **parameters: Any) -> Any:
            backend = create_backend(
                "transformers",
                "text-generation",
                str(tiny_model(model)),
                device=Device("cpu"),
                **parameters,
            )
            backend.load()
            closing.callback(backend.close)
            return backend

        yield loaded


@pytest.fixture(scope="module")
def running(load: Callable[..., Any]) -> Any:
    return load(continuous=True)


@pytest.fixture(scope="module")
def alone(load: Callable[..., Any]) -> Any:
    return load()


def rows(*prompts: str, **parameters: Any) -> Rows:
    asked = {"texts": list(prompts) or PROMPTS, "max_new_tokens": 20, **parameters}
    return TextGenerationInput.validated(asked).rows()


def said(
    backend: Any, asked: Rows, listeners: list[Listener | None] | None = None
) -> list[Generation]:
    generations = []
    for answer in backend.stream(asked, listeners or [None] * len(asked)):
        assert isinstance(answer, GenerationOutput), answer
        generations += answer.generations
    return generations


class Ear:
    """Hears tokens, up to a number."""

    def __init__(self, patience: int = 10_000) -> None:
        self.tokens: list[Token] = []
        self._patience = patience

    def __call__(self, token: Token) -> bool:
        self.tokens.append(token)
        return len(self.tokens) < self._patience


@contextmanager
def before_each_step(backend: Any, act: Callable[[int], None]) -> Iterator[None]:
    """Call `act` with the number of the forward, counted from 1, in the thread that computes."""
    done = 0

    def count(*_: Any) -> None:
        nonlocal done
        done += 1
        act(done)

    hook = backend.model.register_forward_pre_hook(count)
    try:
        yield
    finally:
        hook.remove()


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"repetition_penalty": 1.5},
        {"do_sample": True, "seed": 5, "temperature": 0.8},
        {"do_sample": True, "seed": 6, "top_k": 5, "top_p": 0.9, "repetition_penalty": 1.2},
        {"stop": ["a", "e"]},
        {"num_beams": 2},
    ],
)
def test_rows_say_what_they_say_in_a_batch_of_their_own(
    running: Any, alone: Any, parameters: dict[str, Any]
) -> None:
    asked = rows(**parameters)
    assert said(running, asked) == said(alone, asked)


def test_learned_positions_hold(load: Callable[..., Any]) -> None:
    running, alone = (load("text-generation-gpt2", continuous=on) for on in (True, False))
    assert said(running, rows()) == said(alone, rows())


@pytest.mark.parametrize("drawn", [{}, {"do_sample": True, "seed": 5}])
def test_rows_wait_and_make_way_in_a_small_cache(
    load: Callable[..., Any], alone: Any, drawn: dict[str, Any]
) -> None:
    """Of 12 rows of two pages each, four pages hold four beginnings and two ends."""
    small = load(continuous=True, cache_tokens=128, step_tokens=8)
    asked = rows(*PROMPTS * 3, max_new_tokens=50, **drawn)
    assert said(small, asked) == said(alone, asked)


def test_a_row_longer_than_the_cache_is_written_alone(load: Callable[..., Any], alone: Any) -> None:
    small = load(continuous=True, cache_tokens=32)
    steps: list[int] = []
    asked = rows(max_new_tokens=40)
    with before_each_step(small, steps.append):
        assert said(small, asked) == said(alone, asked)
    assert len(steps) <= 40, "one batch, with no step of the running one"


def test_rows_of_different_requests_share_steps(running: Any, alone: Any) -> None:
    """What a worker's threads bring: their own parameters, lengths and draws."""
    requests = [
        rows("the boat is", max_new_tokens=30),
        rows("one", "hello", max_new_tokens=5, stop=["x"]),
        rows("a wherry waits", max_new_tokens=17, do_sample=True, seed=3),
    ]
    ready = threading.Barrier(len(requests))

    def ask(asked: Rows) -> list[Generation]:
        ready.wait(TIMEOUT_S)
        return said(running, asked)

    with ThreadPoolExecutor(len(requests)) as pool:
        answers = list(pool.map(ask, requests))
    assert answers == [said(alone, asked) for asked in requests]


def test_a_short_row_that_comes_later_ends_first(
    running: Any, alone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, joined, answered = (threading.Event() for _ in range(3))
    add = Loop.add

    def noted(self: Loop, row: Any) -> bool:
        added = add(self, row)
        if row.budget == 3:
            joined.set()
        return added

    def gate(step: int) -> None:
        if step == 5:
            begun.set()
            assert joined.wait(TIMEOUT_S)
        if step == 15:  # the long row is held here, until the short one has been answered
            assert answered.wait(TIMEOUT_S), "the short row waits for the long one"

    monkeypatch.setattr(Loop, "add", noted)
    long, short = rows("the boat is", max_new_tokens=50), rows("one", max_new_tokens=3)
    with before_each_step(running, gate), ThreadPoolExecutor(1) as pool:
        first = pool.submit(said, running, long)
        assert begun.wait(TIMEOUT_S)
        second = said(running, short)
        assert not first.done()
        answered.set()
        assert first.result(TIMEOUT_S) == said(alone, long)
    assert second == said(alone, short)


def test_the_device_is_let_go_between_steps(running: Any) -> None:
    turn = running.device.turn
    said(running, rows("one", max_new_tokens=7))
    assert running.device.turn - turn == 7


@pytest.mark.parametrize("drawn", [{}, {"do_sample": True, "seed": 5, "repetition_penalty": 1.3}])
def test_tokens_are_told_as_in_a_batch_of_their_own(
    running: Any, alone: Any, drawn: dict[str, Any]
) -> None:
    asked = rows(**drawn)
    heard = {backend: [Ear() for _ in asked] for backend in (running, alone)}
    for backend, ears in heard.items():
        said(backend, asked, [ears[0], None, *ears[2:]])
    for mine, other in zip(heard[running], heard[alone], strict=True):
        assert [(t.id, t.text) for t in mine.tokens] == [(t.id, t.text) for t in other.tokens]
        assert [t.logprob for t in mine.tokens] == pytest.approx(
            [t.logprob for t in other.tokens], abs=1e-4
        )
    assert len(heard[running][0].tokens) > 5
    assert not heard[running][1].tokens


def test_a_stop_string_is_never_told(running: Any, alone: Any) -> None:
    plain = said(alone, rows())[0].text
    stop = plain[4:6]
    ear = Ear()
    (answer, *_) = said(running, rows(stop=[stop]), [ear, None, None, None])
    assert answer.finish_reason == "stop"
    assert answer.text == plain[: plain.index(stop)]
    assert answer.text == "".join(token.text for token in ear.tokens)


def test_a_row_leaves_when_its_listener_has_had_enough(running: Any, alone: Any) -> None:
    asked = rows(max_new_tokens=40)
    ear = Ear(patience=2)
    answers = said(running, asked, [None, ear, None, None])
    assert len(ear.tokens) == 2
    own = said(alone, asked)
    assert [answers[0], *answers[2:]] == [own[0], *own[2:]], "the others go on"
    widths: list[int] = []
    hook = running.model.register_forward_pre_hook(
        lambda _, __, given: widths.append(given["input_ids"].shape[1]), with_kwargs=True
    )
    try:
        said(running, asked[:1], [Ear(patience=3)])
        said(running, rows("one", max_new_tokens=20))
    finally:
        hook.remove()
    assert set(widths[-15:]) == {1}, "no step moves it on beside the next one"


def test_a_bad_row_fails_alone(running: Any) -> None:
    good, bad = rows("one")[0], rows("one " * 100)[0]
    answers = running.run([good, bad, good])
    assert isinstance(answers[1], RowError)
    assert answers[0] == answers[2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_step_that_raises_once_is_made_good(running: Any, alone: Any) -> None:
    def fail(step: int) -> None:
        if step == 4:
            raise RuntimeError("the device hiccups")

    ears = [Ear() for _ in PROMPTS]
    with before_each_step(running, fail):
        assert said(running, rows(), list(ears)) == said(alone, rows())
    unbroken = [Ear() for _ in PROMPTS]
    said(alone, rows(), list(unbroken))
    ids = [[token.id for token in ear.tokens] for ear in ears]
    assert ids == [[token.id for token in ear.tokens] for ear in unbroken], "each is told once"


def test_a_model_that_raises_fails_its_rows_and_the_next_are_written(
    running: Any, alone: Any
) -> None:
    def fail(step: int) -> None:  # all alike
        raise RuntimeError("the model is broken")

    said(running, rows("one"))  # a thread starts with the first row
    threads = loops()
    with before_each_step(running, fail), pytest.raises(RuntimeError, match="broken"):
        said(running, rows())
    steps: list[int] = []
    with before_each_step(running, steps.append):
        assert said(running, rows("one")) == said(alone, rows("one"))
    assert steps
    assert loops() == threads, "a new thread, and the old one is gone"


def test_rows_of_a_thread_that_dies_in_silence_are_written(
    running: Any, alone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: Any, *_: Any) -> None:
        self.background_thread_status.request_stop(2, 0)

    monkeypatch.setattr(Loop, "_handle_critical_error", die)
    asked = rows("one", max_new_tokens=9)

    def fail(step: int) -> None:
        if step == 2:
            raise RuntimeError

    with before_each_step(running, fail):
        assert said(running, asked) == said(alone, asked)


def test_rows_of_a_thread_that_does_nothing_are_written(
    running: Any, alone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(running, rows("one"))
    idle = threading.Event()

    def body(self: Loop, *_: Any, **__: Any) -> bool:
        idle.wait(0.01)
        return bool(self.background_thread_status.local_status == 0)

    monkeypatch.setattr(continuous, "_LOOK_S", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_generation_loop_body", body)
        assert said(running, rows("hello")) == said(alone, rows("hello"))
    steps: list[int] = []
    with before_each_step(running, steps.append):
        said(running, rows("hello", max_new_tokens=2))
    assert len(steps) == 2, "the next row has a thread that works"


def test_closing_ends_the_thread_and_fails_what_runs(load: Callable[..., Any]) -> None:
    threads = loops()
    running = load(continuous=True)
    begun, closing = threading.Event(), threading.Event()

    def gate(step: int) -> None:
        if step == 3:
            begun.set()
            assert closing.wait(TIMEOUT_S)

    assert loops() == threads + 1
    with ThreadPoolExecutor(1) as pool, before_each_step(running, gate):
        asked = pool.submit(running.run, rows())
        assert begun.wait(TIMEOUT_S)
        closed = threading.Thread(target=running.close)
        closed.start()
        closing.set()
        closed.join(TIMEOUT_S)
        with pytest.raises(WherryError, match="closed"):
            asked.result(TIMEOUT_S)
    assert loops() == threads


def test_a_model_with_rules_of_its_own_is_refused(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "ruled"
    shutil.copytree(tiny_model("chat"), folder)
    rules = {"eos_token_id": 2, "no_repeat_ngram_size": 3}
    (folder / "generation_config.json").write_text(json.dumps(rules))
    backend = create_backend(
        "transformers", "chat", str(folder), device=Device("cpu"), continuous=True
    )
    with pytest.raises(ModelRefused, match="cannot be batched continuously: it needs NoRepeatNGra"):
        backend.load()


@pytest.mark.parametrize(
    "kind",
    [
        *("lfm2", "stablelm"),
        *(
            pytest.param(kind, marks=pytest.mark.slow)
            for kind in ("jamba", "qwen3_5_text", "qwen3_next", "recurrent_gemma")
        ),
    ],
)
def test_a_model_that_keeps_what_it_read_in_another_way_is_refused(
    kind: str, tmp_path: Path
) -> None:
    folder = str(mixed.writer(kind, tmp_path))
    backend = create_backend(
        "transformers", "text-generation", folder, device=Device("cpu"), continuous=True
    )
    threads = loops()
    with pytest.raises(ModelRefused, match="cannot be batched continuously") as refused:
        backend.load()
    assert "leave `continuous` out" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert loops() == threads


def loops() -> int:
    return sum(thread.name == "continuous batching" for thread in threading.enumerate())
