"""How models write that they want tools called: found out by their chat template, and read.

Three forms are known: Hermes' (Qwen's too), Llama 3's JSON, and Mistral's lists.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

from .....protocol.errors import RowError
from ....text.form_grammars import json_rule, literal
from ....text.tool_use import Tool, parameters_of
from ..generation.veil import Opening

#: Calls of one answer that a grammar goes on with.
_MOST_CALLS = 16


class FoundCall(NamedTuple):
    """A tool's name and its arguments."""

    name: str
    arguments: dict[str, Any]


class CallForm(ABC):
    """A form of calls."""

    #: What calls begin with; the first is what a grammar writes.
    opening: ClassVar[tuple[str, ...]]
    at_start: ClassVar[bool] = False
    #: What a call's arguments are called.
    arguments: ClassVar[str] = "arguments"
    several: ClassVar[bool] = True

    def mark(self, tokenizer: Any, *, at_once: bool) -> Opening:
        """What a listener does not hear from."""
        tokens = [own_token(tokenizer, text) for text in self.opening]
        ids = frozenset(token for token in tokens if token is not None)
        return Opening(self.opening, ids, self.at_start, at_once)

    @abstractmethod
    def calls(self, text: str) -> list[FoundCall] | None:
        """The calls in a text from its opening on; None where they are not of this form."""

    @abstractmethod
    def rule(self, tokenizer: Any, *, several: bool) -> str:
        """The grammar's rule of calls, each of them `call`."""

    @abstractmethod
    def text_rule(self, tokenizer: Any) -> str:
        """The grammar's terminal of a text that has no call."""


class Hermes(CallForm):
    """`<tool_call>` and JSON, once a call."""

    opening = ("<tool_call>",)
    _CLOSING = "</tool_call>"

    def calls(self, text: str) -> list[FoundCall] | None:
        """Each between its marks; the last mark may be missing."""
        parts = text.split(self.opening[0])[1:]
        return _read_all([part.split(self._CLOSING)[0] for part in parts], self.arguments)

    def rule(self, tokenizer: Any, *, several: bool) -> str:
        """One a line."""
        opened, closed = (_marked(tokenizer, text) for text in (self.opening[0], self._CLOSING))
        more = f' ("\\n" marked){{0,{_MOST_CALLS - 1}}}' if several else ""
        return f'calls: marked{more}\nmarked: {opened} "\\n" call "\\n" {closed}\n'

    def text_rule(self, tokenizer: Any) -> str:
        """Anything that has no mark in it."""
        return _without(tokenizer, self.opening[0])


class Llama(CallForm):
    """One object, which is all of the text."""

    opening = ("{", "<|python_tag|>")
    at_start = True
    arguments = "parameters"
    several = False

    def calls(self, text: str) -> list[FoundCall] | None:
        """The one; some are taught to put several behind semicolons."""
        text = text.removeprefix("<|python_tag|>").strip()
        found, reader = [], json.JSONDecoder()
        while text:
            try:
                value, end = reader.raw_decode(text)
            except ValueError:
                return None
            found.append(value)
            text = text[end:].lstrip(" ;\n")
        return _named(found, "parameters", "arguments")

    def rule(self, tokenizer: Any, *, several: bool) -> str:  # noqa: ARG002 # there is one alone
        """The object."""
        return "calls: call\n"

    def text_rule(self, tokenizer: Any) -> str:  # noqa: ARG002 # it goes by the first letter
        """Anything that begins otherwise."""
        return r"TEXT: /([^{\s](.|\n)*)?/"


