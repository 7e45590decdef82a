"""docs/deploy.md, typed as it stands on two machines; then the cable is cut."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ..support.models import model
from ..support.waiting import until
from .machines import Machine, Terminal, require_machines, two_machines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

#: A look is two commands, which take seconds where much else runs.
soon = partial(until, timeout_s=180)

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"

#: Commands that stay in the foreground, and what they print once they are ready.
STAYS = {"wherry up": "Ready.", "wherry worker": " is ready"}

#: A model of the test's, beside the page's: it waits while the folder has a file of that name.
HELD = model("held", "image-classification", max_batch_size=1, hold="hold")


def typed(heading: str) -> list[tuple[str, str]]:
    """What a section has one type: machine and command, in order."""
    section = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    [text] = [part for part in section if part.splitlines()[0] == heading]
    found: list[tuple[str, str]] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("> "):
                machine, command = found[-1]
                found[-1] = (machine, f"{command}\n{line[2:]}")
            else:
                machine, mark, command = line.partition("$ ")
                assert mark, line
                found.append((machine, command))
    assert found, heading
    return found


class Desk:
    """Somebody with a terminal of each machine, who takes another where one is in use."""

    def __init__(self, machines: dict[str, Machine]) -> None:
        self.machines = machines
        self._free: dict[str, Terminal] = {}

    def terminal(self, name: str) -> Terminal:
        if name not in self._free:
            self._free[name] = self.machines[name].terminal()
        return self._free[name]

    def follow(self, heading: str) -> list[str]:
        """Type a section. Answers what the last command printed."""
        printed: list[str] = []
        for name, command in typed(heading):
            terminal = self.terminal(name)
            if command.startswith(tuple(STAYS)):
                self.keep(name, command)
            else:
                printed = terminal.run(command)
        return printed

    def keep(self, name: str, command: str) -> None:
        """Type what stays in the foreground, and leave that terminal to it."""
        terminal = self._free.pop(name)
        begin = len(terminal.lines)
        terminal.type(command)
        [ready] = [line for start, line in STAYS.items() if command.startswith(start)]
        terminal.wait_for(ready, begin=begin)

    def wherry(self, command: str) -> Any:
        """What a command of the first machine's owner prints as JSON."""
        text = self.terminal("one").run(f"wherry --env-file .wherry/fleet.env {command} --json")
        return [json.loads(line) for line in text]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    require_machines()
    with two_machines(tmp_path / "plain") as machines:
        yield prepared(machines)


def prepared(machines: dict[str, Machine]) -> Desk:
    for machine in machines.values():
        (machine.home / "fleet").mkdir()
        Image.new("RGB", (32, 32), "white").save(machine.home / "fleet" / "digit.png")
    return Desk(machines)


def workers(desk: Desk) -> dict[str, dict[str, Any]]:
    """The workers of pictures that live, by their machines."""
    [queues] = desk.wherry("queues")
    return {
        machine_of(worker["id"]): worker
        for worker in queues["workers"]
        if worker["alive"] and "vision" in worker["families"]
    }


def start(desk: Desk, *, more_models: str = "") -> None:
    """Follow the first section, with more models than it declares; without, but for its end."""
    for name, command in typed("The first machine"):
        if not command.startswith("wherry up"):
            desk.terminal(name).run(command)
        elif more_models:
            desk.terminal(name).run(f"cat >> models.toml <<'END'\n{more_models}END")
            desk.keep(name, command)


def test_two_machines_work_and_one_goes_on_while_the_cable_is_cut(desk: Desk) -> None:
    two = desk.machines["two"]
    start(desk, more_models=HELD)
    desk.follow("The file for the second")
    assert (two.home / "fleet" / "wherry.env").stat().st_mode & 0o077 == 0
    desk.follow("The second machine")
    assert workers(desk).keys() == {"one", "two"}
    printed = desk.follow("Try it")
    assert any("digit.png" in line for line in printed), printed

    # The second machine gets stuck in jobs, and then its cable is cut.
    one_waits, two_waits = (machine.home / "fleet" / "hold" for machine in desk.machines.values())
    for wait in (one_waits, two_waits):
        wait.touch()
    files = " ".join(["digit.png"] * 20)
    ids = [each["id"] for each in desk.wherry(f"submit {files} --model held")]
    assert len(set(ids)) == 20
    soon(lambda: workers(desk)["two"]["running"])
    one_waits.unlink()
    soon(lambda: states(desk, ids).count("succeeded") == 20 - workers(desk)["two"]["running"])
    stuck = workers(desk)["two"]["running"]
    assert stuck > 0
    desk.machines["two"].cut()
    soon(lambda: workers(desk).keys() == {"one"})
    soon(lambda: states(desk, ids) == ["succeeded"] * 20)
    seen = desk.wherry(f"status {' '.join(ids)}")
    assert sum(job["attempt"] == 2 for job in seen) == stuck
    assert {machine_of(job["worker"]) for job in seen} == {"one"}

    # Back, its late answers are dropped and it goes on.
    two_waits.unlink()
    desk.machines["two"].plug()
    soon(lambda: workers(desk).keys() == {"one", "two"})
    one_waits.touch()
    more = [each["id"] for each in desk.wherry(f"submit {files} --model held")]
    soon(lambda: states(desk, more).count("succeeded"))
    one_waits.unlink()
    soon(lambda: states(desk, more) == ["succeeded"] * 20)
    assert "two" in {machine_of(job["worker"]) for job in desk.wherry(f"status {' '.join(more)}")}
    assert desk.wherry(f"status {' '.join(ids)}") == seen
    run_on_two(desk)
    assert refused(desk) == ["[]"]


