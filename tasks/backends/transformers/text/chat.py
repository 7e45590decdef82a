from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from jinja2 import TemplateError

from .....protocol.errors import RowError
from ....base import TaskOutput
from ....text.chat import ChatInput, Message
from ....text.form_grammars import form_grammar, library, schema_of
from ....text.generation import GenerationOutput
from ....text.tool_use import Tool, ToolCall
from ..generation.continuous_writer import ContinuousWriter
from ..generation.generate import Completion
from ..generation.parameters import Parameters
from ..generation.writer import Prompt
from .tool_forms import CallForm, FoundCall, form_of, grammar_of


class Chat(ContinuousWriter):
    """An AutoModelForCausalLM behind its tokenizer's chat template."""

    auto_class = "AutoModelForCausalLM"

    def load_processor(self) -> None:
        """Load the tokenizer. Raises ValueError when it has no chat template."""
        super().load_processor()
        if not self.tokenizer.chat_template:
            raise ValueError(f"{self.source} has no chat template; it can do text-generation")

    def encode(self, row: ChatInput) -> list[int]:
        """The conversation as the template writes it, up to where the assistant speaks."""
        messages = [_templated(message) for message in row.messages[0]]
        last = messages[-1]
        goes_on = last["role"] == "assistant" and "tool_calls" not in last
        tools = [_described(tool) for tool in row.called] or None
        if tools or any("tool_calls" in message for message in messages):
            self._call_form(tools)  # a template would leave them out without a word
        try:
            tokens: list[int] = self.tokenizer.apply_chat_template(
                messages,
                tools=tools,
                add_generation_prompt=not goes_on,
                continue_final_message=goes_on,
                return_dict=False,
            )
        except (TemplateError, ValueError) as error:  # as templates refuse roles and their order
            raise RowError(f"the model's chat template refuses the messages: {error}") from None
        return tokens

    def formed(self, row: ChatInput, parameters: Parameters) -> Parameters:
        """How a row is written: calls that are certain, or strict, follow a grammar."""
        tools = row.called
        if not tools:
            return super().formed(row, parameters)
        form = self._call_form(tools)
        certain, wanted = row.calls_are_certain, row.structured_outputs
        parameters = replace(parameters, opening=form.mark(self.tokenizer, at_once=certain))
        forms = row.forms()
        if not forms:
            return parameters
        grammar = grammar_of(
            form,
            self.tokenizer,
            _chosen(row),
            several=row.parallel_tool_calls is not False,
            certain=certain,
            content=schema_of(wanted) if wanted else None,
        )
        written = library("tools").LLMatcher.grammar_from_lark(grammar)
        try:
            return self.held_to(written, "tools", parameters)
        except RowError:
            for field, each in forms.items():  # each alone, so that the one at fault is named
                self.held_to(form_grammar(each, field), field, parameters)
            raise

    def output(self, row: ChatInput, prompt: Prompt, completion: Completion) -> TaskOutput:
        """A row's answer, with the calls that are in it."""
        output = super().output(row, prompt, completion)
        if not row.called:
            return output
        assert isinstance(output, GenerationOutput)
        [generation] = output.generations
        form, said = self._call_form(row.called), self._raw(row, completion)
        text, calls = _read(form, said, {tool["function"]["name"] for tool in row.called})
        if not calls:
            return output
        if row.parallel_tool_calls is False:
            calls = calls[:1]
        for mark in self.tokenizer.all_special_tokens:
            text = text.replace(mark, "")
        ended = {"finish_reason": "tool_calls"} if completion.finish_reason == "stop" else {}
        told = {"text": text, "tool_calls": _told(calls, prompt.tokens), **ended}
        return output.model_copy(update={"generations": [generation.model_copy(update=told)]})

    def _call_form(self, tools: Any) -> CallForm:
        template = self.tokenizer.get_chat_template(tools=tools)
        return form_of(template)

    def _raw(self, row: ChatInput, completion: Completion) -> str:
        """What the model said, marks of calls included."""
        said: str = self.tokenizer.decode(completion.ids, skip_special_tokens=False)
        for mark in self.tokenizer.all_special_tokens:
            said = said.removesuffix(mark)
        return said[: min((at for s in row.stop if (at := said.find(s)) >= 0), default=None)]


def _read(form: CallForm, said: str, names: set[str]) -> tuple[str, list[FoundCall]]:
    """The text before the calls, and the calls; none where one is of no tool or no form."""
    places = [at for opening in form.opening if (at := said.find(opening)) >= 0]
    if not places:
        return said, []
    before = said[: min(places)].rstrip()
    if form.at_start and before:
        return said, []
    calls = form.calls(said[min(places) :])
    if calls is None or any(call.name not in names for call in calls):
        return said, []
    return before, calls


def _chosen(row: ChatInput) -> list[Tool]:
    choice = row.tool_choice
    if not isinstance(choice, dict):
        return row.called
    return [t for t in row.called if t["function"]["name"] == choice["function"]["name"]]


def _told(calls: list[FoundCall], prompt: list[int]) -> tuple[ToolCall, ...]:
    """Calls with ids: nine letters and digits, which Mistral's templates insist on. They follow
    from the conversation, so that a job that is run again says the same.
    """
    seed = hashlib.sha256(str(prompt).encode())
    told: list[ToolCall] = []
    for number, call in enumerate(calls):
        seed.update(str(number).encode())
        arguments = json.dumps(call.arguments, ensure_ascii=False)
        function: Any = {"name": call.name, "arguments": arguments}
        told.append({"id": seed.hexdigest()[:9], "type": "function", "function": function})
    return tuple(told)


def _described(tool: Tool) -> dict[str, Any]:
    """A tool as templates write it: without what is for the decoder alone."""
    function = {name: value for name, value in tool["function"].items() if value is not None}
    function.pop("strict", None)
    function.setdefault("parameters", {"type": "object", "properties": {}})
    return {"type": "function", "function": function}


def _templated(message: Message) -> dict[str, Any]:
    """A message as templates take it: text alone, and arguments as objects."""
    made: dict[str, Any] = {"role": message["role"], "content": _text(message)}
    for name in ("tool_call_id", "name"):
        if message.get(name) is not None:
            made[name] = message.get(name)
    if calls := message.get("tool_calls"):
        made["tool_calls"] = [_call(call) for call in calls]
    return made


def _call(call: ToolCall) -> dict[str, Any]:
    function = call["function"]
    try:
        arguments = json.loads(function["arguments"] or "{}")
    except ValueError:
        raise RowError(f"messages: the arguments of the call {call['id']!r} are no JSON") from None
    named = {"name": function["name"], "arguments": arguments}
    return {"id": call["id"], "type": "function", "function": named}


def _text(message: Message) -> str:
    """A message's text parts as one text: many templates take nothing else."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content)
