"""Frameworks over OpenAI's protocol: `structured_frameworks_client.py URL FRAMEWORK`.

Runs in an environment that holds that framework and not Wherry; prints a line of JSON per call.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Literal

from pydantic import BaseModel, Field

URL, FRAMEWORK = sys.argv[1:3]
OUT, sys.stdout = sys.stdout, sys.stderr  # some frameworks print
BASE = f"{URL}/v1"
ASKED = "Ada is 36 and lives in London. Answer as JSON."
os.environ["OPENAI_API_KEY"] = "none"


class Person(BaseModel):
    """Somebody."""

    name: str = Field(max_length=8)
    age: int = Field(ge=0, le=120)
    city: Literal["Paris", "London"]


class GetWeather(BaseModel):
    """The weather of a place."""

    city: Literal["Paris", "London"]


def langchain():
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(model="chat", base_url=BASE, api_key="none", max_retries=0, max_tokens=400)
    hermes = ChatOpenAI(model="hermes", base_url=BASE, api_key="none", max_tokens=400)
    yield (
        "with_structured_output",
        lambda: chat.with_structured_output(Person).invoke(ASKED).model_dump(),
    )
    yield (
        "with_structured_output, function_calling",
        lambda: (
            hermes.with_structured_output(Person, method="function_calling")
            .invoke(ASKED)
            .model_dump()
        ),
    )
    bound = hermes.bind_tools([GetWeather], tool_choice="any")
    yield "bind_tools", lambda: [call["args"] for call in bound.invoke(ASKED).tool_calls]

    def streamed():
        whole: Any = None
        for part in bound.stream(ASKED):
            whole = part if whole is None else whole + part
        return [call["args"] for call in whole.tool_calls]

    yield "bind_tools, streamed", streamed


def pydantic_ai():
    from pydantic_ai import Agent, NativeOutput
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(base_url=BASE, api_key="none")
    settings = {"max_tokens": 400}
    chat, hermes = (OpenAIChatModel(name, provider=provider) for name in ("chat", "hermes"))

    def run(model, kind):
        agent = Agent(model, output_type=kind, model_settings=settings)
        return agent.run_sync(ASKED).output.model_dump()

    yield "Agent, NativeOutput", lambda: run(chat, NativeOutput(Person))
    yield "Agent, output by a tool", lambda: run(hermes, Person)
    responses = OpenAIResponsesModel("chat", provider=provider)
    yield "Agent, responses", lambda: run(responses, NativeOutput(Person))


def instructor():
    import instructor
    import openai

    def create(model, mode):
        client = instructor.from_openai(openai.OpenAI(base_url=BASE, api_key="none"), mode=mode)
        return client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": ASKED}],
            response_model=Person,
            max_tokens=400,
            max_retries=0,
        ).model_dump()

    yield "TOOLS", lambda: create("hermes", instructor.Mode.TOOLS)
    yield "JSON_SCHEMA", lambda: create("chat", instructor.Mode.JSON_SCHEMA)


def outlines():
    import openai
    import outlines
    from outlines.types import Regex

    client = openai.OpenAI(base_url=BASE, api_key="none")
    model = outlines.from_openai(client, "chat")
    yield (
        "from_openai, a model of pydantic",
        lambda: json.loads(model(ASKED, Person, max_tokens=200)),
    )
    vllm = outlines.from_vllm(client, "chat")
    yield "from_vllm, a model of pydantic", lambda: json.loads(vllm(ASKED, Person, max_tokens=200))
    yield "from_vllm, a choice", lambda: vllm(ASKED, Literal["yes", "no"], max_tokens=20)
    yield "from_vllm, a regular expression", lambda: vllm(ASKED, Regex("[ab]{3}"), max_tokens=20)


def smolagents():
    from smolagents import OpenAIModel, tool

    @tool  # type: ignore[untyped-decorator, unused-ignore] # where it is not installed
    def get_time() -> str:
        """Tell what time it is."""
        return "noon"

    model = OpenAIModel(model_id="llama", api_base=BASE, api_key="none", max_tokens=1500)
    said = [{"role": "user", "content": [{"type": "text", "text": ASKED}]}]
    yield (
        "OpenAIModel.generate, tools",
        lambda: [
            [call.function.name, call.function.arguments]
            for call in model.generate(said, tools_to_call_from=[get_time]).tool_calls
        ],
    )


CALLS: dict[str, Any] = {
    "langchain": langchain,
    "pydantic-ai": pydantic_ai,
    "instructor": instructor,
    "outlines": outlines,
    "smolagents": smolagents,
}

for name, call in CALLS[FRAMEWORK]():
    try:
        line = {"call": name, "saw": call(), "failed": ""}
    except Exception as error:
        line = {"call": name, "saw": None, "failed": f"{type(error).__name__}: {error}"[:1000]}
    print(json.dumps(line), flush=True, file=OUT)
