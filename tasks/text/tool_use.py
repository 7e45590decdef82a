"""Tools: functions that a chat model may ask its caller to call, in OpenAI's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,  # pydantic wants these before Python 3.12
)

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from .structured_outputs import check_size

#: Tools of one conversation.
MAX_TOOLS = 128

_STRICT = ConfigDict(extra="forbid", strict=True)

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class Function(TypedDict):
    """What may be called; `parameters` is a JSON schema of its arguments."""

    __pydantic_config__ = _STRICT  # type: ignore[misc] # pydantic's way

    name: Name
    description: NotRequired[str | None]
    parameters: NotRequired[dict[str, Any] | None]
    strict: NotRequired[bool | None]


class Tool(TypedDict):
    """A tool of the one kind there is."""

    __pydantic_config__ = _STRICT  # type: ignore[misc] # pydantic's way

    type: Literal["function"]
    function: Function


class NamedFunction(TypedDict):
    """Which function."""

    name: str


class NamedTool(TypedDict):
    """The tool that is to be called."""

    type: Literal["function"]
    function: NamedFunction


ToolChoice = Literal["none", "auto", "required"] | NamedTool


class FunctionCall(TypedDict):
    """A call: `arguments` is JSON text."""

    name: str
    arguments: str


class ToolCall(TypedDict):
    """What the model wants called; the answer to it names its id."""

    id: str
    type: Literal["function"]
    function: FunctionCall


#: The arguments of a tool that says nothing of them: none.
_NO_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {},
    "additionalProperties": False,
}


def parameters_of(tool: Tool) -> dict[str, Any]:
    """The JSON schema of a tool's arguments: an object, be it said or not."""
    given = tool["function"].get("parameters")
    return {"type": "object", **given} if given else _NO_PARAMETERS


def _check_parameters(tools: Sequence[Tool]) -> None:
    for place, tool in enumerate(tools):
        kind = parameters_of(tool)["type"]
        if kind != "object":
            raise ValueError(
                f"tools.{place}.function.parameters.type: arguments are an object, not {kind!r:.64}"
            )


def check_tools(tools: Sequence[Tool] | None, choice: ToolChoice | None) -> None:
    """Raise ValueError for tools that cannot be told apart, or a choice that is none of them."""
    names = [tool["function"]["name"] for tool in tools or ()]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"tools: two of the name {twice[0]!r}")
    if tools:
        try:
            check_size(tools)
        except ValueError as error:
            raise ValueError(f"tools: {error}") from None
    _check_parameters(tools or ())
    if choice in (None, "none", "auto"):
        return
    if not names:
        raise ValueError("tool_choice: there are no tools")
    if isinstance(choice, dict) and choice["function"]["name"] not in names:
        name = choice["function"]["name"][:64]
        raise ValueError(f"tool_choice: no tool has the name {name!r}; they are {', '.join(names)}")
