"""Runs in an environment that holds openai and not Wherry: `structured_openai_client.py URL`.

Makes every call with the real client; prints a line of JSON per call: its name, what it saw.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any, Literal

import openai
from openai import pydantic_function_tool
from pydantic import BaseModel, Field

URL = sys.argv[1]
ASKED = [{"role": "user", "content": "Ada is 36 and lives in London. Answer as JSON."}]
client = openai.OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0, timeout=120)


class Person(BaseModel):
    """Somebody."""

    name: str = Field(max_length=8)
    age: int = Field(ge=0, le=120)
    city: Literal["Paris", "London"]


class GetWeather(BaseModel):
    """The weather of a place."""

    city: Literal["Paris", "London"]


TOOL = pydantic_function_tool(GetWeather)
SCHEMA = Person.model_json_schema()


def parsed():
    answer = client.chat.completions.parse(
        model="chat", messages=ASKED, response_format=Person, max_tokens=200
    )
    [choice] = answer.choices
    return [choice.message.parsed.model_dump(), choice.finish_reason]


def streamed():
    with client.chat.completions.stream(
        model="chat", messages=ASKED, response_format=Person, max_tokens=200
    ) as stream:
        kinds = {event.type for event in stream}
        message = stream.get_final_completion().choices[0].message
    return [message.parsed.model_dump(), sorted(kinds)]


def plainly(**how):
    answer = client.chat.completions.create(model="chat", messages=ASKED, max_tokens=200, **how)
    return answer.choices[0].message.content


def called(model, **how):
    answer = client.chat.completions.parse(
        model=model, messages=ASKED, tools=[TOOL], max_tokens=400, **how
    )
    [choice] = answer.choices
    calls = choice.message.tool_calls
    return [
        [call.function.parsed_arguments.model_dump() for call in calls],
        choice.finish_reason,
        [call.id for call in calls],
    ]


def called_streamed():
    stream = client.chat.completions.create(
        model="hermes",
        messages=ASKED,
        tools=[TOOL],
        tool_choice="required",
        max_tokens=400,
        stream=True,
    )
    names, ends = {}, []
    arguments: dict[int, str] = {}
    for part in stream:
        for choice in part.choices:
            for call in choice.delta.tool_calls or []:
                if call.function.name:
                    names[call.index] = [call.id, call.function.name]
                text = call.function.arguments or ""
                arguments[call.index] = arguments.get(call.index, "") + text
            ends += [choice.finish_reason] if choice.finish_reason else []
    return [list(names.values()), [json.loads(text) for text in arguments.values()], ends]


def conversed():
    first = client.chat.completions.create(
        model="hermes", messages=ASKED, tools=[TOOL], tool_choice="required", max_tokens=400
    )
    message = first.choices[0].message
    answers = [
        {"role": "tool", "tool_call_id": call.id, "content": "rain"} for call in message.tool_calls
    ]
    second = client.chat.completions.create(
        model="hermes", messages=[*ASKED, message, *answers], tools=[TOOL], max_tokens=4
    )
    return second.usage.prompt_tokens > first.usage.prompt_tokens


def responded(**how):
    answer = client.responses.create(model="chat", input="What is 2 and 2?", **how)
    return [answer.output_text, answer.status, answer.usage.output_tokens]


def responses_streamed():
    events = client.responses.create(
        model="chat", instructions="Be brief.", input="Hello", max_output_tokens=8, stream=True
    )
    seen = list(events)
    deltas = [event.delta for event in seen if event.type == "response.output_text.delta"]
    return ["".join(deltas), seen[-1].response.output_text, [event.type for event in seen]]


def responses_parsed():
    answer = client.responses.parse(
        model="chat", input=ASKED, text_format=Person, max_output_tokens=200
    )
    return answer.output_parsed.model_dump()


def responses_called():
    tool = openai.pydantic_function_tool(GetWeather)["function"]
    tool = {"type": "function", **tool}
    how = {"model": "hermes", "tools": [tool], "max_output_tokens": 400}
    first = client.responses.create(input=ASKED, tool_choice="required", **how)
    calls = [item for item in first.output if item.type == "function_call"]
    answers = [
        {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
        for call in calls
    ]
    how["max_output_tokens"] = 4
    second = client.responses.create(input=[*ASKED, *first.output, *answers], **how)
    with client.responses.stream(
        input=ASKED, tool_choice="required", model="hermes", tools=[tool], max_output_tokens=400
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    return [
        [json.loads(call.arguments) for call in calls],
        second.status,
        kinds,
        [item.name for item in final.output if item.type == "function_call"],
    ]


def an_image():
    pixel = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAA"
        "DElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
    )
    content = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{pixel}"},
    ]
    answer = client.responses.create(
        model="image-text-to-text",
        input=[{"role": "user", "content": content}],
        max_output_tokens=8,
    )
    return answer.output_text


def refused(call):
    try:
        call()
    except openai.APIStatusError as error:
        return [error.status_code, error.body.get("param"), error.body["message"]]
    raise AssertionError("not refused")


def bad(**how):
    return lambda: client.chat.completions.create(model="chat", messages=ASKED, **how)


BAD_SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "sorcery"}}}

CALLS: dict[str, Any] = {
    "chat.completions.parse": parsed,
    "chat.completions.stream, response_format": streamed,
    "chat.completions.create, json_object": lambda: plainly(
        response_format={"type": "json_object"}
    ),
    "chat.completions.create, structured_outputs of vLLM": lambda: plainly(
        extra_body={"structured_outputs": {"choice": ["yes", "no"]}}
    ),
    "chat.completions.create, guided_regex of vLLM": lambda: plainly(
        extra_body={"guided_regex": "[ab]{3}"}
    ),
    "chat.completions.create, guided_json of vLLM": lambda: plainly(
        extra_body={"guided_json": SCHEMA}
    ),
    **{
        f"chat.completions.parse, tools of {family}": partial(
            called, family, tool_choice="required"
        )
        for family in ("hermes", "llama", "mistral")
    },
    "chat.completions.parse, a named tool": lambda: called(
        "hermes", tool_choice={"type": "function", "function": {"name": "GetWeather"}}
    ),
    "chat.completions.create, tools streamed": called_streamed,
    "chat.completions.create, a tool's answer": conversed,
    "responses.create": lambda: responded(max_output_tokens=12),
    "responses.create, streamed": responses_streamed,
    "responses.parse": responses_parsed,
    "responses.create, tools": responses_called,
    "responses.create, an image": an_image,
    "errors: a bad schema": lambda: refused(bad(response_format=BAD_SCHEMA)),
    "errors: a bad schema, streamed": lambda: refused(bad(response_format=BAD_SCHEMA, stream=True)),
    "errors: a template without tools": lambda: refused(bad(tools=[TOOL])),
    "errors: responses.create, previous_response_id": lambda: refused(
        lambda: client.responses.create(model="chat", input="a", previous_response_id="resp_1")
    ),
    "errors: responses.retrieve": lambda: refused(lambda: client.responses.retrieve("resp_1")),
}

for name, call in CALLS.items():
    try:
        line = {"call": name, "saw": call(), "failed": ""}
    except Exception as error:
        line = {"call": name, "saw": None, "failed": f"{type(error).__name__}: {error}"}
    print(json.dumps(line), flush=True)
