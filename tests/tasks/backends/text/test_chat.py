"""Chat against transformers' own pipeline, conversation by conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import transformers as hf

from wherry.protocol.errors import InvalidRequest, RowError
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.chat import ChatInput, ChatOutput

from ..writing import texts, written

CONVERSATIONS: list[list[dict[str, Any]]] = [
    [{"role": "user", "content": "hello"}],
    [
        {"role": "system", "content": "my name is ada"},
        {"role": "user", "content": "what is the capital of france"},
    ],
    [
        {"role": "user", "content": "a photo"},
        {"role": "assistant", "content": "of a cat"},
        {"role": "user", "content": "and a dog"},
    ],
    [{"role": "user", "content": "how are you"}, {"role": "assistant", "content": "i live in"}],
]


@pytest.fixture
def folder(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model("chat")


@pytest.fixture
def task(folder: Path) -> Iterator[LocalTask]:
    with create_task("transformers", "chat", str(folder)) as made:
        yield made


def test_a_batch_says_what_the_pipeline_says_to_each(task: LocalTask, folder: Path) -> None:
    """The last conversation ends with the assistant: both go on with its words."""
    pipeline = hf.pipeline("text-generation", model=str(folder))
    own = [
        pipeline(messages, max_new_tokens=8, do_sample=False, return_full_text=False)
        for messages in CONVERSATIONS
    ]
    together = texts(task, messages=CONVERSATIONS, max_new_tokens=8)
    assert together == [answer[0]["generated_text"] for answer in own]
    assert len(set(together)) == len(CONVERSATIONS)


def test_text_parts_are_lines_of_one_text(task: LocalTask) -> None:
    parts = [{"type": "text", "text": "hello"}, {"type": "text", "text": "dog"}]
    conversations = [[{"role": "user", "content": content}] for content in (parts, "hello\ndog")]
    in_parts, as_text = written(task, messages=conversations, max_new_tokens=6)
    assert in_parts == as_text


def test_tokens_of_the_template_count_as_the_prompts(task: LocalTask) -> None:
    (row,) = written(task, messages=CONVERSATIONS[:1], max_new_tokens=2)
    assert row.prompt_tokens == 4  # role, hello, end, role
    assert row.completion_tokens == 2


def test_what_the_template_refuses_fails_alone(task: LocalTask) -> None:
    tokenizer: Any = task.backend.tokenizer  # type: ignore[attr-defined] # transformers' backends have one
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "{{ messages[0]['content'] }}"
    )
    batch = ChatInput.validated({"messages": CONVERSATIONS[:3], "max_new_tokens": 2})
    first, refused, last = task.backend.run(batch.rows())
    assert isinstance(refused, RowError)
    assert refused.message == "the model's chat template refuses the messages: no system role"
    assert isinstance(first, ChatOutput)
    assert isinstance(last, ChatOutput)


def test_a_model_without_template_cannot_chat(tiny_model: Callable[[str], Path]) -> None:
    folder = tiny_model("text-generation-gpt2")
    with pytest.raises(ValueError, match="no chat template; it can do text-generation"):
        create_task("transformers", "chat", str(folder))


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "robot", "content": "x"}],
        [{"role": "user"}],
        [{"role": "user", "content": [{"type": "image", "image": "x"}]}],
        [{"role": "user", "content": "x", "weight": 1}],
    ],
)
def test_odd_messages_are_refused(messages: list[Any]) -> None:
    with pytest.raises(InvalidRequest, match="messages"):
        ChatInput.validated({"messages": [messages]})
