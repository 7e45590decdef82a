"""Runs in an environment that holds openai and not Wherry: `openai_words_client.py URL DIR PAGE`.

What other servers of OpenAI's form take beside its own words, sent by the real client; prints a
line of JSON per call: its name, what it saw.
"""

from __future__ import annotations

import base64
import codecs
import json
import sys
import time
from pathlib import Path

import httpx2
import openai
from openai._models import FinalRequestOptions

URL, FOLDER, PAGE = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
client = openai.OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0, timeout=120)


def text(**options):
    answer = client.chat.completions.create(
        model="chat", messages=QUESTION, max_tokens=12, **options
    )
    return answer.choices[0].message.content


def typical():
    drawn = {"seed": 7, "temperature": 1.5}
    return [text(**drawn, extra_body={"typical_p": 0.2}), text(**drawn)]


def of_an_image(encoded):
    parts = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}]
    answer = client.embeddings.create(
        model="multimodal-embedding", input=[{"content": parts}], encoding_format="float"
    )
    return answer.data[0].embedding


def spaced(encoded):
    lines = [encoded[at : at + 76] for at in range(0, len(encoded), 76)]
    return {
        "line breaks": "\r\n".join(lines),
        "blanks": " ".join(lines) + " ",
        "no padding": encoded.rstrip("="),
    }


def pictures():
    encoded = base64.b64encode((FOLDER / "image.png").read_bytes()).decode()
    assert encoded.endswith("=")
    return {how: of_an_image(each) for how, each in {"": encoded, **spaced(encoded)}.items()}


def sound(encoded):
    part = {"type": "input_audio", "input_audio": {"data": encoded, "format": "wav"}}
    answer = client.chat.completions.create(
        model="audio-text-to-text",
        max_tokens=5,
        messages=[{"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}],
    )
    return answer.choices[0].message.content


def sounds():
    encoded = base64.b64encode((FOLDER / "speech.wav").read_bytes()).decode()
    assert encoded.endswith("=")
    return {how: sound(each) for how, each in {"": encoded, **spaced(encoded)}.items()}


def marked():
    asked = {"model": "embedding", "input": "a boat", "encoding_format": "float"}
    answer = client.post(
        "/embeddings",
        cast_to=object,
        content=codecs.BOM_UTF8 + json.dumps(asked).encode(),
        options={"headers": {"content-type": "application/json"}},
    )
    return [
        answer["data"][0]["embedding"],
        client.embeddings.create(**asked).data[0].embedding,
    ]


def marked_lines():
    body = {"model": "embedding", "input": "a boat"}
    lines = [
        {"custom_id": f"c{n}", "method": "POST", "url": "/v1/embeddings", "body": body}
        for n in range(3)
    ]
    content = codecs.BOM_UTF8 + "".join(json.dumps(line) + "\n" for line in lines).encode()
    file = client.files.create(file=("marked.jsonl", content), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h"
    )
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
    return [batch.status, batch.request_counts.model_dump() if batch.request_counts else None]


def asked(method, path, **headers):
    options = FinalRequestOptions.construct(method=method, url=path, headers=headers)
    return client.request(httpx2.Response, options)


def head():
    found = [
        asked(method, path) for path in ("/models", "/models/chat") for method in ("get", "head")
    ]
    return [
        [answer.status_code, answer.headers["content-type"], answer.headers["content-length"]]
        for answer in found
    ], [len(answer.content) for answer in found]


def pages():
    wants = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
    }
    before = asked("options", "/chat/completions", Origin=PAGE, **wants)
    raw = client.chat.completions.with_raw_response
    question = {"model": "chat", "messages": QUESTION, "max_tokens": 2}
    stream = raw.create(**question, stream=True, extra_headers={"Origin": PAGE})
    assert list(stream.parse())
    other = raw.create(**question, extra_headers={"Origin": "https://other.example.org"})
    allowed = "access-control-allow-origin"
    return {
        "preflight": [before.status_code, before.headers.get(allowed)],
        "headers": before.headers.get("access-control-allow-headers", "").lower(),
        "stream": stream.headers.get(allowed),
        "other": other.headers.get(allowed),
    }


CALLS = {
    "chat.completions.create, typical_p": typical,
    "embeddings.create, base64 with line breaks, blanks, no padding": pictures,
    "chat.completions.create, input_audio with line breaks, blanks, no padding": sounds,
    "embeddings.create, after a BOM": marked,
    "batches, a file after a BOM": marked_lines,
    "models.list, models.retrieve by HEAD": head,
    "from a page of another origin (CORS)": pages,
}

for name, call in CALLS.items():
    try:
        saw, failed = call(), ""
    except Exception as error:
        saw, failed = None, f"{type(error).__name__}: {error}"
    print(json.dumps({"call": name, "saw": saw, "failed": failed}), flush=True)
