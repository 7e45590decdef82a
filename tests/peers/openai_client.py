"""Runs in an environment that holds openai and not Wherry: `openai_client.py URL DIR`.

Makes every call with the real client; prints a line of JSON per call: its name, what it saw.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path

import openai

URL, FOLDER = sys.argv[1], Path(sys.argv[2])
QUESTION = [
    {"role": "system", "content": "Answer in one word."},
    {"role": "user", "content": "What is the capital of France?"},
]
client = openai.OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0, timeout=120)


def chat(**options):
    return client.chat.completions.create(model="chat", messages=QUESTION, max_tokens=12, **options)


def streamed(**options):
    parts = list(chat(stream=True, stream_options={"include_usage": True}, **options))
    text: dict[int, str] = {}
    for part in parts:
        for choice in part.choices:
            text[choice.index] = text.get(choice.index, "") + (choice.delta.content or "")
    ends = [c.finish_reason for part in parts for c in part.choices if c.finish_reason]
    return {
        "texts": [text[i] for i in sorted(text)],
        "ends": ends,
        "parts": len(parts),
        "usage": parts[-1].usage.model_dump(exclude_none=True),
        "roles": [c.delta.role for part in parts for c in part.choices if c.delta.role],
    }


def plain(answer):
    return {
        "texts": [choice.message.content for choice in answer.choices],
        "ends": [choice.finish_reason for choice in answer.choices],
        "usage": answer.usage.model_dump(exclude_none=True),
        "model": answer.model,
    }


def with_logprobs():
    answer = chat(logprobs=True)
    stream = chat(logprobs=True, stream=True)
    told = [c.logprobs.content for part in stream for c in part.choices if c.logprobs]
    return {
        "text": answer.choices[0].message.content,
        "tokens": [[t.token, t.logprob] for t in answer.choices[0].logprobs.content],
        "streamed": [[t.token, t.logprob] for tokens in told for t in tokens],
    }


def completion(**options):
    answer = client.completions.create(
        model="text-generation", prompt=["The boat", "One two"], max_tokens=6, **options
    )
    return {
        "texts": [choice.text for choice in answer.choices],
        "indices": [choice.index for choice in answer.choices],
        "usage": answer.usage.model_dump(exclude_none=True),
    }


def completion_streamed():
    stream = client.completions.create(
        model="text-generation", prompt=["The boat", "One two"], max_tokens=6, stream=True
    )
    text: dict[int, str] = {}
    for part in stream:
        for choice in part.choices:
            text[choice.index] = text.get(choice.index, "") + choice.text
    return [text[i] for i in sorted(text)]


def scored(**options):
    answer = client.completions.create(
        model="text-generation", echo=True, max_tokens=0, logprobs=2, **options
    )
    return [choice.model_dump() for choice in answer.choices]


def embeddings(**options):
    answer = client.embeddings.create(
        model="embedding", input=["a boat on the river", "a wherry at the stairs"], **options
    )
    return [item.embedding for item in answer.data]


def transcribe(name="speech.wav", **options):
    with (FOLDER / name).open("rb") as file:
        answer = client.audio.transcriptions.create(
            model="automatic-speech-recognition", file=file, **options
        )
    return answer if isinstance(answer, str) else answer.model_dump()


def picture(**options):
    answer = client.images.generate(
        model="text-to-image",
        prompt="a boat",
        response_format="b64_json",
        extra_body={"num_inference_steps": 1, "seed": 3},
        **options,
    )
    return [base64.b64decode(item.b64_json)[:8].hex() for item in answer.data]


def speech(**options):
    answer = client.audio.speech.create(
        model="text-to-speech", voice="alloy", input="The boat is late.", **options
    )
    return len(answer.content), answer.content[:4].hex(), answer.response.headers["content-type"]


def question_about_an_image():
    image = base64.b64encode((FOLDER / "image.png").read_bytes()).decode()
    answer = client.chat.completions.create(
        model="image-text-to-text",
        max_tokens=5,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {
                        "type": "image_url",
                        "image_url": {"url": f"data:image/png;base64,{image}"},
                    },
                ],
            }
        ],
    )
    return answer.choices[0].message.content


def refused(call, kind):
    try:
        call()
    except kind as error:
        return {"status": error.status_code, "body": error.body}
    return None


async def at_once():
    several = openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)
    answers = await asyncio.gather(
        *(
            several.chat.completions.create(model="chat", messages=QUESTION, max_tokens=12)
            for _ in range(4)
        )
    )
    await several.close()
    return [answer.choices[0].message.content for answer in answers]


CALLS = {
    "models.list": lambda: [model.id for model in client.models.list()],
    "models.retrieve": lambda: client.models.retrieve("embedding").id,
    "chat.completions.create": lambda: plain(chat()),
    "chat.completions.create, streamed": streamed,
    "chat.completions.create, several choices": lambda: plain(chat(n=3, seed=7, temperature=1)),
    "chat.completions.create, several choices streamed": lambda: streamed(
        n=3, seed=7, temperature=1
    ),
    "chat.completions.create, logprobs": with_logprobs,
    "chat.completions.create, top_logprobs": lambda: [
        [t.token, [other.token for other in t.top_logprobs]]
        for t in chat(logprobs=True, top_logprobs=3).choices[0].logprobs.content
    ],
    "chat.completions.create, penalties": lambda: plain(
        chat(presence_penalty=1.5, frequency_penalty=0.5)
    ),
    "chat.completions.create, logit_bias": lambda: plain(chat(logit_bias={"504": 100})),
    "chat.completions.create, min_tokens, ignore_eos": lambda: [
        plain(chat(extra_body={"min_tokens": 9})),
        plain(chat(extra_body={"ignore_eos": True})),
    ],
    "chat.completions.create, top_p of 0, nulls": lambda: plain(
        chat(top_p=0, stop=None, seed=None, n=None, tools=None, logprobs=None, temperature=None)
    ),
    "chat.completions.create, system_fingerprint": lambda: [
        chat().system_fingerprint,
        *{part.system_fingerprint for part in chat(stream=True)},
    ],
    "chat.completions.create, stop": lambda: plain(chat(stop=["is"])),
    "chat.completions.create, an image": question_about_an_image,
    "chat.completions.create, async": lambda: asyncio.run(at_once()),
    "completions.create": completion,
    "completions.create, echo": lambda: completion(echo=True),
    "completions.create, echo and logprobs": lambda: scored(prompt=["The boat", "One two"]),
    "completions.create, token numbers": lambda: scored(prompt=[[504, 7217], [31]]),
    "completions.create, streamed": completion_streamed,
    "embeddings.create, base64": embeddings,
    "embeddings.create, float": lambda: embeddings(encoding_format="float"),
    "embeddings.create, dimensions": lambda: embeddings(dimensions=8),
    "audio.transcriptions.create": transcribe,
    "audio.transcriptions.create, text": lambda: transcribe(response_format="text"),
    "audio.transcriptions.create, verbose_json": lambda: transcribe(
        response_format="verbose_json", timestamp_granularities=["segment"]
    ),
    "audio.transcriptions.create, srt": lambda: transcribe(response_format="srt"),
    "audio.transcriptions.create, M4A": lambda: transcribe("speech.m4a"),
    "audio.transcriptions.create, MP4": lambda: transcribe("speech.mp4"),
    "audio.transcriptions.create, WebM": lambda: transcribe("speech.webm"),
    "audio.transcriptions.create, vtt": lambda: transcribe(response_format="vtt"),
    "audio.speech.create": lambda: speech(response_format="wav"),
    "audio.speech.create, pcm": lambda: speech(response_format="pcm"),
    "audio.speech.create, mp3": lambda: speech(response_format="mp3"),
    "audio.speech.create, opus": lambda: speech(response_format="opus"),
    "audio.speech.create, aac": lambda: speech(response_format="aac"),
    "audio.speech.create, flac": lambda: speech(response_format="flac"),
    "images.generate": lambda: picture(n=2),
    "errors: an unknown model": lambda: refused(
        lambda: client.models.retrieve("nope"), openai.NotFoundError
    ),
    "errors: a bad value": lambda: refused(lambda: chat(top_p=7), openai.BadRequestError),
    "errors: what is not supported": lambda: refused(
        lambda: chat(tools=[{"type": "function", "function": {"name": "f"}}]),
        openai.BadRequestError,
    ),
    "errors: token numbers to embed": lambda: refused(
        lambda: client.embeddings.create(model="embedding", input=[[504, 7217]]),
        openai.BadRequestError,
    ),
    "errors: an unknown path": lambda: refused(
        lambda: client.get("/moderation-of-another-kind", cast_to=object), openai.NotFoundError
    ),
    "errors: another task's model": lambda: refused(
        lambda: client.embeddings.create(model="chat", input="a"), openai.BadRequestError
    ),
}

for name, call in CALLS.items():
    try:
        saw, failed = call(), ""
    except Exception as error:
        saw, failed = None, f"{type(error).__name__}: {error}"
    print(json.dumps({"call": name, "saw": saw, "failed": failed}), flush=True)
