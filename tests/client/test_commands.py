"""The commands, as a shell and a script use them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from wherry.client import Client, commands, fleet_commands, job_commands, terminal
from wherry.ops.ports import free_port
from wherry.ops.stack import Stack
from wherry.protocol import v2
from wherry.protocol.states import JobState

from .conftest import classify, embed
from .proxy import Answer, Proxy

Wherry = Callable[..., Result]

APP = typer.Typer(pretty_exceptions_enable=False)
for room in (commands, job_commands, fleet_commands):
    room.register(APP)


@pytest.fixture
def wherry(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Wherry:
    """The command, in a folder of its own, pointed at the stack. It never shows a traceback."""
    monkeypatch.setenv("WHERRY_URL", stack.url)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(APP, list(arguments), env={"COLUMNS": "80"})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    return call


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Three files; the second is refused by the model."""
    for name, content in (("a.jpg", b"a"), ("b.jpg", b"REJECT"), ("c.jpg", b"c")):
        (tmp_path / name).write_bytes(content)
    return ["a.jpg", "b.jpg", "c.jpg"]


def test_submit_prints_jobs_whose_ids_can_be_copied(wherry: Wherry, files: list[str]) -> None:
    done = wherry("submit", *files, "--model", "image-classification")
    assert done.exit_code == 0
    words = done.stdout.split()
    assert [word for word in words if word.endswith(".jpg")] == files
    ids = [word for word in words if len(word) == 36]
    assert len({uuid.UUID(job_id) for job_id in ids}) == 3


def test_submit_as_json_is_a_job_a_line(wherry: Wherry, files: list[str]) -> None:
    done = wherry("submit", *files, "-m", "image-classification", "--priority", "2", "--json")
    assert [line["input"] for line in lines(done)] == files
    for line in lines(done):
        assert (line["model_name"], line["priority"]) == ("image-classification", 2)
        assert wherry("status", line["id"]).exit_code == 0


