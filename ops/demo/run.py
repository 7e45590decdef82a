"""The demo: start the stack, send real inputs, print what comes back, check it."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...client import Client, JobView
from ...tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from ...tasks.vision.image_classification import (
    ImageClassificationInput,
    ImageClassificationOutput,
)
from ...tasks.vision.object_detection import ObjectDetectionInput, ObjectDetectionOutput
from ..stack import Log, Stack
from .inputs import PARAPHRASES, Picture, digits, drawn, photographs

MODELS = Path(__file__).parent / "models.toml"

#: Digits sent for the throughput line.
_MANY = 500


def run(console: Console, *, stay: bool = False) -> int:
    """Show the fleet at work. Answers 0 when its answers are right.

    With `stay` the fleet runs on afterwards, for the console, until Ctrl-C.
    """
    console.print("[bold]Starting the stack[/] (Redis, API, two workers, Flower); models load")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wherry-demo-") as folder:
        stack = Stack(models=MODELS, data_dir=Path(folder), log=_problems(console))
        with stack, Client(stack.url) as client:
            console.print(f"Ready after {time.monotonic() - started:.1f} s\n")
            right, first_job = _classify(console, client)
            checks = [
                right,
                _detect(console, client),
                _embed(console, client),
                _throughput(console, client),
            ]
            good = all(checks)
            verdict = (
                "[green bold]All answers are right.[/]" if good else "[red bold]Wrong answers.[/]"
            )
            console.print(f"\n{verdict}")
            _show_pages(console, stack, first_job, stay=stay)
    return 0 if good else 1


def _show_pages(console: Console, stack: Stack, job_id: str, *, stay: bool) -> None:
    """Say where to look, the console last: at the first digit that was sent, and its answer."""
    end = "They end with Ctrl-C" if stay else "They end with the demo"
    console.print(f"API page  {stack.url}/docs\nFlower    {stack.flower_url}/tasks")
    console.print(f"{end}; `wherry up --sample-models` serves a model of every task.")
    address = f"{stack.console_url}#/jobs/{quote(job_id, safe='')}"
    console.print(f"The first digit and its answer: [bold]{address}[/]", soft_wrap=True)
    if stay:
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


def _problems(console: Console) -> Log:
    def log(service: str, line: str) -> None:
        if "ERROR" in line or "CRITICAL" in line or "Traceback" in line:
            console.print(Text.assemble((f"{service} ", "red"), line))

    return log


def _classify(console: Console, client: Client) -> tuple[bool, str]:
    """Ten digits, a job each: whether they were read, and the first job's id."""
    pictures = digits(10)
    jobs = [
        client.submit("image-classification", ImageClassificationInput(images=[p.data], top_k=2))
        for p in pictures
    ]
    table = _table("Handwritten digits", "picture", "answer", "true label")
    right = 0
    for picture, job in zip(pictures, jobs, strict=True):
        output = client.result(job.id)
        assert isinstance(output, ImageClassificationOutput)
        best = output.results[0][0]
        good = best.label == picture.truth
        right += good
        table.add_row(
            job.id[-12:],
            _states(client.status(job.id)),
            picture.name,
            f"{best.label}  ({best.score:.3f})",
            f"[{'green' if good else 'red'}]{picture.truth}[/]",
        )
    console.print(table)
    return right >= 9, jobs[0].id


def _table(title: str, *columns: str) -> Table:
    table = Table(title=f"{title} (times in ms since submission)")
    table.add_column("job, its end", no_wrap=True)
    for column in ("states", *columns):
        table.add_column(column)
    return table


def _states(job: JobView) -> str:
    """State changes with the milliseconds since submission."""
    first = job.history[0].at
    return "  ".join(
        f"{change.status} {(change.at - first).total_seconds() * 1000:.0f}"
        for change in job.history
    )


def _detect(console: Console, client: Client) -> bool:
    """Drawn shapes, whose truth is known, and photographs, in which there are none."""
    table = _table("Object detection", "picture", "found", "truth")
    right = total = 0
    for picture in [*drawn(6), *photographs()]:
        job = client.submit("object-detection", ObjectDetectionInput(images=[picture.data]))
        output = client.result(job.id)
        assert isinstance(output, ObjectDetectionOutput)
        found = output.detections[0]  # the surest first
        if picture.truth:
            right += bool(found) and found[0].label == picture.truth
            total += 1
        table.add_row(
            job.id[-12:],
            _states(client.status(job.id)),
            picture.name,
            ", ".join(f"{i.label} {i.score:.2f}" for i in found[:4]) or "nothing",
            picture.truth or "(no shape)",
        )
    console.print(table)
    return right >= total - 1


def _embed(console: Console, client: Client) -> bool:
    """Paraphrases lie closer than strangers."""
    table = Table("sentence", "paraphrase", "stranger", title="Sentences: cosine similarity")
    right = True
    for sentences in PARAPHRASES:
        job = client.submit("embedding", EmbeddingInput(texts=list(sentences)))
        output = client.result(job.id)
        assert isinstance(output, EmbeddingOutput)
        anchor, near, far = output.embeddings
        close, apart = _cosine(anchor, near), _cosine(anchor, far)
        right = right and close > apart
        table.add_row(
            sentences[0],
            f"[green]{close:+.3f}[/]  {sentences[1]}",
            f"{apart:+.3f}  {sentences[2]}",
        )
    console.print(table)
    return right


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """Of unit vectors."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def _throughput(console: Console, client: Client) -> bool:
    """Many digits, as fast as they go, through the same queue."""
    pictures: list[Picture] = digits(360)
    many = list(itertools.islice(itertools.cycle(pictures), _MANY))
    inputs = (ImageClassificationInput(images=[p.data], top_k=1) for p in many)
    started = time.monotonic()
    answers = list(client.map("image-classification", inputs))
    took_s = time.monotonic() - started
    right = 0
    for picture, answer in zip(many, answers, strict=True):
        assert isinstance(answer, ImageClassificationOutput)
        right += answer.results[0][0].label == picture.truth
    console.print(
        f"\n{_MANY} digits in {took_s:.1f} s: [bold]{_MANY / took_s:.0f} images/s[/], "
        f"{right / _MANY:.1%} right"
    )
    return right >= 0.95 * _MANY
