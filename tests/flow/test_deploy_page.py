"""docs/deploy.md, typed as it stands on two machines; then the cable is cut."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ..support.models import model
from ..support.waiting import until
from .machines import Machine, Terminal, require_machines, two_machines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"

#: Commands that stay in the foreground, and what they print once they are ready.
STAYS = {"wherry up": "Ready.", "wherry worker": "is ready on"}

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
        #: Where commands run that stay in the foreground, by what they are.
        self.busy: dict[str, Terminal] = {}

    def terminal(self, name: str) -> Terminal:
        if name not in self._free:
            self._free[name] = self.machines[name].terminal()
        return self._free[name]

    def follow(self, heading: str) -> list[str]:
        """Type a section. Answers what the last command printed."""
        printed: list[str] = []
        for name, command in typed(heading):
            terminal = self.terminal(name)
            stays = next((start for start in STAYS if command.startswith(start)), None)
            if stays is None:
                printed = terminal.run(command)
                continue
            begin = len(terminal.lines)
            terminal.type(command)
            terminal.wait_for(STAYS[stays], begin=begin)
            self.busy[stays] = self._free.pop(name)
        return printed

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


def with_held(desk: Desk) -> None:
    """Follow the first section, with one more model than it declares."""
    bashrc = desk.terminal("one")
    for name, command in typed("The first machine"):
        if command.startswith("wherry up"):
            bashrc.run(f"cat >> models.toml <<'END'\n{HELD}END")
            bashrc.type(command)
            bashrc.wait_for("Ready.")
            desk.busy["wherry up"] = desk._free.pop(name)
        else:
            bashrc.run(command)


def test_two_machines_work_and_one_goes_on_while_the_cable_is_cut(desk: Desk) -> None:
    two = desk.machines["two"]
    with_held(desk)
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
    until(lambda: workers(desk)["two"]["running"])
    one_waits.unlink()
    until(lambda: states(desk, ids).count("succeeded") == 20 - workers(desk)["two"]["running"])
    stuck = workers(desk)["two"]["running"]
    assert stuck > 0
    desk.machines["two"].cut()
    until(lambda: workers(desk).keys() == {"one"})
    until(lambda: states(desk, ids) == ["succeeded"] * 20)
    seen = desk.wherry(f"status {' '.join(ids)}")
    assert sum(job["attempt"] == 2 for job in seen) == stuck
    assert {machine_of(job["worker"]) for job in seen} == {"one"}

    # Back, its late answers are dropped and it goes on.
    two_waits.unlink()
    desk.machines["two"].plug()
    until(lambda: workers(desk).keys() == {"one", "two"})
    one_waits.touch()
    more = [each["id"] for each in desk.wherry(f"submit {files} --model held")]
    until(lambda: states(desk, more).count("succeeded"))
    one_waits.unlink()
    until(lambda: states(desk, more) == ["succeeded"] * 20)
    assert "two" in {machine_of(job["worker"]) for job in desk.wherry(f"status {' '.join(more)}")}
    assert desk.wherry(f"status {' '.join(ids)}") == seen


def machine_of(worker: str) -> str:
    """Where a worker is, by its id: family-number@host#more."""
    return worker.partition("@")[2].partition("#")[0]


def states(desk: Desk, ids: list[str]) -> list[str]:
    return [job["status"] for job in desk.wherry(f"status {' '.join(ids)}")]