class Mistral(CallForm):
    """`[TOOL_CALLS]` and a list."""

    opening = ("[TOOL_CALLS]",)

    def calls(self, text: str) -> list[FoundCall] | None:
        """The list's entries."""
        text = text.removeprefix(self.opening[0]).strip()
        try:
            found, _ = json.JSONDecoder().raw_decode(text)
        except ValueError:
            return None
        return _named(found, self.arguments) if isinstance(found, list) else None

    def rule(self, tokenizer: Any, *, several: bool) -> str:
        """A list."""
        more = f' (", " call){{0,{_MOST_CALLS - 1}}}' if several else ""
        return f'calls: {_marked(tokenizer, self.opening[0])} " "? "[" call{more} "]"\n'

    def text_rule(self, tokenizer: Any) -> str:
        """Anything that has no mark in it."""
        return _without(tokenizer, self.opening[0])


def form_of(template: str) -> CallForm:
    """The form of calls that a chat template writes. Raises RowError where there is none."""
    if not re.search(r"\btools\b", template):
        raise RowError("tools: the model's chat template has none")
    if "<tool_call>" in template and not re.search(r"<function=|<arg_key>", template):
        return Hermes()
    if "[TOOL_CALLS]" in template and "[ARGS]" not in template:
        return Mistral()
    if "<|python_tag|>" in template or "Environment: ipython" in template:
        return Llama()
    raise RowError(
        "tools: the model's chat template writes calls in a form that is not read here; those of "
        "Hermes and Qwen (<tool_call> with JSON), Llama 3 (JSON) and Mistral ([TOOL_CALLS] with a "
        "list) are"
    )


def grammar_of(
    form: CallForm,
    tokenizer: Any,
    tools: Sequence[Tool],
    *,
    several: bool,
    certain: bool,
    content: dict[str, Any] | None,
) -> str:
    """The grammar, in Lark's words, of calls of these tools; unless `certain`, or of a text.

    `content` is the JSON schema of such a text, None for any.
    """
    rules = [form.rule(tokenizer, several=several and form.several)]
    names = [f"call_{place}" for place in range(len(tools))]
    rules.append(f"call: {' | '.join(names)}\n")
    for name, tool in zip(names, tools, strict=True):
        function = tool["function"]
        head = f'{{"name": {json.dumps(function["name"])}, "{form.arguments}": '
        rules.append(f"{name}: {literal(head)} args_{name} {literal('}')}\n")
        rules.append(f"args_{name}: {json_rule(parameters_of(tool))}\n")
    if certain:
        return "start: calls\n" + "".join(rules)
    if content is not None:
        return f"start: calls | content\ncontent: {json_rule(content)}\n" + "".join(rules)
    starts = "calls | TEXT" if form.at_start else "TEXT calls?"
    return f"start: {starts}\n{form.text_rule(tokenizer)}\n" + "".join(rules)


def own_token(tokenizer: Any, text: str) -> int | None:
    """The token that is just this text, where it was added to the vocabulary as such."""
    added: dict[str, int] = tokenizer.get_added_vocab()
    return added.get(text)


def _marked(tokenizer: Any, text: str) -> str:
    token = own_token(tokenizer, text)
    return literal(text) if token is None else f"<[{token}]>"


def _without(tokenizer: Any, mark: str) -> str:
    if own_token(tokenizer, mark) is not None:  # a text has no such tokens anyway
        return r"TEXT: /(.|\n)*/"
    escaped = re.sub(r"([\[\]/|\\])", r"\\\1", mark)
    return rf"TEXT: ~/(.|\n)*{escaped}(.|\n)*/"


def _read_all(parts: Sequence[str], arguments: str) -> list[FoundCall] | None:
    try:
        return _named([json.loads(part) for part in parts], arguments)
    except ValueError:
        return None


def _named(found: Sequence[Any], *arguments: str) -> list[FoundCall] | None:
    """Calls of objects that have a name and arguments; None where any has not."""
    calls = [*_calls(found, arguments)]
    return calls if calls and len(calls) == len(found) else None


def _calls(found: Sequence[Any], arguments: Sequence[str]) -> Iterator[FoundCall]:
    for value in found:
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            continue
        given = next((value[name] for name in arguments if name in value), None)
        if isinstance(given, dict):
            yield FoundCall(value["name"], given)