def run_on_two(desk: Desk) -> None:
    """A run of pictures that the run worker of the second machine does, since the first's stops."""
    desk.terminal("two").run("cd ~/fleet")
    desk.keep("two", "wherry worker runs --env-file wherry.env")
    stopped = desk.machines["one"].processes("-m wherry.runs ")
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        one = desk.terminal("one")
        one.run("mkdir -p pictures && cp digit.png pictures/ && cp digit.png pictures/again.png")
        as_owner = "wherry --env-file .wherry/fleet.env"
        one.run(f"{as_owner} annotate pictures -m digits --upload --detach")
        [run] = desk.wherry("runs list")
        one.run(f"{as_owner} runs fetch {run['id']} --wait -o out.jsonl")
        rows = (desk.machines["one"].home / "fleet" / "out.jsonl").read_text().splitlines()
        assert len(rows) == 2
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def refused(desk: Desk) -> list[str]:
    """What Redis refused its users, as its owner sees it."""
    look = "import os, redis; print(redis.Redis.from_url(os.environ['WHERRY_REDIS_URL']).acl_log())"
    return desk.terminal("one").run(f'set -a; . .wherry/fleet.env; set +a; python -c "{look}"')


def machine_of(worker: str) -> str:
    """Where a worker is, by its id: family-number@host#more."""
    return worker.partition("@")[2].partition("#")[0]


def states(desk: Desk, ids: list[str]) -> list[str]:
    return [job["status"] for job in desk.wherry(f"status {' '.join(ids)}")]


@pytest.fixture
def tls_server(tmp_path: Path) -> Path:
    """A folder with a Redis that speaks TLS."""
    binary = shutil.which("redis-check-rdb")  # the server by another name, as Debian has it
    if binary is None:
        pytest.skip("no Redis with TLS: apt-get install redis-tools")
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "redis-server").symlink_to(binary)
    return folder


def test_two_machines_over_tls(tls_server: Path, tmp_path: Path) -> None:
    require_machines()
    with two_machines(tmp_path / "tls", programs=tls_server) as machines:
        desk = prepared(machines)
        start(desk)
        desk.follow("TLS")
        desk.follow("The file for the second")
        desk.follow("The second machine")
        assert workers(desk).keys() == {"one", "two"}
        run_on_two(desk)
        one, two = desk.terminal("one"), desk.terminal("two")
        one.run("scp server.pem 192.0.2.2:fleet/")
        one.run("wherry --env-file .wherry/fleet.env keys create --tenant me > key")
        one.run("scp key 192.0.2.2:fleet/")
        two.run("cd ~/fleet; export WHERRY_URL=https://192.0.2.1:8750 WHERRY_API_KEY_FILE=key")
        two.run("! wherry submit digit.png --model digits --wait --timeout 5")
        answered = two.run(
            "WHERRY_CA_FILE=server.pem wherry submit digit.png --model digits --wait"
        )
        assert any("digit.png" in line for line in answered), answered
        two.run("curl --cacert server.pem -fsSo live https://192.0.2.1:8750/v2/health/live")
        # Nothing of it is open without: neither the API nor Redis.
        two.run("! curl -fsS http://192.0.2.1:8750/v2/health/live")
        plain = "s/rediss:/redis:/; s/?ssl_ca_certs=WHERRY_JOIN_CA//; /^WHERRY_JOIN_CA/d"
        two.run(f"sed '{plain}' wherry.env > plain.env; chmod 600 plain.env")
        refused = two.run("! timeout 60 wherry worker vision --env-file plain.env")
        assert any("the queue cannot be reached at redis://" in line for line in refused), refused
