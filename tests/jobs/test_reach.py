"""Each step says which Redis it goes to, or is one of those that are known to be home's."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from wherry.jobs.reach import RedisAway, everywhere, found, found_each, joined, summed
from wherry.protocol.errors import JobNotFound, Unavailable

JOBS = Path(__file__).parents[2] / "jobs"

#: What workers alone do, on the one Redis that they are on; and each Redis' own affairs.
OF_WORKERS = frozenset(
    [
        "_give_back",
        "add_spent",
        "begin_load",
        "busy",
        "claim",
        "end_load",
        "finish",
        "forget_leaving",
        "groups",
        "heartbeat",
        "leave",
        "leaving",
        "list_dead",
        "list_jobs",
        "list_webhooks",
        "note_alone",
        "page",
        "read_history",
        "reap",
        "recall",
        "redis_name",
        "reissue",
        "remember",
        "sample",
        "send_chunks",
        "set_cold",
        "set_failed",
        "set_leaving",
        "set_proof",
        "settle_webhook",
        "shown",
        "sweep",
        "take_webhooks",
        "tell_facts",
        "uptime",
        "waiting",
    ]
)

#: What is of the fleet as a whole: kept at home.
AT_HOME_FILES = frozenset(
    [
        "access_keys.py",
        "batches.py",
        "celery_tasks.py",
        "expired.py",
        "files.py",
        "names.py",
        "orphans.py",
        "run_blobs.py",
        "run_steps.py",
        "runs.py",
        "uploads.py",
    ]
)
AT_HOME = frozenset(["load_configs", "load_requests"])

#: Asked of each Redis by itself; the caller makes one answer of it.
BY_CALLER = ["known"]


def steps() -> list[tuple[str, str, bool]]:
    """File, function, and whether it says a reach, of all that makes a step."""
    made = []
    for path in sorted(JOBS.glob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            calls = [n for n in ast.walk(function) if isinstance(n, ast.Call)]
            makers = [
                n
                for n in calls
                if isinstance(n.func, ast.Name) and n.func.id in ("Call", "call_script")
            ]
            if makers and path.name not in ("call.py", "fleet_queue.py"):
                says = any(k.arg == "reach" for n in makers for k in n.keywords)
                made.append((path.name, function.name, says))
    return made


def test_each_step_says_where_it_goes() -> None:
    silent = {
        f"{file}: {name}"
        for file, name, says in steps()
        if not says
        and file not in AT_HOME_FILES
        and name not in (*OF_WORKERS, *AT_HOME, *BY_CALLER)
    }
    assert not silent, f"say a reach, or in which list of this test it belongs: {sorted(silent)}"


def test_the_lists_name_steps_that_there_are() -> None:
    known = {name for _, name, says in steps() if not says}
    assert not {*OF_WORKERS, *AT_HOME, *BY_CALLER} - known


def test_the_first_that_has_it_answers() -> None:
    assert found([None, "b", "c"]) == "b"
    assert found([JobNotFound("no"), RedisAway(["text"]), "c"]) == "c"
    assert found([None, None]) is None
    with pytest.raises(JobNotFound):
        found([JobNotFound("no"), JobNotFound("neither")])
    with pytest.raises(RedisAway, match="the Redis of text"):
        found([JobNotFound("no"), RedisAway(["text"])])


def test_of_each_entry_the_first_that_has_it_answers() -> None:
    some: list[str | None] = ["a", None]
    others: list[str | None] = [None, "b"]
    assert found_each([some, others]) == ["a", "b"]
    in_part: list[list[str | None] | Exception] = [["a"], RedisAway(["text"])]
    assert found_each(in_part) == ["a"]
    assert found_each([[None], [None]]) == [None]
    in_part[0] = some
    with pytest.raises(RedisAway):
        found_each(in_part)


def test_what_must_be_whole_is_refused_in_part() -> None:
    assert (everywhere([7, 8]), summed([1, 2]), joined([[1], [2]])) == (7, 3, [1, 2])
    with pytest.raises(Unavailable):
        everywhere([7, RedisAway(["text"])])
    with pytest.raises(Unavailable):
        summed([7, RedisAway(["text"])])
    in_part: list[list[int] | Exception] = [[7], RedisAway(["text"])]
    with pytest.raises(Unavailable):
        joined(in_part)
