"""Runs in an environment that holds openai and not Wherry: `openai_batch_client.py URL DIR`.

Sends files and batches with the real client; prints a line of JSON per call: its name, what it saw.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import openai

URL, FOLDER = sys.argv[1], Path(sys.argv[2])
LINES = 2000
client = openai.OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0, timeout=120)


def say(call, saw):
    print(json.dumps({"call": call, "saw": saw}), flush=True)


def write(name, lines):
    path = FOLDER / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def line(number, url, body):
    return {"custom_id": f"c{number}", "method": "POST", "url": url, "body": body}


def send(name, lines, **options):
    with write(name, lines).open("rb") as file:
        return client.files.create(file=file, purpose="batch", **options)


def start(file, endpoint, **options):
    return client.batches.create(
        input_file_id=file.id, endpoint=endpoint, completion_window="24h", **options
    )


def ended(batch):
    seen = [batch.status]
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        time.sleep(0.2)
        batch = client.batches.retrieve(batch.id)
        if batch.status != seen[-1]:
            seen.append(batch.status)
    return batch, seen


def answers(batch):
    if not batch.output_file_id:
        return []
    return [json.loads(text) for text in client.files.content(batch.output_file_id).iter_lines()]


def counts(batch):
    return batch.request_counts.model_dump()


infer = "/v2/models/embedding/infer"
tensor = {"name": "text", "shape": [1], "datatype": "BYTES"}
many = [line(n, infer, {"inputs": [{**tensor, "data": [f"text {n % 50}"]}]}) for n in range(LINES)]
two_hours = {"anchor": "created_at", "seconds": 7200}
file = send("many.jsonl", many, expires_after=two_hours)
say("files.create", file.model_dump())
say("files.retrieve", client.files.retrieve(file.id).model_dump())
content = client.files.content(file.id).read()
say("files.content", content == (FOLDER / "many.jsonl").read_bytes())

batch = start(file, infer, metadata={"for": "a test"}, output_expires_after=two_hours)
say("batches.create", batch.model_dump())
batch, seen = ended(batch)
found = answers(batch)
say(
    "batches.retrieve",
    {
        "status": batch.status,
        "seen": seen,
        "counts": counts(batch),
        "metadata": batch.metadata,
        "names": [one["custom_id"] for one in found],
        "vectors": [one["response"]["body"]["outputs"][0]["data"] for one in found[:2]],
        "codes": sorted({one["response"]["status_code"] for one in found}),
        "output": client.files.retrieve(batch.output_file_id).model_dump(),
    },
)

chat = {
    "model": "chat",
    "messages": [
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "What is the capital of France?"},
    ],
    "max_tokens": 12,
}
for call, url, body in (
    ("batches, /v1/chat/completions", "/v1/chat/completions", chat),
    (
        "batches, /v1/embeddings",
        "/v1/embeddings",
        {"model": "embedding", "input": ["text 0", "text 1"]},
    ),
    (
        "batches, /v1/completions",
        "/v1/completions",
        {"model": "text-generation", "prompt": "The boat", "max_tokens": 6},
    ),
):
    done, _ = ended(start(send("few.jsonl", [line(n, url, body) for n in range(2)]), url))
    say(call, {"counts": counts(done), "answers": [a["response"]["body"] for a in answers(done)]})

broken = [many[0], many[0], {**many[1], "url": "/v1/embeddings"}]
done, _ = ended(start(send("broken.jsonl", broken), infer))
say(
    "batches, a file that is wrong",
    {
        "status": done.status,
        "errors": [[error.line, error.code, error.param] for error in done.errors.data],
    },
)

stopped = client.batches.cancel(start(file, infer).id)
say("batches.cancel", {"first": stopped.status})
stopped, _ = ended(stopped)
left = client.files.content(stopped.error_file_id).text.splitlines()
say(
    "batches.cancel, its end",
    {
        "status": stopped.status,
        "counts": counts(stopped),
        "names": sorted(
            [a["custom_id"] for a in answers(stopped)]
            + [json.loads(text)["custom_id"] for text in left]
        ),
        "codes": sorted({json.loads(text)["error"]["code"] for text in left}),
    },
)

listed = [one.id for one in client.batches.list(limit=2)]  # pages of two, all of them
say("batches.list", {"newest": listed[0] == stopped.id, "ids": listed, "old": batch.id})
names = [one.id for one in client.files.list(purpose="batch", limit=2)]
say("files.list", {"ids": names, "known": file.id})
gone = client.files.delete(file.id)
try:
    client.files.retrieve(file.id)
    after = ""
except openai.NotFoundError as error:
    after = error.code
say("files.delete", {"deleted": gone.deleted, "after": after})
