"""ops/systemd: systemd takes the units, their commands are ours, and they work closed off."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from wherry.client import Client
from wherry.ops.ports import free_port
from wherry.protocol.env_file import env_text, read_env
from wherry.tasks.vision.image_classification import ImageClassificationInput
from wherry.workers.settings import WorkerSettings
from wherry.workers.threads import EXIT_UNUSABLE

from ..house.test_commands_in_pages import unknown
from ..support.models import model
from ..support.waiting import until

FOLDER = Path(__file__).parents[2] / "ops" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
WHERRY = "/opt/wherry/bin/wherry"

#: What `systemd-analyze security` may find open, of 10.
MOST_EXPOSED = 2.5

#: The same locks as the units', without systemd: no capability, none to gain, a read-only system.
#: It stays the user who owns this Python, which another may not be let near.
CLOSED = """\
set -e
mount --make-rprivate /
mount -t tmpfs none /var/lib && mkdir /var/lib/wherry && mount --bind {state} /var/lib/wherry
mount -t tmpfs none /tmp && chmod 1777 /tmp
mount -o remount,bind,ro /
cd /var/lib/wherry
exec setpriv --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all {command}
"""

#: Refuses memory that is written and then run, as MemoryDenyWriteExecute does; then becomes the
#: command. Children inherit it.
NO_MADE_CODE = (
    "import ctypes, os, sys; assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0;"
    " os.execv(sys.argv[1], sys.argv[1:])"
)


def settings(unit: Path) -> dict[str, list[str]]:
    """What a unit says, each name with its values."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if line and line[0] not in "#[":
            name, mark, value = line.partition("=")
            assert mark, line
            found.setdefault(name, []).append(value)
    return found


def command(unit: Path) -> list[str]:
    [line] = settings(unit)["ExecStart"]
    return shlex.split(line.replace("%i", "vision"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_units_command_is_one_of_ours(unit: Path) -> None:
    program, *words = command(unit)
    assert program == WHERRY
    assert unknown(list(words)) == ""


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_ends_and_starts_again_as_a_service_does(unit: Path) -> None:
    said = settings(unit)
    assert said["KillSignal"] == ["SIGTERM"]
    assert said["Restart"] == ["on-failure"]
    assert said["RestartPreventExitStatus"] == [str(EXIT_UNUSABLE)]
    assert said["StartLimitIntervalSec"] == ["0"]
    if "worker" in command(unit):
        drain_s = WorkerSettings.model_fields["drain_timeout_s"].default
        assert int(said["TimeoutStopSec"][0]) >= 2 * drain_s


@pytest.fixture
def systemd_analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    return found


def test_systemd_finds_no_fault(systemd_analyze: str, tmp_path: Path) -> None:
    wherry = str(Path(sys.executable).parent / "wherry")
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace(WHERRY, wherry))
    units = [str(tmp_path / unit.name) for unit in UNITS]
    done = subprocess.run(
        [systemd_analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_calls_a_unit_closed(systemd_analyze: str, unit: Path) -> None:
    threshold = f"--threshold={MOST_EXPOSED * 10:.0f}"
    done = subprocess.run(
        [systemd_analyze, "security", "--offline=true", "--no-pager", threshold, str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Services:
    """The units' commands, with what they may write and no more."""

    def __init__(self, state: Path, env: dict[str, str]) -> None:
        self._state, self._env = state, env
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, **more: str) -> None:
        unit = FOLDER / name
        here = Path(sys.executable).parent
        words = [str(here / "wherry"), *command(unit)[1:]]
        if settings(unit).get("MemoryDenyWriteExecute"):
            words = [sys.executable, "-c", NO_MADE_CODE, *words]
        closed = CLOSED.format(venv=Path(sys.prefix), state=self._state, command=shlex.join(words))
        with (self._state / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                ["unshare", "--mount", "--ipc", "bash", "-c", closed],
                env={"PATH": os.environ["PATH"], "HOME": "/var/lib/wherry", **self._env, **more},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, name: str) -> int:
        """As KillMode=mixed and TimeoutStopSec have it: SIGTERM to the first process."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        [patience_s] = settings(FOLDER / name)["TimeoutStopSec"]
        try:
            return process.wait(float(patience_s))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()

    def ended(self, name: str) -> int:
        """Wait for the end of one that was not asked for it."""
        return self._running.pop(name).wait(60)

    def said(self, name: str) -> str:
        return (self._state / f"{name}.log").read_text(errors="replace")

    def all_said(self) -> str:
        return "\n".join(self.said(unit.name)[-3000:] for unit in UNITS)

    def close(self) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)


@pytest.fixture
def services() -> Iterator[Services]:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root, and setpriv and unshare: apt-get install util-linux")
    with tempfile.TemporaryDirectory(prefix="wherry-state-") as folder:
        state = Path(folder)
        (state / "models.toml").write_text(model("image-classification"))
        redis_port = free_port()
        env_file = state / "wherry.env"
        env_file.write_text(
            env_text(
                {
                    "WHERRY_REDIS_URL": f"redis://:sec'ret@127.0.0.1:{redis_port}/0",
                    "WHERRY_REDIS_PASSWORD": "sec'ret",
                    "WHERRY_REDIS_PORT": str(redis_port),
                    "WHERRY_MODELS": "/var/lib/wherry/models.toml",
                    "WHERRY_PORT": str(free_port()),
                    "WHERRY_FLOWER_PORT": str(free_port()),
                }
            )
        )
        services = Services(state, read_env(env_file))
        try:
            yield services
        finally:
            services.close()


@pytest.mark.slow
def test_the_services_work_closed_off_and_end_in_order(services: Services) -> None:
    names = [unit.name for unit in UNITS]
    env = services._env
    url, flower = (f"http://127.0.0.1:{env[f'WHERRY_{n}PORT']}" for n in ("", "FLOWER_"))
    first = ["wherry-redis.service", "wherry-api.service"]
    for name in [*first, *(name for name in names if name not in first)]:
        services.start(name)
    try:
        until(lambda: answers(f"{url}/v2/health/ready"))
    except AssertionError:
        pytest.fail(services.all_said())
    until(lambda: answers(f"{flower}/healthcheck"))
    with Client(url) as client:
        job = client.submit("image-classification", ImageClassificationInput(images=[b"x"]))
        assert client.wait(job.id, 60).status == "succeeded"
    last = ["wherry-api.service", "wherry-redis.service"]
    for name in [*(name for name in names if name not in last), *last]:
        # Uvicorn ends in order, then by the signal that it was sent, which systemd calls clean.
        clean = -signal.SIGTERM if name == "wherry-api.service" else 0
        assert services.stop(name) == clean, services.said(name)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "more", "why"),
    [
        ("wherry-worker@.service", {"WHERRY_MODELS": "/nowhere"}, "no such file"),
        ("wherry-api.service", {"WHERRY_HOST": "198.51.100.9"}, "no address of this machine"),
        (
            "wherry-redis.service",
            {"WHERRY_REDIS_HOST": "0.0.0.0", "WHERRY_REDIS_PASSWORD": ""},
            "own",
        ),
        ("wherry-flower.service", {"WHERRY_FLOWER_HOST": "0.0.0.0"}, "no password"),
    ],
)
def test_what_cannot_start_is_not_started_again(
    services: Services, unit: str, more: dict[str, str], why: str
) -> None:
    services.start(unit, **more)
    assert services.ended(unit) == EXIT_UNUSABLE, services.said(unit)
    assert why in services.said(unit)