def test_submit_and_wait_answers_in_order_and_one_failure_stops_no_other(
    wherry: Wherry, files: list[str]
) -> None:
    call = ("submit", *files, "-m", "image-classification", "--wait")
    done = wherry(*call, "--param", "top_k=2", "--json")
    assert done.exit_code == 1
    first, bad, last = lines(done)
    assert [len(row) for row in first["output"]["results"]] == [2]
    assert set(bad) == {"input", "id", "error", "error_type"}
    assert (bad["input"], bad["error_type"]) == ("b.jpg", "invalid_row")
    assert last["input"] == "c.jpg"
    shown = wherry(*call)
    assert shown.exit_code == 1
    assert "a.jpg" in shown.stdout
    assert "c.jpg" in shown.stdout
    assert shown.stderr.startswith("b.jpg: the stub was asked to reject")
    assert wherry("submit", "a.jpg", "c.jpg", *call[4:]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.jpg", "-m", "image-classification"], "missing.jpg"),
        (["a.jpg", "missing.jpg", "-m", "image-classification"], "missing.jpg"),
        ([".", "-m", "image-classification"], "directory"),
        (["a.jpg"], "--model"),
        (["a.jpg", "-m", "image-classification", "--timeout", "1"], "goes with --wait"),
        (["-m", "image-classification"], "takes files"),
        (["a.jpg", "--text", "a", "-m", "image-classification"], "takes files"),
        (["-m", "embedding"], "takes --text or text files"),
        (["a.jpg", "c.jpg", "--id", "one", "-m", "image-classification"], "--id is for one job"),
        (["a.jpg", "--param", "top_k", "-m", "image-classification"], "expected name=value"),
        (["a.jpg", "--priority", "10", "-m", "image-classification"], "equal to 9"),
        (["a.jpg", "-m", "image-classification", "--param", "top_k=0"], "--param: top_k: "),
        (["a.jpg", "-m", "image-classification", "--param", "tok_k=1"], "mean 'top_k'"),
    ],
)
def test_a_command_that_makes_no_sense_submits_nothing_and_exits_with_2(
    arguments: list[str],
    said: str,
    wherry: Wherry,
    files: list[str],
    submitted: Callable[[], int],
) -> None:
    before = submitted()
    done = wherry("submit", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert submitted() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.jpg", "-m", "nobody"], "error: .*nobody"),
        (["a.jpg", "-m", "../queues"], "error: no such path"),
        (["bytes.txt", "-m", "embedding"], "bytes.txt: the file is not UTF-8 text"),
        (["empty.txt", "-m", "embedding"], "empty.txt: texts: "),
    ],
)
def test_what_cannot_work_is_one_line_and_exits_with_1(
    arguments: list[str], said: str, wherry: Wherry, files: list[str]
) -> None:
    Path("bytes.txt").write_bytes(b"\xff\xfe\x00")
    Path("empty.txt").touch()
    done = wherry("submit", *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert re.match(said, line), line


def test_of_a_text_file_each_line_is_a_row(wherry: Wherry, client: Client) -> None:
    Path("lines.txt").write_text("one\n\nthrée\u2028still three\r\nfour", encoding="utf-8")
    done = wherry(
        "submit", "lines.txt", "--text", "x", "--text", "y", "-m", "embedding", "--wait", "--json"
    )
    file, texts = lines(done)
    assert (done.exit_code, file["input"], texts["input"]) == (0, "lines.txt", "text")
    rows = client.infer("embedding", embed("one", "", "thrée\u2028still three", "four"))
    assert file["output"] == rows.model_dump(mode="json")
    assert len(texts["output"]["embeddings"]) == 2


def test_the_same_id_again_is_the_same_job(wherry: Wherry, files: list[str]) -> None:
    name = f"[/odd] {uuid.uuid4()}"  # square brackets are markup to rich
    call = ("submit", "-m", "image-classification", "--id", name)
    first, again = wherry(*call, "a.jpg", "--json"), wherry(*call, "a.jpg", "--json")
    assert lines(first)[0]["created_at"] == lines(again)[0]["created_at"]
    other = wherry(*call, "c.jpg")
    assert other.exit_code == 1
    assert other.stderr.startswith("c.jpg: ")
    assert name in wherry("status", name).stdout
    assert wherry("result", name).exit_code == 0


def test_status_shows_what_it_finds_of_several(wherry: Wherry, client: Client) -> None:
    job = client.submit("embedding", embed("a"))
    client.wait(job.id)
    done = wherry("status", "nobody's", job.id, "--json")
    assert done.exit_code == 1
    unknown, found = lines(done)
    assert (unknown["id"], unknown["error_type"]) == ("nobody's", "job_not_found")
    assert (found["id"], found["status"]) == (job.id, "succeeded")
    shown = wherry("status", "[/b]", job.id)
    assert shown.exit_code == 1
    assert shown.stderr.startswith("[/b]: no job")
    assert job.id in shown.stdout


def test_result_prints_or_writes_the_answer(wherry: Wherry, client: Client) -> None:
    job = client.submit("embedding", embed("a"))
    [printed] = lines(wherry("result", job.id, "--json"))
    assert printed == client.result(job.id).model_dump(mode="json")
    assert "dimensions" in wherry("result", job.id).stdout
    assert wherry("result", job.id, "--out", "answer.json").exit_code == 0
    assert json.loads(Path("answer.json").read_text()) == printed


def test_result_of_chosen_outputs_is_an_inference_response(wherry: Wherry, client: Client) -> None:
    request = classify(b"a").to_inference_request()
    request.outputs = [v2.RequestOutput(name="score")]
    job = client.submit("image-classification", request)
    [printed] = lines(wherry("result", job.id, "--json"))
    assert [output["name"] for output in printed["outputs"]] == ["score"]
    assert '"score"' in wherry("result", job.id).stdout


def test_result_tells_why_there_is_none(
    wherry: Wherry, client: Client, let_go: Callable[[], None]
) -> None:
    bad = client.submit("image-classification", classify(b"REJECT"))
    done = wherry("result", bad.id, "--json")
    assert (done.exit_code, lines(done)[0]["error_type"]) == (1, "invalid_row")
    slow = client.submit("slow", classify(b"a"))
    late = wherry("result", slow.id, "--timeout", "0.01")
    assert late.exit_code == 1
    assert late.stderr.startswith(f"{slow.id}: job ")


def test_cancel_calls_off_what_waits(
    wherry: Wherry, client: Client, let_go: Callable[[], None]
) -> None:
    jobs = [client.submit("slow", classify(b"%d" % number)) for number in range(4)]
    done = wherry("cancel", jobs[-1].id, "nobody's", jobs[-2].id, "--json")
    assert done.exit_code == 1
    assert [line.get("status") for line in lines(done)] == ["canceled", None, "canceled"]
    let_go()
    for job in jobs:
        client.wait(job.id)


def test_a_running_job_that_is_canceled_is_said_to_end_with_its_batch(
    wherry: Wherry, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = client.submit("embedding", embed("a"))
    running = job.model_copy(update={"status": JobState.RUNNING})
    monkeypatch.setattr(Client, "cancel", lambda *_: running)
    last = wherry("cancel", job.id).stdout.splitlines()[-1]
    assert last == f"canceled when their batches end: {job.id}"
    [line] = lines(wherry("cancel", job.id, "--json"))
    assert line["status"] == "running"


def test_what_a_worker_notes_of_a_model_stands_below_the_models(
    wherry: Wherry, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"name": "fnet", "version": "1", "task": "embedding", "state": "READY", "reason": ""}
    note = "only rows of equal length share a forward"
    monkeypatch.setattr(Client, "models", lambda _: [{**entry, "note": note}, entry])
    assert wherry("models").stdout.splitlines()[-1] == f"fnet:1: {note}"


def test_reload_says_what_it_changed_and_fails_with_what_failed(
    wherry: Wherry, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wherry("reload").stdout == "nothing has changed\n"
    [changed] = lines(wherry("reload", "--json"))
    assert (changed["added"], changed["failed"], changed["done"]) == ([], {}, True)
    before = stack.models.read_text()
    try:
        stack.models.write_text(before.replace("backend", "backand", 1))
        done = wherry("reload")
    finally:
        stack.models.write_text(before)
    assert done.exit_code == 1
    assert "backand: no such field" in " ".join(done.stderr.split())
    told = {**changed, "added": ["b/1"], "failed": {"b/1": "no folder"}}
    monkeypatch.setattr(Client, "post", lambda *_: told)
    done = wherry("reload")
    assert (done.exit_code, done.stdout) == (1, "added: b/1\nb/1: no folder\n")


def test_models_show_what_each_takes_and_one_all_that_is_known(
    wherry: Wherry, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"name": "vit", "version": "1", "task": "image-classification", "state": "READY"}
    facts = {"bytes": 343_000_000, "parameters": 85_800_000, "dtype": "float32", "labels": 2}
    monkeypatch.setattr(Client, "models", lambda _: [{**entry, "reason": "", **facts}])
    shown = wherry("models").stdout
    assert all(text in shown for text in ("327 MiB", "85.8 M", "float32"))
    told = {**facts, "labels": ["cat", "dog"], "source": "google/vit", "batching": "padded"}
    metadata = {"name": "vit", "versions": ["1"], "inputs": [], "outputs": [], "parameters": told}
    monkeypatch.setattr(Client, "get", lambda *_: metadata)
    shown = wherry("models", "vit").stdout
    assert all(text in shown for text in ("google/vit", "343,000,000", "cat, dog", "padded"))
    assert lines(wherry("models", "vit", "--json")) == [metadata]


def test_models_and_queues_show_the_fleet(wherry: Wherry) -> None:
    models: Any = lines(wherry("models", "--json"))[0]  # parsed JSON
    assert {m["name"]: m["task"] for m in models}["slow"] == "image-classification"
    shown = wherry("models").stdout
    assert "READY" in shown
    assert all(model["name"] in shown for model in models)
    [fleet] = lines(wherry("queues", "--json"))
    assert set(fleet) >= {"queues", "workers", "totals"}
    assert "batch fill" in wherry("queues").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["models"],
        ["queues"],
        ["queues", "--watch"],
        ["status", "a"],
        ["cancel", "a"],
        ["result", "a"],
        ["submit", "a.jpg", "-m", "image-classification"],
    ],
)
def test_without_a_server_each_command_says_so_and_exits_with_1(
    arguments: list[str], wherry: Wherry, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "PATIENCE_S", 0.0)
    away = f"http://127.0.0.1:{free_port()}"
    for url, said, status in ((away, f"reached at {away} ", 1), ("here", "url 'here'", 2)):
        done = wherry(*arguments, "--url", url)
        assert done.exit_code == status
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_once_the_server_is_full_the_rest_is_not_tried(
    proxy: Proxy, wherry: Wherry, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "PATIENCE_S", 0.0)
    proxy.rule = lambda seen: Answer(503) if len(proxy.asked("/jobs")) > 1 else None
    call = ("submit", *files, "-m", "image-classification", "--url", proxy.url, "--json")
    done = wherry(*call)
    assert done.exit_code == 1
    assert [line.get("error_type") for line in lines(done)] == [None, "unavailable", "unavailable"]
    assert len(proxy.asked("/jobs")) == 2


def test_the_command_itself_in_a_process_of_its_own(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"REJECT")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from wherry.ops.cli import main; main()",
            "submit",
            "bad.jpg",
            "--model",
            "image-classification",
            "--wait",
            "--json",
            "--url",
            stack.url,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["error_type"] == "invalid_row"
