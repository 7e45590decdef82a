from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from wherry.workers.identity import Identity, is_gone


def test_two_incarnations_of_a_node_differ():
    assert Identity.mine("vision@host").id != Identity.mine("vision@host").id


def test_a_living_process_is_not_gone():
    assert not is_gone(Identity.mine("vision@host").info())


def test_a_dead_process_of_this_machine_is_gone_even_before_it_is_waited_for():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mine = Identity.mine("vision@host")
    started = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    other = dataclasses.replace(mine, pid=child.pid, started=started).info()
    assert not is_gone(other)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(other), "a zombie runs nothing"
    child.communicate()
    assert is_gone(other)


def test_a_pid_used_again_is_another_process():
    assert is_gone({**Identity.mine("vision@host").info(), "started": "1"})


def test_another_machine_is_never_judged():
    assert not is_gone({**Identity.mine("vision@host").info(), "machine": "elsewhere", "pid": 1})
    assert not is_gone({})
