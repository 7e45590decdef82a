"""Each step to Redis says which one it goes to, where families have Redis servers of their own.

A step goes home unless it has a reach. A new one that has none must be thought of: into which of
these tables it belongs, or which reach it lacks.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: What makes a step.
_MAKERS = {"Call", "call_script"}

#: Steps that are home's alone: by module, or by module and name.
HOME = {
    "access_keys": "API keys are of the whole fleet",
    "batches": "file batches are of the whole fleet; their jobs are submitted as any others",
    "celery_tasks": "Celery's messages are at home, whatever family their jobs are of",
    "expired": "files, batches, uploads and runs are home's",
    "files": "files are of the whole fleet",
    "run_earlier": "runs are of the whole fleet",
    "run_follow": "as run_steps",
    "run_retry": "runs are of the whole fleet; their jobs are submitted as any others",
    "run_stealing": "runs are of the whole fleet; their jobs are submitted as any others",
    "run_steps": "runs are of the whole fleet; their jobs are submitted as any others",
    "run_workers": "run workers are the whole fleet's",
    "runs": "runs are of the whole fleet",
    "uploads": "uploads are of the whole fleet",
    "declared.load_configs": "the API writes them everywhere, and reads home's",
    "failed.load_requests": "the API writes them everywhere, and reads home's",
    "names.hold": "home holds a new name for the Redis that its job goes to",
    "scaling.recall": "the APIs' own memory of looks, which are at all servers",
    "scaling.remember": "the APIs' own memory of looks, which are at all servers",
}

#: Steps that are run on one Redis at a time, each in its turn: whoever calls them asks all, by
#: `parts` or `on_each`, or is one process a Redis.
EACH = {
    "dead.list_dead": "pages are merged",
    "demand.demand_page": "pages are added up",
    "fleet.groups": "pages are put together",
    "history.read_history": "points are added up",
    "metrics.fleet_counts": "counters are added up, servers told apart",
    "metrics.model_counts": "counters are added up",
    "names.known": "an answer a Redis: who has the name?",
    "orphans.redis_name": "a name a Redis",
    "orphans._single_command": "of the sweep that locks each",
    "proof.leave": "APIs show themselves on each",
    "proof.noted": "the same mark is on each; the doctor looks at home's",
    "proof.set_proof": "the same mark is on each",
    "proof.shown": "APIs show themselves on each",
    "read.list_jobs": "pages are merged",
    "webhooks.list_webhooks": "lists are merged",
    "webhooks.settle_webhook": "a deliverer a Redis",
    "webhooks.take_webhooks": "a deliverer a Redis",
}

#: Modules that run those of EACH, and how: what each of these texts shows is there.
ASKS_EACH = {
    "api/app.py": "on_each",
    "api/celery/answers.py": "queue: AsyncQueue",  # where the end came from
    "api/celery/runner.py": ".parts",
    "api/core/client_names.py": "on_each",
    "api/core/demand.py": "on_each",
    "api/core/fleet_metrics.py": "on_each",
    "api/core/fleet_store.py": "on_each",
    "api/core/history.py": "on_each",
    "api/core/service.py": "on_each",
    "api/core/workers.py": "shown(",  # APIs are the same on each
    "api/v2/dead.py": "dead_page",
    "api/v2/job_list.py": "job_page",
    "api/v2/webhooks.py": "on_each",
    "api/webhooks/deliver.py": "queue",  # app.py makes one for each
    "ops/doctor/examination.py": ".parts",
    "runs/worker.py": "shown(",  # as it is at home
}

#: Steps of a worker or its keeper, which are on one Redis with their families' jobs: no API takes
#: them, and nobody else does who is on several.
WORKERS_OWN = {
    "claim.claim",
    "clocks.clock",
    "declared.forget_leaving",
    "declared.leaving",
    "declared.set_leaving",
    "drain.drain_asked",
    "facts.tell_facts",
    "failed.begin_load",
    "failed.end_load",
    "failed.set_cold",
    "failed.set_failed",
    "finish._give_back",
    "finish.finish",
    "fits.recall",
    "fits.remember",
    "fleet.busy",
    "fleet.heartbeat",
    "fleet.uptime",
    "fleet.waiting",
    "history.sample",
    "recover.note_alone",
    "recover.reap",
    "recover.reissue",
    "recover.sweep",
    "spent.add_spent",
    "token_stream.send_chunks",
}

#: Both kinds of steps in one: without servers of families it has no need of a reach.
EITHER_WAY = {"failed.ask_load"}


def _steps() -> Iterator[tuple[str, bool]]:
    """Functions of jobs that make a step, and whether each that they make has a reach."""
    for file in sorted((ROOT / "jobs").glob("*.py")):
        for function in ast.parse(file.read_text()).body:
            made = [
                each
                for each in ast.walk(function)
                if isinstance(function, ast.FunctionDef)
                and isinstance(each, ast.Call)
                and isinstance(each.func, ast.Name)
                and each.func.id in _MAKERS
            ]
            if made and file.stem != "call":
                assert isinstance(function, ast.FunctionDef)
                has_reach = all(any(k.arg == "reach" for k in each.keywords) for each in made)
                yield f"{file.stem}.{function.name}", has_reach


def _is_homes(step: str) -> bool:
    return step in HOME or step.partition(".")[0] in HOME


def test_each_step_says_where_it_goes() -> None:
    known = EACH.keys() | WORKERS_OWN | EITHER_WAY
    unsaid = [
        step for step, reaches in _steps() if not reaches and not _is_homes(step) | (step in known)
    ]
    assert not unsaid, "give them a reach (jobs/reach.py), or a place in a table of this file"


def test_no_table_names_what_has_a_reach_or_is_not_there() -> None:
    found = dict(_steps())
    modules = {step.partition(".")[0] for step, reaches in found.items() if not reaches}
    for step in HOME.keys() | EACH.keys() | WORKERS_OWN | EITHER_WAY:
        assert step in modules or found.get(step) is False, step
    assert not (EACH.keys() | EITHER_WAY) & WORKERS_OWN
    assert not any(map(_is_homes, EACH.keys() | WORKERS_OWN | EITHER_WAY))


def _imported(path: Path) -> set[str]:
    """Names that a module takes from those of jobs, as the tables have them."""
    return {
        f"{node.module.rpartition('.')[2]}.{each.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
        for each in node.names
    }


def _modules(*rooms: str) -> list[str]:
    files = (file for room in rooms for file in (ROOT / room).rglob("*.py"))
    return sorted(str(file.relative_to(ROOT)) for file in files)


def test_what_is_run_on_each_is_run_by_who_asks_each() -> None:
    found = {
        name for name in _modules("api", "ops", "runs") if _imported(ROOT / name) & EACH.keys()
    }
    assert found == ASKS_EACH.keys()


@pytest.mark.parametrize(("module", "shown"), ASKS_EACH.items())
def test_who_asks_each_does(module: str, shown: str) -> None:
    assert shown in (ROOT / module).read_text()


def test_a_workers_own_steps_are_taken_by_workers_alone() -> None:
    for name in _modules("api", "ops", "runs"):
        assert not _imported(ROOT / name) & WORKERS_OWN, name
