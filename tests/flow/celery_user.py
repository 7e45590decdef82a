"""A Celery user's own app, which knows nothing of Wherry: `celery_user.py BROKER ...`.

`worker` serves its own tasks. `drive HOLD` sends jobs and prints a line of JSON a fact; the model
`slow` answers nobody while the file HOLD is there. `flood COUNT` sends jobs and waits for them.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

from celery import Celery, chain, chord, group, signature
from celery.result import AsyncResult

BROKER, COMMAND, *REST = sys.argv[1:]

app = Celery("photos", broker=BROKER, backend=BROKER)
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_default_queue="photos",
    task_routes={"wherry.submit": {"queue": "wherry.submit"}},
    worker_enable_remote_control=False,
)
#: Seconds; the tests end sooner, or fail.
PATIENCE_S = 120


@app.task(name="photos.dimensions")  # type: ignore[untyped-decorator] # Celery ships no types
def dimensions(answers: list[dict[str, Any]]) -> list[int]:
    """How long the vectors of some answers are."""
    return [len(vector) for answer in answers for vector in answer["embeddings"]]


@app.task(name="photos.texts")  # type: ignore[untyped-decorator] # Celery ships no types
def texts(answer: dict[str, Any]) -> dict[str, Any]:
    """The input of a job, from another's answer."""
    return {"texts": [f"a text about {len(answer['embeddings'])} vectors", "and another"]}


@app.task(name="photos.note")  # type: ignore[untyped-decorator] # Celery ships no types
def note(*heard: Any, key: str) -> None:
    """Write down what was heard."""
    app.backend.client.set(key, json.dumps(heard))


def job(*inputs: str, model: str = "embedding", **options: Any) -> Any:
    """A job as a signature."""
    kwargs = {"model": model, "input": {"texts": list(inputs)}}
    return signature("wherry.submit", kwargs=kwargs, app=app, **options)


def mine(task: Any, *args: Any, **kwargs: Any) -> Any:
    """A task of this app's, for its own queue, whoever sends it."""
    return task.signature(args, kwargs, queue="photos")


def noted(key: str) -> Any:
    """What `note` heard."""
    pubsub = app.backend.client
    for _ in range(int(PATIENCE_S / 0.05)):
        if (found := pubsub.get(key)) is not None:
            return json.loads(found)
        pubsub.execute_command("BLPOP", "nothing", 0.05)
    return None


def say(fact: str, **told: Any) -> None:
    print(json.dumps({"fact": fact, **told}), flush=True)


def failure(result: AsyncResult) -> dict[str, Any]:
    """How a task failed."""
    try:
        result.get(timeout=PATIENCE_S)
    except Exception as error:
        return {"error": type(error).__name__, "text": str(error), "status": result.status}
    return {"error": None}


def simple() -> None:
    sent = job("a barge").apply_async()
    answer = sent.get(timeout=PATIENCE_S)
    say("answer", id=sent.id, status=sent.status, answer=answer)
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a barge"]}
    plain = app.send_task(
        "wherry.submit", kwargs={"model": "embedding", "request": {"inputs": [tensor]}}
    )
    say("response", id=plain.id, answer=plain.get(timeout=PATIENCE_S))
    where = app.send_task(
        "wherry.submit",
        kwargs={"model": "embedding", "input": {"texts": ["x"]}, "answer": "job"},
        priority=3,
    )
    say("job", id=where.id, answer=where.get(timeout=PATIENCE_S))
    named = job("a barge", task_id="my own id/1").apply_async()
    say("named", id=named.id, length=len(named.get(timeout=PATIENCE_S)["embeddings"]))
    photo = pathlib.Path(REST[1]).read_bytes()
    seen = app.send_task(
        "wherry.submit",
        kwargs={"model": "image-classification", "input": {"images": [photo], "top_k": 2}},
    )
    say("photo", answer=seen.get(timeout=PATIENCE_S))
    quiet = job("x", ignore_result=True).apply_async()
    kept = app.backend.client.exists(f"celery-task-meta-{quiet.id}")
    say("ignored", id=quiet.id, kept=kept)
    say("later", length=len(job("x").apply_async(countdown=1).get(timeout=PATIENCE_S)))


