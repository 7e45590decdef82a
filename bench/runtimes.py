"""`make bench-runtimes`: what a model that names no backend is served by, and how fast.

A ViT-Tiny and a text encoder of MiniLM's size are tuned once. Then each runtime that can serve them
here runs the same rows in turns: in a plain loop of its own process, and through the HTTP of one
fleet; the chosen one there by a model that names no backend. One thread of computing each. Rounds
are run for as long as there is time, five at most. Last, how long a worker takes to load the tuned
model. Where the machine is busy, CPU time a row says more than rows a second.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.tasks.backends.device import Device
from wherry.tasks.catalog import ModelDeclaration
from wherry.tasks.export import export
from wherry.tasks.tuning.candidates import candidates_of
from wherry.tasks.tuning.tuner import Tuner
from wherry.tasks.tuning.verdict import Verdict
from wherry.workers.settings import WorkerSettings
from wherry.workers.tuning import open_tuner

from .loop import Loop, Round, looping
from .rows import MEASURABLE, Measurable, rows_of
from .runtimes_found import Rates, compared, show
from .tuned_start import starts

_BATCH, _IN_FLIGHT = 16, 128

#: Through HTTP twice the rows: the first and the last batch of a round are nobody else's company.
_HTTP_ROWS = 2

#: Rounds, and loads of a tuned model.
_LEAST, _MOST, _STARTS = 2, 5, 2

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(kw_only=True)
class Tuned:
    """A model, and what tuning found of it."""

    load: Measurable
    declared: ModelDeclaration
    #: By precision.
    verdicts: dict[str, Verdict]
    #: What serves it in the place of a model without a backend, by the candidate's name.
    runtimes: dict[str, ModelDeclaration]
    #: What it reached, by the candidate's name.
    direct: Rates = field(default_factory=dict)
    http: Rates = field(default_factory=dict)

    def served(self) -> dict[str, ModelDeclaration]:
        """How the fleet declares each runtime: what was chosen without a backend."""
        chosen = {each.chosen.name: precision for precision, each in self.verdicts.items()}
        found = {}
        for number, (name, named) in enumerate(self.runtimes.items()):
            precision = chosen.get(name)
            model = self.declared if precision else named
            update = {"name": f"{self.load.name}-{number}", "precision": precision or "exact"}
            found[name] = model.model_copy(update=update)
        return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.runtimes", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--within", type=float, default=230, help="seconds, if the machine is free")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="only these: vit, encoder")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        folder = Path(name)
        tuner = open_tuner(WorkerSettings(tuned_dir=folder / "tuned"), Device())
        models = [
            _tuned(load, folder, tuner)
            for load in MEASURABLE
            if load.name in (options.models or [load.name])
        ]
        _measure(models, folder, began + options.within)
        found = {
            "load_average": round(os.getloadavg()[0], 1),
            "runs": [run for each in models for run in _runs(each)],
            "starts": {each.load.name: _starts(each, folder) for each in models},
            "took_s": round(time.monotonic() - began, 1),
        }
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        show(found)


def _said(what: str) -> None:
    Console(stderr=True, highlight=False).print(what, markup=False)


def _tuned(load: Measurable, folder: Path, tuner: Tuner) -> Tuned:
    """Build it, and have it tuned, once a precision that has candidates of its own."""
    source = folder / load.name
    load.build(source)
    declared = ModelDeclaration(
        name=load.name,
        task=load.task,
        source=str(source),
        max_batch_size=_BATCH,
        parameters={"threads": 1},
    )
    fast = declared.model_copy(update={"precision": "fast"})
    asked = {"exact": declared}
    if len(candidates_of(fast, "cpu")) > len(candidates_of(declared, "cpu")):
        asked["fast"] = fast
    tuned = Tuned(load=load, declared=declared, verdicts={}, runtimes={})
    for precision, each in asked.items():
        verdict = tuned.verdicts[precision] = tuner.verdict(each)
        _said(f"{load.name}, {precision}, in {verdict.took_s:.0f} s: {_why(verdict)}")
        tuned.runtimes |= _accepted(each, verdict, folder)
    return tuned


def _why(verdict: Verdict) -> str:
    return f"{verdict.chosen.name}: {verdict.why}"


def _accepted(
    declared: ModelDeclaration, verdict: Verdict, folder: Path
) -> dict[str, ModelDeclaration]:
    """Each candidate that tuning did not refuse, declared by name."""
    plain = {"precision": "exact", "tolerance": None}  # which backends know nothing of
    found = {}
    for each in verdict.tried:
        if not each.refused:
            source = each.candidate.source or str(_export(declared, folder))
            named = {"backend": each.candidate.backend, "parameters": each.candidate.parameters}
            found[each.candidate.name] = declared.model_copy(
                update={**plain, **named, "source": source}
            )
    return found


def _export(declared: ModelDeclaration, folder: Path) -> Path:
    """Graphs as tuning wrote them, which keeps those alone that it has chosen."""
    target = folder / f"{declared.name}-export"
    if not target.exists():
        export(str(declared.source), target, declared.task)
    return target


def _measure(models: Sequence[Tuned], folder: Path, ends: float) -> None:
    """Run rounds until the time is over."""
    file = folder / "models.toml"
    file.write_text("".join(_toml(m) for each in models for m in each.served().values()))
    with contextlib.ExitStack() as stack:
        loops = {
            (each.load.name, name): stack.enter_context(looping(named, each.load.rows, _BATCH))
            for each in models
            for name, named in each.runtimes.items()
        }
        fleet = stack.enter_context(
            Stack(
                models=file,
                data_dir=folder,
                flower=False,
                env={"WHERRY_TUNED_DIR": str(folder / "tuned")},
            )
        )
        client = stack.enter_context(Client(fleet.url, timeout_s=600))
        for loop in loops.values():
            loop.wait_until_ready()
        for model in models:  # which connects, and fills caches
            for served in model.served().values():
                _through_http(client, fleet, model.load, served.name, _BATCH)
        _rounds(models, loops, client, fleet, ends)


def _rounds(
    models: Sequence[Tuned],
    loops: Mapping[tuple[str, str], Loop],
    client: Client,
    fleet: Stack,
    ends: float,
) -> None:
    for number in range(_MOST):
        began = time.monotonic()
        for each in models:
            served = each.served()
            names = [*each.runtimes]
            turn = number % len(names)
            for name in (*names[turn:], *names[:turn]):
                each.direct.setdefault(name, []).append(loops[each.load.name, name].round())
                count = _HTTP_ROWS * each.load.rows
                reached = _through_http(client, fleet, each.load, served[name].name, count)
                each.http.setdefault(name, []).append(reached)
        took_s = time.monotonic() - began
        _said(f"round {number + 1} took {took_s:.0f} s")
        if number + 1 >= _LEAST and time.monotonic() + took_s > ends:
            return


def _through_http(client: Client, fleet: Stack, load: Measurable, model: str, count: int) -> Round:
    """Rows a second, and the worker's milliseconds of CPU a row."""
    rows = rows_of(load.task, count)
    before, began = _worker_cpu_s(fleet, load), time.perf_counter()
    done = sum(1 for _ in client.map(model, rows, in_flight=_IN_FLIGHT))
    took = time.perf_counter() - began
    return Round(done / took, 1000 * (_worker_cpu_s(fleet, load) - before) / done)


