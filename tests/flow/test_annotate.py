"""`wherry annotate` against the real stack: all rows once, in order, however it is broken off."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from wherry.client import Client
from wherry.client.annotate import Options, Progress, TooManyErrors, annotate
from wherry.client.annotate.ledger import Ledger
from wherry.client.annotate.places import ledger_path
from wherry.ops.stack import Stack
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.text.question_answering import (
    QuestionAnsweringInput,
    QuestionAnsweringOutput,
)

#: The stub refuses rows that hold this, alone.
BAD = b"REJECT"


def png(number: int, extra: bytes = b"") -> bytes:
    """A picture of its own; what follows a PNG's end is no part of it."""
    buffer = io.BytesIO()
    Image.new("RGB", (16 + number % 7, 12), (number % 256, number // 256, 7)).save(buffer, "PNG")
    return buffer.getvalue() + extra


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number in range(60):
        file = folder / f"day {number % 3}" / f"{number:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(number))
    return folder


def options(photos: Path, tmp_path: Path, **fields: Any) -> Options:
    given: dict[str, Any] = {
        "source": str(photos),
        "model": "image-classification",
        "out": tmp_path / "out.jsonl",
        **fields,
    }
    return Options(**given)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_folder_is_annotated_in_order(client: Client, photos: Path, tmp_path: Path) -> None:
    jobs: dict[str, Any] = {}

    def look(_: Progress) -> None:
        listed = client.get("/v2/jobs?model=image-classification&limit=30")["jobs"]
        jobs.update({job["id"]: job for job in listed if job["id"].startswith("annotate-")})

    summary = annotate(client, options(photos, tmp_path), look)
    rows = lines(tmp_path / "out.jsonl")
    files = sorted(str(path.relative_to(photos)) for path in photos.rglob("*.png"))
    assert [row["id"] for row in rows] == files
    assert (summary.rows, summary.failed, summary.errors) == (60, 0, None)
    assert sum(summary.findings.labels.values()) == 60, "of guesses the first is counted alone"
    assert any(job["rows"] == 8 for job in jobs.values()), "jobs are as large as a batch"
    assert all(job["priority"] == 9 for job in jobs.values())
    left = client.get("/v2/jobs?model=image-classification&limit=1000")["jobs"]
    assert not jobs.keys() & {job["id"] for job in left}, "answers that are kept are let go"


def test_bad_rows_are_told_apart(client: Client, photos: Path, tmp_path: Path) -> None:
    (photos / "bad.png").write_bytes(png(1, BAD))
    (photos / "broken.png").write_bytes(b"")
    summary = annotate(client, options(photos, tmp_path))
    assert (summary.rows, summary.failed) == (62, 2)
    errors = {line["id"]: line for line in lines(tmp_path / "out.jsonl.errors.jsonl")}
    assert set(errors) == {"bad.png", "broken.png"}
    assert errors["bad.png"]["error_type"] == "invalid_row"
    assert len(lines(tmp_path / "out.jsonl")) == 60


def test_a_second_run_computes_only_what_is_new(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    annotate(client, options(photos, tmp_path))
    before = inference_count(client)
    (photos / "new.png").write_bytes(png(999))
    (photos / "copy.png").write_bytes(png(7))
    (photos / "day 0" / "000.png").write_bytes(png(998))
    summary = annotate(client, options(photos, tmp_path))
    assert inference_count(client) - before == 2, "one is new, one has changed, one is a copy"
    assert (summary.rows, summary.reused) == (62, 60)
    with pytest.raises(InvalidRequest, match=r'parameters \{\} -> \{"top_k":1\}'):
        annotate(client, options(photos, tmp_path, parameters={"top_k": 1}))
    other = annotate(client, options(photos, tmp_path, parameters={"top_k": 1}, overwrite=True))
    assert other.reused == 1, "other parameters, other answers: but for the copy"


def test_without_reuse_a_finished_run_starts_afresh(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    annotate(client, options(photos, tmp_path))
    before = inference_count(client)
    annotate(client, options(photos, tmp_path, reuse=False))
    assert inference_count(client) - before == 60


def test_failed_rows_are_tried_again_when_asked(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    (photos / "bad.png").write_bytes(png(1, BAD))
    annotate(client, options(photos, tmp_path))
    before = inference_count(client)
    annotate(client, options(photos, tmp_path))
    assert inference_count(client) == before, "a failed row is finished too"
    errors = tmp_path / "out.jsonl.errors.jsonl"
    annotate(client, options(photos, tmp_path, retry_errors=errors))
    assert inference_count(client) - before == 1
    with pytest.raises(InvalidRequest, match="other.jsonl: no run has been here"):
        annotate(
            client, options(photos, tmp_path, out=tmp_path / "other.jsonl", retry_errors=errors)
        )


def test_too_many_errors_break_off_and_keep_what_is_done(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    for number in range(5):
        (photos / f"bad {number}.png").write_bytes(png(number, BAD))
    with pytest.raises(TooManyErrors, match="4 rows failed, 3 may"):
        annotate(client, options(photos, tmp_path, max_errors=3))
    assert not (tmp_path / "out.jsonl").exists()
    assert annotate(client, options(photos, tmp_path)).failed == 5


def test_a_row_that_makes_the_model_raise_fails_alone(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    (photos / "raise.png").write_bytes(png(2, b"RAISE"))
    summary = annotate(client, options(photos, tmp_path))
    assert summary.failed == 1
    [error] = lines(tmp_path / "out.jsonl.errors.jsonl")
    assert (error["id"], error["error_type"]) == ("raise.png", "backend_error")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model": "nope"}, "model: unknown model 'nope'"),
        ({"parameters": {"topk": 1}}, "param topk: image-classification has no such parameter"),
        ({"format": "coco-captions"}, "cannot hold what image-classification answers"),
    ],
)
def test_what_cannot_work_is_said_at_once(
    client: Client, photos: Path, tmp_path: Path, fields: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidRequest, match=says):
        annotate(client, options(photos, tmp_path, **fields))


def test_one_question_is_asked_of_every_text(stack: Stack, client: Client, tmp_path: Path) -> None:
    texts, out = tmp_path / "texts", tmp_path / "answers.jsonl"
    texts.mkdir()
    for number in range(5):
        (texts / f"{number}.txt").write_text(f"Boat {number} is red.")
    command = [
        *(sys.executable, "-m", "wherry.ops.cli", "annotate", str(texts)),
        *("--task", "question-answering", "--model", "question-answering", "--json"),
        *("--input", "question=Which is red?", "--out", str(out), "--url", stack.url),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["parameters"] == {"questions": "Which is red?"}
    assert [row["id"] for row in lines(out)] == [f"{number}.txt" for number in range(5)]
    asked = QuestionAnsweringInput(questions=["Which is red?"], contexts=["Boat 3 is red."])
    answer = client.infer("question-answering", asked)
    assert isinstance(answer, QuestionAnsweringOutput)
    assert [a["answer"] for a in lines(out)[3]["answers"]] == [
        a.answer for a in answer.rows()[0].answers[0]
    ]


def inference_count(client: Client) -> int:
    [stats] = client.get("/v2/models/image-classification/stats")["model_stats"]
    count: int = stats["inference_count"]
    return count


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """Rows enough for a run to be killed amid them."""
    folder = tmp_path / "slow"
    folder.mkdir()
    for number in range(48):
        (folder / f"{number:03}.png").write_bytes(png(number))
    return folder


@pytest.mark.slow
def test_a_killed_client_goes_on_where_it_was(
    stack: Stack, client: Client, slow: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed.jsonl"
    command = [
        *(sys.executable, "-m", "wherry.ops.cli", "annotate", str(slow)),
        *("--model", "slow", "--out", str(out), "--url", stack.url, "--json"),
    ]
    before = counted(client)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as first:
        deadline = time.monotonic() + 60
        while counted(client) - before < 8:
            assert first.poll() is None, first.stderr and first.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(first.pid, signal.SIGKILL)
    assert not out.exists(), "a half output is nowhere to be seen"
    with Ledger(ledger_path(out)) as ledger:
        assert ledger.under_way(), "jobs were on their way"
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    summary = json.loads(done.stdout)
    assert (summary["rows"], summary["failed"]) == (48, 0)
    assert counted(client) - before == 48, "no row was computed twice"
    undisturbed = annotate(
        client, Options(source=str(slow), model="slow", out=tmp_path / "whole.jsonl")
    )
    assert undisturbed.rows == 48
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def counted(client: Client) -> int:
    [stats] = client.get("/v2/models/slow/stats")["model_stats"]
    count: int = stats["inference_count"]
    return count


def test_a_dry_run_predicts_and_writes_nothing(stack: Stack, slow: Path, tmp_path: Path) -> None:
    out = tmp_path / "dry.jsonl"
    command = [
        *(sys.executable, "-m", "wherry.ops.cli", "annotate", str(slow), "--dry-run", "--json"),
        *("--model", "image-classification", "--out", str(out), "--url", stack.url),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert seen["sampled"] == 48
    assert seen["rows_per_s"] > 0
    assert list(tmp_path.glob("dry*")) == []
