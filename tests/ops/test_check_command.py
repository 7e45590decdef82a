"""`wherry check`, and what `wherry worker` says and exits with when it cannot start."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ..support.models import model
from ..support.nursery import Nursery

GOOD = model("good", "embedding")
BAD = model("bad", "embedding", backend="stubb")


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(nursery: Nursery) -> Run:
    """Runs `wherry ARGUMENTS` in a folder, with no settings of ours but those that are given."""
    given = {k: v for k, v in os.environ.items() if not k.startswith("WHERRY_")}
    return lambda folder, *arguments, **env: nursery.run(folder, *arguments, env={**given, **env})


def test_models_that_can_be_served(run: Run, tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(GOOD)
    done = run(tmp_path, "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "models.toml: 1 model, nothing is wrong with them\n"


def test_each_fault_is_a_line_and_the_exit_status_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(GOOD + BAD + BAD.replace("bad", "worse"))
    done = run(tmp_path, "check", "other.toml", "--device", "cpu")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: model {name!r}: backend: unknown backend 'stubb'; did you mean 'stub'?"
        for name in ("bad", "worse")
    ]
    assert done.stdout == "other.toml: 3 models, 2 errors\n"


def test_an_empty_source_is_told_by_its_field(run: Run, tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(GOOD + 'source = ""\n')
    done = run(tmp_path, "check")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert ": source: is empty; name a folder or a hub id, or leave it out" in line


def test_the_sound_fields_of_a_faulty_declaration_are_looked_at(run: Run, tmp_path: Path) -> None:
    wrong = BAD + 'sorce = "x"\nmax_batch_size = 0\nparameters = { dtyp = 1 }\n'
    unnamed = BAD.replace("stubb", "stub").replace('"bad"', '"b d"') + "parameters = { a = 1 }\n"
    (tmp_path / "models.toml").write_text(wrong + unnamed)
    done = run(tmp_path, "check", "--device", "cpu")
    assert done.returncode == 1
    faults = [line.partition("model ")[2] for line in done.stderr.splitlines()]
    assert sorted(fault for fault in faults if fault.startswith("'bad'")) == [
        "'bad': backend: unknown backend 'stubb'; did you mean 'stub'?",
        "'bad': max_batch_size: Input should be greater than or equal to 1",
        "'bad': sorce: no such field; did you mean 'source'?",
    ]
    assert any("'b d': parameters: 'stub' takes no 'a'" in fault for fault in faults)


def test_a_handler_is_looked_for_where_the_workers_look(run: Run, tmp_path: Path) -> None:
    handler = '[[models]]\nname = "own"\ntask = "custom"\nbackend = "handler"\nsource = "mine"\n'
    (tmp_path / "models.toml").write_text(handler)
    assert "WHERRY_HANDLER_DIR names where" in run(tmp_path, "check").stderr
    (tmp_path / "trusted" / "mine").mkdir(parents=True)
    (tmp_path / "trusted" / "mine" / "handler.py").write_text("class EndpointHandler: pass\n")
    trusted = str(tmp_path / "trusted")
    assert run(tmp_path, "check", WHERRY_HANDLER_DIR=trusted).returncode == 0
    assert run(tmp_path, "check", "--handler-dir", trusted).returncode == 0


def test_programs_read_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(GOOD + BAD)
    done = run(tmp_path, "check", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], told["models"]) == (1, False, 2)
    (fault,) = told["faults"]
    assert (fault["model"], fault["level"]) == ("bad", "error")


def test_a_file_that_is_not_there(run: Run, tmp_path: Path) -> None:
    done = run(tmp_path, "check")
    assert (done.returncode, done.stdout) == (1, "models.toml: 0 models, 1 error\n")
    assert done.stderr == "error: models.toml: no such file; WHERRY_MODELS names another\n"
    assert run(tmp_path, "check", "--colour").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "env", "status", "said"),
    [
        (["text"], {}, 78, "error: models.toml: no such file"),
        (["text"], {"WHERRY_LEASE_TTL_S": "x"}, 78, "error: WHERRY_LEASE_TTL_S: "),
        (["text"], {"WHERRY_EVENTS": "some"}, 78, "error: WHERRY_EVENTS: "),
        (["text", "--device", "tpu"], {}, 2, "device 'tpu'"),
        (["text"], {"WHERRY_DEVICE": "tpu"}, 2, "device 'tpu'"),
        (["txt"], {}, 2, "unknown family 'txt'; did you mean 'text'?"),
    ],
)
def test_a_worker_that_cannot_start_says_one_line(
    run: Run, tmp_path: Path, arguments: list[str], env: dict[str, str], status: int, said: str
) -> None:
    if "WHERRY_LEASE_TTL_S" in env:
        (tmp_path / "models.toml").write_text(GOOD)
    done = run(tmp_path, "worker", *arguments, **env)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_strict_worker_needs_all_its_models(run: Run, tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(GOOD + BAD)
    done = run(tmp_path, "worker", "text", WHERRY_STRICT_MODELS="true")
    assert done.returncode == 78
    assert done.stderr.startswith("error: model 'bad': backend: unknown backend")


@pytest.mark.parametrize("fault", ["no such file", "not TOML"])
def test_celerys_own_command_line_exits_with_the_status(
    nursery: Nursery, tmp_path: Path, fault: str
) -> None:
    if fault == "not TOML":
        (tmp_path / "models.toml").write_text("[[")
    words = ("worker", "-Q", "text", "-P", "solo")
    done = nursery.run(tmp_path, *words, env=os.environ, program="wherry.workers")
    assert done.returncode == 78
    assert f"this worker cannot start: models.toml: {fault}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"WHERRY_EVENTS": "some"}, ["WHERRY_EVENTS: "]),
        (
            {"WHERRY_MAX_ROWS_PER_JOB": "x", "WHERRY_LEASE_TTL_S": "0"},
            ["WHERRY_LEASE", "WHERRY_MAX"],
        ),
        ({"WHERRY_STORE_URL": "ftp://x"}, ["WHERRY_STORE_URL 'ftp://x'"]),
        ({"WHERRY_STORE_DIR": "/proc/x"}, ["the blob folder refused a write: "]),
    ],
)
def test_a_stack_that_cannot_start_says_a_line_a_fault(
    run: Run, env: dict[str, str], said: list[str], tmp_path: Path
) -> None:
    (tmp_path / "models.toml").write_text(GOOD)
    done = run(tmp_path, "up", "--port", "0", "--no-flower", **env)
    assert done.returncode == 1
    faults = done.stdout.splitlines()[1:]
    assert len(faults) == len(said)
    for line, start in zip(faults, said, strict=True):
        assert line.startswith(f"error: {start}")
    assert not (tmp_path / ".wherry").exists()