def errors() -> None:
    say("no model", **failure(job("x", model="nowhere").apply_async()))
    odd = app.send_task("wherry.submit", kwargs={"model": "embedding", "imput": {}})
    say("odd argument", **failure(odd))
    bad = b"REJECT"
    row = app.send_task(
        "wherry.submit", kwargs={"model": "image-classification", "input": {"images": [bad]}}
    )
    say("bad row", **failure(row))
    pickled = app.send_task("wherry.submit", kwargs={"model": "embedding"}, serializer="pickle")
    say("pickled", **failure(pickled))
    job("x", model="nowhere").apply_async(link_error=mine(note, key="errback"))
    say("errback", heard=noted("errback"))


def revokes(hold: pathlib.Path) -> None:
    photo = pathlib.Path(REST[1]).read_bytes()
    kwargs = {"model": "slow", "input": {"images": [photo]}}
    sent = [app.send_task("wherry.submit", kwargs=kwargs) for _ in range(3)]
    sent[0].revoke()
    app.control.revoke([one.id for one in sent[:2]], reply=True, limit=1, timeout=30)
    early = job("x").apply_async(countdown=3)
    early.revoke()  # it is no job yet
    hold.unlink()
    say("revoked", ids=[one.id for one in sent], **failure(sent[0]))
    say("revoked with another", **failure(sent[1]))
    say("not revoked", length=len(sent[2].get(timeout=PATIENCE_S)["results"]))
    say("revoked before", **failure(early))
    say("expired", **failure(job("x").apply_async(countdown=2, expires=1)))


def canvas() -> None:
    jobs = [job(f"text {number}") for number in range(8)]
    say("group", length=len(group(jobs).apply_async().get(timeout=PATIENCE_S)))
    summed = chord(jobs, mine(dimensions))
    say("chord", answer=summed.apply_async().get(timeout=PATIENCE_S))
    failing = chord([*jobs, job("x", model="nowhere")], mine(dimensions))
    body = failing.apply_async().id
    say("broken chord", **failure(AsyncResult(body, app=app)))  # without the parent, which failed
    along = chain(
        job("one", "two", "three"),
        mine(texts),
        signature("wherry.submit", kwargs={"model": "embedding"}, app=app),
        mine(note, key="chain"),
    )
    last = along.apply_async()
    last.get(timeout=PATIENCE_S)
    last.parent.get(timeout=PATIENCE_S)  # it is stored after what follows is sent
    [heard] = noted("chain")
    say("chain", length=len(heard["embeddings"]), parent=last.parent.status)
    within = chain(job("one"), chord([mine(texts), mine(texts)], mine(note, key="within")))
    within.apply_async().get(timeout=PATIENCE_S)
    say("chord in a chain", heard=noted("within"))
    broken = chain(job("x", model="nowhere"), mine(texts)).apply_async()
    say("broken chain", **failure(broken))
    linked = job("x").apply_async(link=mine(note, key="linked"))
    say("link", heard=len(noted("linked")), children=_children(linked))


def _children(result: AsyncResult) -> int:
    result.get(timeout=PATIENCE_S)
    return len(result.children)


def flood(count: int) -> None:
    sent = [job(f"text {number}").apply_async() for number in range(count)]
    say("sent", ids=[one.id for one in sent])
    answers = [one.get(timeout=PATIENCE_S) for one in sent]
    say("flood", answers=len(answers))


if COMMAND == "worker":
    app.worker_main(
        [
            *("worker", "-P", "threads", "-c", "2", "-Q", "photos", "-l", "warning"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]
    )
elif COMMAND == "flood":
    flood(int(REST[0]))
else:
    simple()
    errors()
    canvas()
    revokes(pathlib.Path(REST[0]))
