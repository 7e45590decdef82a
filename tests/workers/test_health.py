"""Whether a worker is alive and ready, as a probe sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wherry.jobs.group import Group
from wherry.workers import health
from wherry.workers.deaf_consumer import Consuming
from wherry.workers.health_file import HealthFile

GROUP = Group("text", "embedding", "1")


class Told:
    """A worker's file by the clock, and what a probe makes of it."""

    def __init__(self, folder: Path) -> None:
        self.path, self.now_s = folder / "run" / "health", 100.0
        self.info: dict[str, object] = {"state": "loading", "served": []}
        self.away = False
        self.consuming = Consuming(
            threads=1,
            patience_s=10,
            families=lambda: {"text"},
            probe=lambda groups: None,
            restart=lambda: None,
            clock=lambda: self.now_s,
        )
        self.file = HealthFile(
            str(self.path),
            lease_s=15,
            info=lambda: self.info,
            consuming=self.consuming,
            away=lambda: self.away,
            clock=lambda: self.now_s,
        )
        self.file.write()

    def serves(self) -> None:
        self.info = {"state": "ready", "served": ["embedding/1"], "reason": ""}

    def later(self, seconds: float, *, looks: bool = True, beats: bool = True) -> None:
        """Time passes; the worker writes as it does."""
        for _ in range(int(seconds / 2)):
            self.now_s += 2
            if looks:
                self.file.looked(beats=beats)
            self.file.write()

    def alive(self) -> str:
        return health.not_alive(health.read(str(self.path)), self.now_s)

    def ready(self) -> str:
        return health.not_ready(health.read(str(self.path)), self.now_s)


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def test_a_worker_that_loads_is_alive_for_as_long_as_it_takes_and_not_ready(told: Told) -> None:
    told.later(3600, looks=False)
    assert (told.alive(), told.ready()) == ("", "loading")
    told.serves()
    told.file.write()
    assert (told.alive(), told.ready()) == ("", "")


def test_a_process_that_says_nothing_is_not_alive(told: Told) -> None:
    told.serves()
    told.file.write()
    told.now_s += health.STALE_S
    assert told.alive() == ""
    told.now_s += 1
    assert told.alive() == told.ready() == "the process has not said a word for 31 s"


def test_a_file_of_before_the_machine_was_started_is_no_life(told: Told) -> None:
    told.now_s = 3.0
    assert "has not said a word" in told.alive()


def test_a_keeper_that_looks_no_more_is_not_alive(told: Told) -> None:
    told.serves()
    told.later(health.LOOK_S, looks=False)
    assert told.alive() == ""
    told.later(2, looks=False)
    assert told.alive() == "the keeper has not looked at the fleet for 62 s"


def test_a_heartbeat_that_reaches_redis_no_more_is_no_life(told: Told) -> None:
    told.serves()
    told.later(44, beats=False)
    assert told.alive() == ""
    told.later(2, beats=False)
    assert told.alive() == "no heartbeat has reached Redis for 46 s"
    told.later(2)
    assert told.alive() == ""


def test_redis_away_is_no_reason_to_end_a_worker_which_is_not_ready_then(told: Told) -> None:
    told.serves()
    told.away = True
    told.later(3600, looks=False)
    assert (told.alive(), told.ready()) == ("", "Redis is away")
    told.away = False
    told.later(2)
    assert (told.alive(), told.ready()) == ("", "")


def test_a_consumer_that_a_restart_has_not_mended_is_no_life(told: Told) -> None:
    told.serves()
    for _ in range(22):  # two looks a second, jobs wait: restarted after ten seconds
        told.consuming.look([GROUP])
        told.now_s += 0.5
    told.file.looked(beats=True)
    told.file.write()
    assert told.alive() == ""
    for _ in range(12):
        told.consuming.look([GROUP])
        told.now_s += 0.5
    told.file.looked(beats=True)
    told.file.write()
    assert "and no ticket came for 6 s while jobs wait" in told.alive()
    with told.consuming.serving():
        pass
    told.later(2)
    assert told.alive() == ""


def test_who_serves_nothing_or_waits_or_leaves_is_not_ready(told: Told) -> None:
    told.info = {"state": "waiting", "served": [], "reason": "another store"}
    told.file.write()
    assert (told.alive(), told.ready()) == ("", "waiting: another store")
    told.info = {"state": "ready", "served": []}
    told.file.write()
    assert told.ready() == "it serves no model: none could be loaded"
    told.info = {"state": "draining", "served": ["embedding/1"]}
    told.file.write()
    assert (told.alive(), told.ready()) == ("", "draining")


def test_a_disk_that_is_full_ends_no_worker(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.path.unlink()
    told.path.parent.rmdir()
    told.path.parent.write_text("in the way")
    told.later(10)
    assert [record.getMessage() for record in caplog.records if "nobody" in record.getMessage()]
    assert len(caplog.records) == 1


def test_two_workers_of_one_file_are_told_apart(
    told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    told.file._warn_of_another()
    assert not caplog.records, "its own word"
    said = json.loads(told.path.read_text())
    told.path.write_text(json.dumps({**said, "pid": os.getppid()}))
    told.file._warn_of_another()
    assert f"process {os.getppid()} says in {told.path} how it does" in caplog.text
    caplog.clear()
    told.now_s += health.STALE_S + 1
    told.file._warn_of_another()
    assert not caplog.records, "it is gone"


def test_a_worker_that_leaves_takes_its_file_along(told: Told) -> None:
    told.file.start()
    assert told.path.exists()
    told.file.stop()
    assert not told.path.exists()


def check(*arguments: str, file: Path | None) -> tuple[int, str]:
    """The command as a probe runs it."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "wherry.workers.health", *arguments],
        env={**os.environ, "WHERRY_HEALTH_FILE": str(file or "")},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


def test_the_command_says_why(told: Told, tmp_path: Path) -> None:
    told.file = HealthFile(  # by the machine's own clock
        str(told.path),
        lease_s=15,
        info=lambda: told.info,
        consuming=told.consuming,
        away=lambda: False,
    )
    told.file.write()
    assert check(file=told.path) == (0, "alive")
    assert check("--ready", file=told.path) == (1, "loading")
    told.serves()
    told.file.write()
    assert check("--ready", file=told.path) == (0, "ready")
    assert check(str(told.path), file=None) == (0, "alive")
    assert check(file=None)[0] == 1
    status, why = check(file=tmp_path / "none")
    assert status == 1
    assert "No such file or directory: no worker keeps it, or it has only begun" in why
    for odd in ("{", json.dumps({"at": 1}), "[]"):
        told.path.write_text(odd)
        assert check(file=told.path) == (1, f"{told.path} is not a worker's")


def test_the_command_loads_nothing_heavy() -> None:
    code = (
        "import sys, wherry.workers.health\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules} - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pydantic", "redis", "celery", "torch"} & set(eval(done.stdout))
