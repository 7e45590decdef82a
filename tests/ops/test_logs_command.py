"""`wherry logs`: the lines of one's own stack, by service, level and time."""

from __future__ import annotations

import io
import json
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from wherry.ops import logs_command
from wherry.ops.log_lines import LevelReader, added, kept
from wherry.ops.log_view import LogView

APP = typer.Typer()
logs_command.register(APP)

CELERY = "[2026-11-29 21:00:00,000: WARNING/MainProcess] the consumer is restarted"
TRACE = '  File "worker.py", line 1'
LINES = [
    ("redis", "22:M 29 Nov 2026 21:00:00.000 * Ready to accept connections"),
    ("redis", "22:M 29 Nov 2026 21:00:00.000 # Can't save in background"),
    ("api", "INFO:     Uvicorn running"),
    ("api", "ERROR:    no such thing"),
    ("worker-text-0", CELERY),
    ("worker-text-0", TRACE),
    ("worker-vision-0", json.dumps({"level": "critical", "message": "no room"})),
    ("flower", "[E 261128 20:09:51 inspector:98] cannot look"),
]


def call(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(APP, list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A stack's folder, with a log as `wherry up` writes it."""
    view = LogView(Console(file=io.StringIO()), tmp_path / "up.log")
    for service, line in LINES:
        view(service, line)
    view.close()
    return tmp_path


def said(folder: Path, *options: str) -> list[str]:
    status, output = call(*options, "--data-dir", str(folder))
    assert status == 0, output
    return output.splitlines()


def test_each_kind_of_service_says_its_level_in_its_own_way() -> None:
    reader = LevelReader()
    head = "2026-11-29 21:00:00,123 service "
    levels = [reader.read(head + text).level for _, text in LINES]
    assert levels == ["info", "warning", "info", "error", *["warning"] * 2, "critical", "error"]


def test_lines_are_chosen_by_level_and_service(folder: Path) -> None:
    assert len(said(folder)) == len(LINES)
    grave = said(folder, "--level", "error")
    assert [line.split()[2] for line in grave] == ["api", "worker-vision-0", "flower"]
    worker = said(folder, "worker-text", "--level", "warning")
    assert [line.split("worker-text-0  ")[-1] for line in worker] == [CELERY, TRACE]
    assert len(said(folder, "--lines", "2")) == 2


def test_lines_are_chosen_by_time(tmp_path: Path) -> None:
    now = datetime.now()  # noqa: DTZ005 # the log's
    times = [now - timedelta(hours=3), now - timedelta(minutes=5)]
    text = "".join(f"{at:%Y-%m-%d %H:%M:%S},000 api            INFO: {at:%H}\n" for at in times)
    (tmp_path / "up.log").write_text(text)
    assert len(said(tmp_path, "--since", "1h")) == 1
    assert len(said(tmp_path, "--since", (now - timedelta(days=1)).isoformat())) == 2
    status, output = call("--since", "yesterday", "--data-dir", str(tmp_path))
    assert (status, "--since 'yesterday'" in output) == (2, True)


def test_a_log_of_json_lines_says_time_and_level_itself(tmp_path: Path) -> None:
    told = [
        {"time": "2026-11-29T20:00:00.000+00:00", "level": "info", "message": "long ago"},
        {"time": "2099-11-29T20:00:00.000+00:00", "level": "error", "message": "to come"},
    ]
    path = tmp_path / "worker.log"
    path.write_text("".join(json.dumps(each) + "\n" for each in told))
    status, output = call("--file", str(path), "--since", "2098-01-01T00:00:00Z", "--json")
    assert (status, [json.loads(line) for line in output.splitlines()]) == (0, told[1:])
    assert "long ago" not in call("--file", str(path), "--level", "warning")[1]


def test_json_is_shown_as_a_line_for_people(tmp_path: Path) -> None:
    told = {
        "time": "2026-11-29T20:00:00.118+00:00",
        "level": "error",
        "logger": "wherry.workers",
        "message": "the model raised",
        "trace_id": "4bf9",
        "span_id": "00f0",
        "model": "embedding/1",
        "jobs": ["a", "b", "c", "d", "e"],
        "job_traces": ["4bf9"],
        "free_bytes": 7,
        "exception": "Traceback:\n  here\nValueError: no",
    }
    view = LogView(Console(file=io.StringIO()), tmp_path / "up.log")
    view("worker-text", json.dumps(told))
    view("api", "INFO:     Uvicorn running")
    view.close()
    first, *trace, last = said(tmp_path)
    head, _, rest = first.partition("worker-text    ")
    datetime.fromisoformat(head.strip())  # the local time
    about = "model embedding/1  job a, b, c and 2 more  trace 4bf9  free_bytes 7"
    assert rest == f"ERROR    the model raised  ({about})"
    assert trace == ["    Traceback:", "      here", "    ValueError: no"]
    assert last.endswith("api            INFO:     Uvicorn running"), "text stays as it is"


def test_machines_get_one_object_a_line_of_all(tmp_path: Path) -> None:
    told = {"time": "2026-11-29T20:00:00.118+00:00", "level": "error", "message": "no room"}
    view = LogView(Console(file=io.StringIO()), tmp_path / "up.log")
    view("worker-text", json.dumps(told))
    view("api", "ERROR:    no such thing")
    view.close()
    worker, api = map(json.loads, said(tmp_path, "--json"))
    assert worker == {**told, "service": "worker-text"}
    assert datetime.fromisoformat(api.pop("time")).tzinfo is not None
    assert api == {"level": "error", "message": "ERROR:    no such thing", "service": "api"}


def test_no_line_of_json_moves_a_terminal_or_looks_like_two(tmp_path: Path) -> None:
    told = {
        "message": "refused: x\n2026-11-29 21:00:00,000 api            all is well\x1b[2J",
        "model": "a\nb\u202e",
        "exception": "ValueError: \x9b1A",
    }
    path = tmp_path / "worker.log"
    path.write_text(json.dumps(told) + "\n")
    status, output = call("--file", str(path))
    first, second, third = output.splitlines()
    assert (status, first) == (0, r"INFO     refused: x  (model a\nb\u202e)")
    assert second == r"    2026-11-29 21:00:00,000 api            all is well\x1b[2J"
    assert third == r"    ValueError: \x9b1A"


@pytest.mark.parametrize(
    "text",
    [
        r'{"message": "a\ud800b", "k\udc80": "\udc80"}',
        '{"message": "m", "time": "0001-01-01T00:00:00+14:00"}',
        '{"a":' * 5000 + "1" + "}" * 5000,
        "2026-13-45 00:00:00,000 api            no such day",
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_line_ends_what_is_shown_of_others(
    tmp_path: Path, text: str, form: tuple[str, ...]
) -> None:
    path = tmp_path / "worker.log"
    path.write_text(f"{text}\nthe next\n")
    status, output = call("--file", str(path), *form)
    before, after = output.splitlines()
    assert (status, bool(before), "the next" in after) == (0, True, True)


def test_the_file_before_comes_first(folder: Path) -> None:
    (folder / "up.log.1").write_text("2026-11-28 21:00:00,000 api            older\n")
    first, *rest = kept(folder / "up.log")
    assert (first.endswith("older"), len(rest)) == (True, len(LINES))


def test_lines_that_come_are_followed_into_the_next_file(folder: Path) -> None:
    path, halt = folder / "up.log", threading.Event()
    lines = added(path, halt)
    seen = list[str]()
    begun, enough = threading.Event(), threading.Event()

    def follow() -> None:
        for line in lines:
            seen.append(line)
            begun.set()
            if line == "third":
                enough.set()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        while not begun.wait(0.05):  # it may begin after the first of them
            with path.open("a") as file:
                file.write("first\n")
        path.rename(folder / "up.log.1")
        path.write_text("second\nthi")
        with path.open("a") as file:
            file.write("rd\n")
        assert enough.wait(30), seen
    finally:
        halt.set()
        thread.join()
    assert list(dict.fromkeys(seen)) == ["first", "second", "third"]


def test_what_is_not_there_is_said_with_who_has_it(folder: Path) -> None:
    status, output = call("--data-dir", str(folder / "none"))
    assert status == 1
    for word in ("up.log", "journalctl -u 'wherry-*' -f", "docker compose logs", "kubectl logs"):
        assert word in output
    status, output = call("worker-audio", "--data-dir", str(folder))
    assert status == 1
    assert "it has: api, flower, redis, worker-text-0, worker-vision-0" in " ".join(output.split())
