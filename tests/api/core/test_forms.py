"""Forms that are looked at before they are queued: never on the event loop, and never for long."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import to_json

from wherry.api.core import forms, intake
from wherry.api.core.envelope import Envelope
from wherry.api.core.intake import Intake
from wherry.api.egress.outbound import Outbound
from wherry.api.settings import ApiSettings
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.models_file import load_catalog
from wherry.tasks.text.chat import ChatInput
from wherry.tasks.text.form_grammars import form_grammar

#: Takes the library a third of a second of a processor, and is then refused.
BOMB = {"allOf": [{"type": "string", "pattern": f"^.*{i}.{{20}}$"} for i in range(40)]}


def tool(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": schema}}


@pytest.fixture
def make_intake(models_file: Path) -> Intake:
    api = ApiSettings(models=models_file)
    return Intake(load_catalog(models_file), api, Outbound(api))


@pytest.mark.parametrize(("form", "in_loop"), [({"choice": ["a"]}, False), (None, True)])
def test_the_event_loop_checks_no_form(
    make_intake: Intake, monkeypatch: pytest.MonkeyPatch, form: Any, in_loop: bool
) -> None:
    threads: list[int] = []
    monkeypatch.setattr(intake, "check_forms", lambda _: threads.append(threading.get_ident()))
    text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
    given = {"structured_outputs": form} if form else {}
    body = to_json({"inputs": [text], "parameters": given, "outputs": [{"name": "text"}]})
    asyncio.run(make_intake.read(body, None, "text-generation", None, Envelope()))
    assert [thread == threading.get_ident() for thread in threads] == [in_loop]


def test_all_forms_of_a_request_together_are_looked_at_for_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[int] = []

    def fault_of(grammar: str) -> str:
        looked.append(len(grammar))
        return ""

    monkeypatch.setattr(forms, "fault_of", fault_of)
    tools = [tool(f"t{number}", {**BOMB, "title": str(number)}) for number in range(16)]
    given = {"messages": [[{"role": "user", "content": "a"}]], "tools": tools}
    forms.check_forms(ChatInput.validated({**given, "tool_choice": "required"}))
    assert looked
    assert sum(looked) <= 4096


def test_a_form_that_would_take_long_is_refused_and_holds_no_other_thread_up() -> None:
    from llguidance import LLMatcher

    grammar = form_grammar({"json": BOMB}, "form")
    ended = threading.Event()

    def look() -> None:
        assert LLMatcher.validate_grammar(grammar)
        ended.set()

    thread, turns = threading.Thread(target=look), 0
    thread.start()
    while not ended.is_set():
        time.sleep(0)  # a turn of this thread, in which it holds the interpreter
        turns += 1
    thread.join()
    assert turns > 10


def test_what_the_library_refuses_is_refused_before_it_is_queued() -> None:
    given = {"messages": [[{"role": "user", "content": "a"}]]}
    with pytest.raises(InvalidRequest, match=r"^structured_outputs: "):
        forms.check_forms(ChatInput.validated({**given, "structured_outputs": {"json": BOMB}}))
