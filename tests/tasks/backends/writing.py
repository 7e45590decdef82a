"""What the tests of tasks that write share."""

from __future__ import annotations

from typing import Any

from wherry.tasks.create import LocalTask
from wherry.tasks.text.generation import Generation, GenerationOutput

#: Of different lengths, so that a batch needs padding.
PROMPTS = [
    "the quick brown fox",
    "hello",
    "a photo of a cat and a dog beside",
    "my name is ada and i live in london what",
]


def written(task: LocalTask, **fields: Any) -> list[Generation]:
    """One generation a row."""
    output = task.process(task.task.input.validated(fields))
    assert isinstance(output, GenerationOutput)
    return output.generations


def texts(task: LocalTask, **fields: Any) -> list[str]:
    """The generated texts."""
    return [generation.text for generation in written(task, **fields)]


def own_tokens(task: LocalTask, text: str, count: int, **arguments: Any) -> list[int]:
    """What an encoder-decoder itself makes of one text: a plain generate, nothing padded."""
    backend: Any = task.backend
    tokens = backend.tokenizer(text, return_tensors="pt")
    row: list[int] = backend.model.generate(**tokens, max_new_tokens=count, **arguments)[0].tolist()
    return row[1:]


def own_text(task: LocalTask, text: str, count: int, **arguments: Any) -> str:
    """The same as text."""
    backend: Any = task.backend
    tokens = own_tokens(task, text, count, **arguments)
    decoded: str = backend.tokenizer.decode(tokens, skip_special_tokens=True)
    return decoded
