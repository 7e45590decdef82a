"""A command that is wrong in itself, whatever a server holds: status 2, and what is wrong.

No server runs here, and no Redis: what is found out by asking one would be status 1.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from typer import Typer
from typer.main import get_command
from typer.testing import CliRunner

from wherry.api.access import commands as key_commands
from wherry.client import (
    batch_commands,
    commands,
    dead_commands,
    fleet_commands,
    job_commands,
    terminal,
    webhook_commands,
)
from wherry.client.command_inputs import check_parameters
from wherry.client.errors import UsageError
from wherry.ops import check_command, task_commands
from wherry.ops import commands as ops_commands
from wherry.tasks.registry import get_task, task_names
from wherry.workers import commands as worker_commands

ROOMS = (
    commands,
    job_commands,
    fleet_commands,
    batch_commands,
    dead_commands,
    webhook_commands,
    key_commands,
    worker_commands,
    ops_commands,
    check_command,
    task_commands,
)

APP = Typer()
for room in ROOMS:
    room.register(APP)
#: Made once: that takes ten times what reading a command line does.
COMMAND = get_command(APP)

SUBMIT = "submit a.txt --model m"
BATCH = "batch submit lines.jsonl"
KEY = "keys create --tenant acme"

WRONG = [
    ("submit --model m --priority 10", "--priority"),
    ("submit --model m --priority -1", "--priority"),
    (f"{SUBMIT} --priority high", "--priority"),
    (f"{SUBMIT} --wait --timeout -1", "--timeout"),
    (f"{SUBMIT} --wait --timeout nan", "--timeout"),
    (f"{SUBMIT} --wait --timeout soon", "--timeout"),
    (f"{SUBMIT} --timeout 1", "goes with --wait"),
    (f"{SUBMIT} --id {'a' * 257}", "--id"),
    (f"{SUBMIT} --webhook nonsense", "--webhook"),
    (f"{SUBMIT} --webhook ftp://example.org/x", "--webhook"),
    (f"{SUBMIT} --param top_k", "expected name=value"),
    (f"{SUBMIT} --param =1", "expected name=value"),
    (f"{SUBMIT} --bogus", "No such option"),
    ("submit none.txt --model m", "none.txt"),
    ("submit . --model m", "directory"),
    ("submit a.txt", "--model"),
    ("status", "ids"),
    ("cancel", "ids"),
    ("result a --timeout -1", "--timeout"),
    ("result a --timeout nan", "--timeout"),
    ("result a --out none/x", "no folder 'none'"),
    ("result a --out .", "directory"),
    (f"{BATCH} --window 3x", "--window 3x"),
    (f"{BATCH} --window 0h", "--window 0h"),
    (f"{BATCH} --window -1h", "--window -1h"),
    (f"{BATCH} --window 31d", "30d at most"),
    (f"{BATCH} --window {'9' * 5000}d", "30d at most"),
    (f"{BATCH} --keep 3x", "--keep 3x"),
    (f"{BATCH} --keep 1s", "1h at least"),
    (f"{BATCH} --keep 31d", "30d at most"),
    (f"{BATCH} --endpoint embeddings", "--endpoint"),
    (f"{BATCH} --meta x", "expected name=value"),
    ("batch submit none.jsonl", "none.jsonl"),
    ("batch list --limit 0", "--limit"),
    ("batch result a --out none/x", "no folder 'none'"),
    ("batch result a --errors none/x", "no folder 'none'"),
    ("dead list --limit 0", "--limit"),
    ("dead replay", "name ids"),
    ("dead drop a --all", "name ids"),
    ("webhooks list --limit 0", "--limit"),
    ("webhooks list --limit 1001", "--limit"),
    ("webhooks retry", "name jobs"),
    ("webhooks retry a --all", "name jobs"),
    ("keys create --tenant A", "tenant: a tenant is"),
    ("keys create --tenant", "--tenant"),
    ("keys create --scope submit", "names no tenant"),
    (f"{KEY} --scope root", "scopes[0]: "),
    (f"{KEY} --weight -1", "--weight"),
    (f"{KEY} --weight 0", "weight: "),
    (f"{KEY} --weight nan", "--weight"),
    (f"{KEY} --max-waiting -1", "--max-waiting"),
    (f"{KEY} --max-waiting-bytes -1", "--max-waiting-bytes"),
    (f"{KEY} --submits-per-s -1", "--submits-per-s"),
    (f"{KEY} --submits-per-s inf", "submits_per_s: "),
    (f"{KEY} --expires-in-days -1", "--expires-in-days"),
    (f"{KEY} --expires-in-days 1e30", "--expires-in-days"),
    (f"{KEY} --file none/keys.toml", "no folder 'none'"),
    (f"{KEY} --file lines.jsonl", "is no file of keys"),
    (f"{KEY} --file keys.toml --hash-only", "leave out --file"),
    ("keys revoke", "ids"),
    ("cancel", "name ids"),
    ("cancel a --all", "name ids"),
    ("cancel a --dry-run", "--dry-run is for"),
    ("cancel --status failed", "only queued and running"),
    ("cancel --model a --older-than soon", "--older-than 'soon'"),
    ("jobs a --model b", "not both"),
    ("jobs --newer-than 1y", "--newer-than '1y'"),
    ("jobs --status slow", "--status"),
    ("jobs --limit 0", "--limit"),
    ("drain", "names"),
    ("drain a --timeout 3", "--wait"),
    ("load", "models"),
    ("worker", "families"),
    ("worker visoin", "did you mean 'vision'?"),
    ("worker vision --concurrency 0", "--concurrency"),
    ("worker vision --concurrency -1", "--concurrency"),
    ("worker vision --number -1", "--number"),
    ("worker vision --device tpu", "device 'tpu'"),
    ("worker vision --name @@", "--name"),
    ("sweep now", "unexpected extra argument"),
    ("check --device tpu", "device 'tpu'"),
    ("up --port 65536", "--port"),
    ("up --port -1", "--port"),
    ("up --grpc-port -1", "--grpc-port"),
    ("up --flower-port 65536", "--flower-port"),
    ("up --concurrency 0", "--concurrency"),
    ("up --device tpu", "device 'tpu'"),
    ("up --device cuda:x", "device 'cuda:x'"),
    ("up --redis-url here", "--redis-url"),
    ("up --redis-memory 3x", "--redis-memory"),
    ("up --fsync sometimes", "--fsync"),
    ("up --log-level loud", "--log-level"),
    ("up --models none.toml", "none.toml"),
    ("up --models .", "directory"),
    ("tasks origami", "origami"),
    ("new-task Bad --family vision", "lower-case"),
    ("new-task good --family smell", "--family"),
    ("new-task good --family vision --root .", "no checkout"),
    ("frobnicate", "No such command"),
]

#: Commands that ask a server.
ASKING = [
    "models",
    "queues",
    "reload",
    "load a",
    "unload a",
    "workers",
    "drain a",
    "undrain a",
    "jobs",
    "jobs a",
    "status a",
    "cancel a",
    "cancel --all",
    "cancel --model a --dry-run",
    "result a",
    SUBMIT,
    BATCH,
    "batch status a",
    "batch list",
    "batch cancel a",
    "batch result a",
    "dead list",
    "dead show a",
    "dead replay a",
    "dead drop a",
    "webhooks list",
    "webhooks retry a",
]


def call(command: str, **env: str) -> tuple[int, str]:
    done = CliRunner().invoke(APP, command.split(), env={"COLUMNS": "9000", **env})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("typer.testing._get_command", lambda _: COMMAND)
    monkeypatch.setattr(terminal, "PATIENCE_S", 0.0)
    monkeypatch.setattr(batch_commands, "_PATIENCE_S", 0.0)
    monkeypatch.setenv("WHERRY_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("WHERRY_REDIS_URL", "redis://127.0.0.1:1")
    Path("a.txt").write_text("x")
    Path("lines.jsonl").write_text('{"url": "/v1/embeddings"}\n')


@pytest.mark.parametrize(("command", "said"), WRONG, ids=[c[:60] for c, _ in WRONG])
def test_a_wrong_command_exits_with_2_and_says_what_is_wrong(command: str, said: str) -> None:
    status, output = call(command)
    assert said in output
    assert status == 2


@pytest.mark.parametrize("command", ASKING)
def test_a_server_that_is_away_is_no_usage_error(command: str) -> None:
    status, output = call(command)
    assert "the server cannot be reached at http://127.0.0.1:1" in output
    assert status == 1


@pytest.mark.parametrize("url", ["here", "ftp://host", "http://", "http://a b", "http://h:99999"])
@pytest.mark.parametrize("command", ASKING)
def test_a_url_that_is_none_exits_with_2(command: str, url: str) -> None:
    status, output = call(command, WHERRY_URL=url)
    assert output.startswith(f"error: url {url.rstrip('/')!r}: expected one like http://")
    assert status == 2


@pytest.mark.parametrize("env", [{"WHERRY_API_KEY": "two words"}, {"WHERRY_API_KEY_FILE": "none"}])
def test_a_key_that_is_none_exits_with_2(env: dict[str, str]) -> None:
    status, output = call("models", **env)
    assert output.startswith("error: ")
    assert status == 2


@pytest.mark.parametrize("name", task_names())
def test_parameters_are_looked_at_before_any_file_is(name: str) -> None:
    task = get_task(name)
    check_parameters(task, {})
    if name != "custom":  # whose handler knows
        with pytest.raises(UsageError, match=r"^--param: .*no_such_parameter"):
            check_parameters(task, {"no_such_parameter": 1})