def _worker_cpu_s(fleet: Stack, load: Measurable) -> float:
    pid = fleet.worker(load.family).pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / _TICKS_PER_S


def _runs(each: Tuned) -> list[dict[str, Any]]:
    """What is told of a model: a run a precision."""
    first = next(iter(each.runtimes))
    return [
        {
            "model": each.load.name,
            "precision": precision,
            "chosen": verdict.chosen.name,
            "why": verdict.why,
            "tuning_s": verdict.took_s,
            **compared(
                {"direct": each.direct, "http": each.http},
                [t.candidate.name for t in verdict.tried if not t.refused],
                chosen=verdict.chosen.name,
                first=first,
            ),
        }
        for precision, verdict in each.verdicts.items()
    ]


def _starts(each: Tuned, folder: Path) -> dict[str, float]:
    auto, named = folder / f"{each.load.name}-auto.toml", folder / f"{each.load.name}-named.toml"
    auto.write_text(_toml(each.declared))
    named.write_text(_toml(each.declared.model_copy(update={"backend": "transformers"})))
    return starts(auto, named, folder / "tuned", _STARTS)


def _toml(declared: ModelDeclaration) -> str:
    """A declaration, as models.toml has it."""
    said = {
        key: value
        for key, value in declared.model_dump(
            include={"name", "task", "backend", "source", "max_batch_size", "precision"}
        ).items()
        if value not in ("auto", "exact")
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in said.items()]
    parameters = [f"{key} = {json.dumps(value)}" for key, value in declared.parameters.items()]
    return "\n".join(["[[models]]", *lines, f"parameters = {{ {', '.join(parameters)} }}", "", ""])


if __name__ == "__main__":
    main()
