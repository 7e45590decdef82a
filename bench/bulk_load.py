"""One client of `bench.bulk`, run by the Python of the checkout that is measured.

Prints one line of JSON: rows, seconds, and CPU seconds of this process, from when all is imported.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import wherry.client.annotate  # noqa: F401 # it is imported late: 0.3 s, whatever the rows
from wherry.client import Client
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.tasks.text.text_classification import TextClassificationInput, TextClassificationOutput


def annotate(client: Client, model: str, source: str) -> int:
    """A data set annotated, answers and output written; the report's page is not."""
    with tempfile.TemporaryDirectory() as folder:
        summary = client.annotate(source, model=model, out=Path(folder) / "o.jsonl", report=False)
    assert not summary.failed, summary
    return summary.rows


def jobs(client: Client, model: str, count: str) -> int:
    """Jobs of a row through `Client.map`."""
    inputs = (EmbeddingInput(texts=[f"short text {number}"]) for number in range(int(count)))
    return sum(1 for _ in client.map(model, inputs, in_flight=1000))


def rows(client: Client, model: str, count: str) -> int:
    """The same rows in jobs of 64."""
    inputs = (
        EmbeddingInput(texts=[f"short text {64 * number + row}" for row in range(64)])
        for number in range(int(count) // 64)
    )
    return 64 * sum(1 for _ in client.map(model, inputs, in_flight=64))


def plain(client: Client, model: str, source: str) -> int:
    """Rows of a JSONL read, sent in jobs of 64, their answers written; nothing is kept or told."""
    count = 0
    with Path(source).open() as lines, tempfile.TemporaryFile("w") as out:
        texts = (json.loads(line)["text"] for line in lines)
        jobs = (
            TextClassificationInput(texts=some) for some in iter(lambda: [*islice(texts, 64)], [])
        )
        for answer in client.map(model, jobs, in_flight=64):
            assert isinstance(answer, TextClassificationOutput)
            for labels in answer.results:
                out.write(json.dumps([label.model_dump() for label in labels]) + "\n")
            count += len(answer.results)
    return count


_KINDS: dict[str, Callable[[Client, str, str], int]] = {
    "annotate": annotate,
    "jobs": jobs,
    "rows": rows,
    "plain": plain,
}


def main() -> None:
    """Run one load."""
    kind, url, model, what = sys.argv[1:]
    with Client(url, timeout_s=120) as client:
        client.get("/v2")
        started, cpu = time.perf_counter(), _cpu_s()
        count = _KINDS[kind](client, model, what)
        seconds, cpu = time.perf_counter() - started, _cpu_s() - cpu
    print(json.dumps({"rows": count, "seconds": seconds, "client": cpu}))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
