"""Forms of the tasks that write: chat with and without an image, completion, the custom handler."""

from __future__ import annotations

from collections.abc import Sequence

from .....tasks.multimodal.custom import CustomOutput
from .....tasks.multimodal.written import WrittenOutput
from .....tasks.text.generation import Generation, GenerationOutput
from .form import EntryRequest, Form, Json, Style, TriggerEntry

_RENAMED = {"max_tokens": "max_new_tokens"}

#: Answers come whole, whatever `stream` says: a trigger has no other way to answer.
_IGNORED = ("n", "stream")

#: What the task spec takes for parameters that are left out.
_DEFAULTS = {"max_new_tokens": 50, "temperature": 0.7, "top_p": 1}


def _drawn(entry: TriggerEntry, ignored: Sequence[str] = (), **defaults: object) -> Json:
    """Parameters of generation. A temperature of 0 takes the likeliest, as beams do."""
    fields = entry.parameters(_RENAMED, (*_IGNORED, *ignored), **_DEFAULTS, **defaults)
    draws = fields["temperature"] != 0 and fields.get("num_beams") in (None, 1)
    return {"do_sample": draws, **fields}


def seeded(entry: TriggerEntry, fields: Json) -> EntryRequest:
    """A row for each answer wanted, each of its own seed."""
    seed = fields["seed"]
    seeds = [seed + index if type(seed) is int else seed for index in range(entry.count())]
    return EntryRequest([entry.row(**{**fields, "seed": seed}) for seed in seeds])


def _read_chat(entry: TriggerEntry) -> EntryRequest:
    messages = [
        {"role": message.get("role"), "content": _content(entry, message, where)}
        for where, message in entry.objects("messages")
    ]
    return seeded(entry, {"messages": [messages], **_drawn(entry, seed=0)})


def _content(entry: TriggerEntry, message: Json, where: str) -> str | list[Json]:
    """A message's text, or its parts where there are several."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    texts = []
    for place, part in entry.parts(content, f"{where}.content"):
        if part.get("type", "text") != "text":
            raise entry.refuse(
                place, "the model reads text alone; models of image-text-to-text look at images"
            )
        texts.append(_text(entry, part, place))
    return texts[0] if len(texts) == 1 else [{"type": "text", "text": text} for text in texts]


def _text(entry: TriggerEntry, part: Json, where: str) -> str:
    text = part.get("text")
    if not isinstance(text, str):
        raise entry.refuse(f"{where}.text", "expected text")
    return text


def _read_image_chat(entry: TriggerEntry) -> EntryRequest:
    """One message of a user: an image, and text beside it."""
    messages = entry.objects("messages")
    where, message = messages[0]
    images: list[bytes] = []
    texts: list[str] = []
    for place, part in entry.parts(message.get("content"), f"{where}.content"):
        if part.get("type", "text") == "text":
            texts.append(_text(entry, part, place))
        else:
            images.append(entry.image(part, place))
    role = message.get("role")
    if len(messages) > 1 or role != "user" or len(images) != 1 or not texts:
        raise entry.refuse(
            "data.messages", "the model takes one message of a user, with an image and text"
        )
    fields = {**_drawn(entry, ("seed",)), "images": images, "texts": ["\n".join(texts)]}
    return EntryRequest([entry.row(**fields)] * entry.count())


def _read_completion(entry: TriggerEntry) -> EntryRequest:
    system = entry.text("system-message") if entry.data.get("system-message") else ""
    prompt = f"{system}\n\n{entry.text('prompt')}" if system else entry.text("prompt")
    return seeded(entry, {"texts": [prompt], **_drawn(entry, seed=0)})


def _read_custom(entry: TriggerEntry) -> EntryRequest:
    """The data itself, and the parameters beside it where handlers look for them."""
    if entry.parameter and "parameters" in entry.data:
        raise entry.refuse("data.parameters", "give it or parameter, not both")
    extra = {"parameters": entry.parameter} if entry.parameter else {}
    return EntryRequest([entry.row(data=[{**entry.data, **extra}])])


def _generations(answers: Sequence[GenerationOutput]) -> list[Generation]:
    return [answer.generations[0] for answer in answers]


def _replies(answers: Sequence[GenerationOutput], style: Style) -> Json:
    return {
        "choices": [
            _choice(index, made.finish_reason, style, message=_message(made.text))
            for index, made in enumerate(_generations(answers))
        ]
    }


def _completions(answers: Sequence[GenerationOutput], style: Style) -> Json:
    return {
        "choices": [
            _choice(index, made.finish_reason, style, content=made.text)
            for index, made in enumerate(_generations(answers))
        ]
    }


def _seen_replies(answers: Sequence[WrittenOutput], style: Style) -> Json:
    """Replies about images: why such a text ended is not told, so it is `stop`."""
    return {
        "choices": [
            _choice(index, "stop", style, message=_message(answer.texts[0]))
            for index, answer in enumerate(answers)
        ]
    }


def _choice(index: int, finish_reason: str, style: Style, **content: object) -> Json:
    return {"finish-reason": finish_reason, "index": index, **content, "created": style.created}


def _message(text: str) -> Json:
    return {"content": text, "role": "assistant"}


def _usage(answers: Sequence[GenerationOutput]) -> Json:
    """Tokens: the prompt's once, those of all answers."""
    made = _generations(answers)
    prompt, completion = made[0].prompt_tokens, sum(one.completion_tokens for one in made)
    return {
        "completion-tokens": completion,
        "prompt-tokens": prompt,
        "total-tokens": prompt + completion,
    }


def _result(answers: Sequence[CustomOutput], _: Style) -> Json:
    """What the handler returned; under `result` where it is no object."""
    (result,) = answers[0].results
    return result if isinstance(result, dict) else {"result": result}


CHAT = Form(_read_chat, _replies, _usage)
IMAGE_CHAT = Form(_read_image_chat, _seen_replies)
COMPLETION = Form(_read_completion, _completions, _usage)
CUSTOM = Form(_read_custom, _result)
