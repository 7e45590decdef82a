"""docs/runs.md, followed to the letter: a run from its start to its files."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shlex
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from wherry.client import AsyncClient, Client, annotate_command, run_commands
from wherry.client.errors import UsageError
from wherry.client.run_views import RunView
from wherry.client.runs import Runs
from wherry.ops.stack import Stack
from wherry.protocol.errors import JobCanceled, NotFound

from ..support.waiting import until


def picture(shade: int) -> bytes:
    """A small PNG."""
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (shade * 20, 0, 0)).save(file, "PNG")
    return file.getvalue()


PAGE = (Path(__file__).parents[2] / "docs" / "runs.md").read_text()
BLOCKS = re.findall(r"```(python|console)\n(.*?)```", PAGE, re.DOTALL)

_AGAIN = ("--detach", "--no-reuse", "--sample", "2", "--json")

APP = typer.Typer()
annotate_command.register(APP)
run_commands.register(APP)


@pytest.fixture
def here(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos in it, where commands are given."""
    monkeypatch.setenv("WHERRY_URL", stack.url)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in range(6):
        (tmp_path / f"photos/{number}.png").write_bytes(picture(number))
    return tmp_path


def called(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(APP, list(words))
    assert done.exit_code == code, (words, done.output, done.exception)
    return done.output


def test_the_page_is_true(here: Path) -> None:
    names: dict[str, object] = {}
    run = ""
    for language, text in BLOCKS:
        if language == "python":
            exec(compile(text, "docs/runs.md", "exec"), names)
            continue
        for line in text.splitlines():
            program, *words = shlex.split(line.removeprefix("$ "))
            assert program == "wherry"
            told = called(*(run if word == "RUN" else word for word in words))
            if "--json" in words:
                run = json.loads(told)["id"]
    for name in ("cats.jsonl", "cats.jsonl.report.json", "cats.csv", "cats-yolo/images.jsonl"):
        assert (here / name).exists(), name
    assert len((here / "cats.jsonl").read_text().splitlines()) == 6
    assert (here / "python.jsonl").exists()


def test_it_names_every_call_and_command() -> None:
    words = set(re.findall(r"\w+", PAGE))
    assert {name for name in vars(Runs) if not name.startswith("_")} <= words
    for command in ("list", "show", "watch", "finish", "clone", "fetch", "compare", "forget"):
        assert f"wherry runs {command}" in PAGE


def test_a_run_is_commanded_from_a_shell(here: Path) -> None:
    said = called("annotate", "photos", "-m", "image-classification", "--detach", "--sample", "2")
    run = re.search(r"run_\w+", said)
    assert run
    called("runs", "watch", run[0])
    with Client() as client:
        held = client.runs.get(run[0])
        assert (held.state, held.rows.answered) == ("held", 2)
    assert "held" in called("runs", "list", "--state", "held")
    called("runs", "resume", run[0])
    called("runs", "watch", run[0])
    assert "6 answered" in called("runs", "show", run[0])
    others = ("--max-errors", "9", "--max-device-seconds", "50", "--set", "kept_s=600")
    shown = called("runs", "clone", run[0], "--param", "top_k=1", *others, "--json")
    told = json.loads(shown)
    assert (told["max_errors"], told["max_device_seconds"], told["kept_s"]) == (9, 50, 600)
    assert (told["parameters"], told["sample"]) == ({"top_k": 1}, 2)
    called("runs", "clone", run[0], "--set", "colour=red", code=1)
    clone = told["id"]
    called("runs", "resume", clone, "none", code=1)
    called("runs", "watch", clone)
    called("runs", "resume", clone)
    called("runs", "watch", clone)
    assert "of 6 rows compared" in called("runs", "compare", run[0], clone)
    called("runs", "fetch", run[0], "--out", "a.jsonl")
    called("runs", "fetch", run[0], "--out", "a.jsonl", code=2)
    called("runs", "fetch", run[0], "--out", "a.jsonl", "--overwrite")
    called("runs", "fetch", run[0], "--out", "a.csv")
    assert (here / "a.csv").read_text().startswith("id,path,"), "what it ends in is meant"
    assert "no format that ends in .tsv" in called(
        "runs", "fetch", run[0], "--out", "a.tsv", code=2
    )
    again = json.loads(called("annotate", "photos", "-m", "image-classification", *_AGAIN))
    assert again["reuse"] is False
    called("runs", "watch", again["id"])
    called("runs", "cancel", again["id"])
    called("runs", "retry", again["id"])
    called("runs", "watch", again["id"])
    called("runs", "resume", again["id"])
    called("runs", "watch", again["id"])
    assert json.loads(called("runs", "show", again["id"], "--json"))["rows"]["reused"] == 0
    called("runs", "retry", again["id"], code=1)
    called("runs", "forget", run[0])
    called("runs", "show", run[0], code=1)


def test_what_only_a_detached_run_has_is_refused_without(here: Path) -> None:
    asked = ("annotate", "photos", "-m", "image-classification")
    for words in (("--sample", "3"), ("--upload",), ("--name", "x"), ("--follow",), ()):
        called(*asked, *words, code=2)
    for word in ("--dry-run", "--no-report"):
        assert word in called(*asked, "--detach", word, code=2)
    with Client() as client, pytest.raises(UsageError, match="report"):
        client.annotate("photos", model="image-classification", detach=True, report=False)
    called(*asked, "--detach", "--out", "x.nothing", "--format", "yolo-pose", code=1)


def test_a_run_follows_a_folder_from_a_shell(here: Path) -> None:
    asked = ("annotate", "photos", "-m", "image-classification", "--detach")
    assert "--part-every" in called(*asked, "--part-every", "5m", code=2)
    assert "--follow-every" in called(*asked, "--follow", "--follow-every", "often", code=2)
    said = called(*asked, "--follow", "--follow-every", "500ms", "--follow-for", "1h", code=2)
    assert "expected one like" in said
    said = called(*asked, "--follow", "--follow-every", "1s", "--follow-for", "1h")
    run = re.search(r"run_\w+", said)
    assert run
    with Client() as client:
        found = until(lambda: client.runs.get(run[0]), lambda found: found.rows.answered == 6)
        assert found.follow
        assert (found.follow["every_s"], found.follow["for_s"]) == (1, 3600)
    assert "6 files" in called("runs", "show", run[0])
    called("runs", "fetch", run[0], "--out", "so far.jsonl")
    assert len((here / "so far.jsonl").read_text().splitlines()) == 6
    called("runs", "finish", run[0])
    called("runs", "watch", run[0])
    assert "ended" in called("runs", "show", run[0])


def test_a_folder_and_an_archive_are_sent(here: Path) -> None:
    (here / "photos/.hidden").write_bytes(b"x")
    (here / "photos/a b").mkdir()
    (here / 'photos/a b/é"x.png').write_bytes(picture(9))
    with Client() as client:
        sent = client.runs.upload("photos", name="mine")
        assert (sent["name"], sent["files"]) == ("mine", 7)
        run = client.annotate(sent["source"], model="image-classification", detach=True)
        assert client.runs.wait(run.id).rows.answered == 7
        ids = {row["id"] for row in client.runs.rows(run.id)}
        assert "a b/é%22x.png" in ids  # a quote is written so in forms, as browsers do
        client.runs.forget(run.id)
        with pytest.raises(NotFound):
            client.runs.get(run.id)


def test_a_run_that_ends_otherwise_says_how(here: Path) -> None:
    with Client() as client:
        run = client.runs.start("photos", model="image-classification", sample=1)
        client.runs.cancel(client.runs.wait(run.id).id)
        with pytest.raises(JobCanceled):
            client.runs.fetch(run.id, "x.jsonl")
        failed = client.runs.wait(client.runs.start("/nowhere", model="embedding").id)
        assert failed.state == "failed"
        assert failed.error
        assert "no such file or folder" in failed.error.message


async def awaited(url: str) -> list[str]:
    async with AsyncClient(url) as client:
        run = await client.annotate("photos", model="image-classification", detach=True)
        assert isinstance(run, RunView)
        await client.runs.wait(run.id)
        return [row["id"] for row in await client.runs.rows(run.id)]


def test_the_same_to_await(here: Path, stack: Stack) -> None:
    assert asyncio.run(awaited(stack.url)) == [f"{number}.png" for number in range(6)]


def test_fetching_removes_nothing_that_it_does_not_bring(here: Path) -> None:
    asked = ["photos", "--model", "image-classification", "--detach", "--json"]
    run = json.loads(called("annotate", *asked))["id"]
    called("runs", "fetch", run, "--wait", "--out", "labels.jsonl")
    photos = sorted((here / "photos").iterdir())
    for out in ("photos", ".", "photos/.."):
        called("runs", "fetch", run, "--out", out, "--overwrite", code=2)
    yolo = ["runs", "fetch", run, "--format", "yolo-classify", "--overwrite", "--out"]
    for out in ("photos", "labels.jsonl"):
        called(*yolo, out, code=2)
    assert sorted((here / "photos").iterdir()) == photos
    called(*yolo, "yolo")
    called(*yolo, "yolo")
    (here / "yolo" / "notes.txt").write_text("mine")
    called(*yolo, "yolo", code=2)
    assert (here / "yolo" / "notes.txt").read_text() == "mine"
    called("runs", "fetch", run, "--out", "labels.jsonl", "--overwrite")
    assert not list(here.glob(".wherry-fetch-*"))
