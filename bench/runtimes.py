"""`make bench-runtimes`: what a model that names no backend is served by, and how fast.

A ViT-Tiny and a text encoder of MiniLM's size through HTTP, exact and fast, held against two plain
loops of one process in the same rounds: torch in float32, and the best runtime that can be measured
here. One thread of computing each. Then how long a worker takes to load a model that was tuned
before, held against one that names transformers. Where the machine is busy, CPU time a row says
more than rows a second.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.tasks.backends.device import Device
from wherry.tasks.base import TaskInput
from wherry.tasks.catalog import load_catalog
from wherry.tasks.registry import get_task
from wherry.tasks.tuning.verdict import Verdict
from wherry.workers.settings import WorkerSettings
from wherry.workers.tuning import open_tuner

from . import vit

_BATCH, _IN_FLIGHT = 16, 128

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

_MODEL = """
[[models]]
name = "{name}"
task = "{task}"
source = "{source}"
max_batch_size = {batch}
{said}
parameters = {{ threads = 1 }}
"""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A model, and rows for it."""

    name: str
    task: str
    family: str
    build: Callable[[Path], None]
    rows: int
    row: Callable[[int], dict[str, Any]]

    def inputs(self) -> Iterator[TaskInput]:
        """The rows, one an input."""
        kind = get_task(self.task).input
        return (kind.validated(self.row(number)) for number in range(self.rows))


def save_encoder(folder: Path) -> None:
    """A BERT of MiniLM's size (hidden 384, 6 layers) with random weights."""
    import torch
    from transformers import BertConfig, BertModel

    from wherry.samples.tiny.parts import wordpiece

    torch.manual_seed(0)
    tokenizer = wordpiece(max_length=256)
    config = BertConfig(
        vocab_size=len(tokenizer),  # looked up, not computed with
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


_PHOTOGRAPHS: list[bytes] = []


def _photograph(number: int) -> dict[str, Any]:
    if not _PHOTOGRAPHS:
        _PHOTOGRAPHS.extend(vit.photographs(64))
    return {"images": [_PHOTOGRAPHS[number % 64]]}


def _sentence(number: int) -> dict[str, Any]:
    words = "a ferry crosses the river at noon and the pilot counts the lamps along the quay"
    return {"texts": [f"{words} for the {number} time {words}"]}


def workloads(scale: float) -> list[Workload]:
    """What is measured."""
    return [
        Workload(
            name="vit",
            task="image-classification",
            family="vision",
            build=vit.save_model,
            rows=max(_BATCH, int(256 * scale)),
            row=_photograph,
        ),
        Workload(
            name="encoder",
            task="embedding",
            family="text",
            build=save_encoder,
            rows=max(_BATCH, int(768 * scale)),
            row=_sentence,
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.runtimes", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="rows, in parts of the usual")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="only these: vit, encoder")
    parser.add_argument("--loop", help=argparse.SUPPRESS)
    parser.add_argument("--start", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.loop:
        _loop(json.loads(options.loop))
        return
    if options.start:
        _start(Path(options.start))
        return
    found = []
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        for load in workloads(options.scale):
            if load.name not in (options.models or [load.name]):
                continue
            folder = Path(name) / load.name
            load.build(folder / "model")
            exact, fast = (
                _measure(load, folder, precision, options.rounds, options.scale)
                for precision in ("exact", "fast")
            )
            found += [{**exact, "start": _starts(load, folder, options.rounds)}, fast]
    if options.json:
        sys.stdout.write(json.dumps({"load_average": os.getloadavg()[0], "runs": found}) + "\n")
    else:
        _print(found)


def _declare(load: Workload, folder: Path, said: str, file: str) -> Path:
    path = folder / file
    path.write_text(
        _MODEL.format(name=load.name, task=load.task, source="model", batch=_BATCH, said=said)
    )
    return path


def _measure(
    load: Workload, folder: Path, precision: str, rounds: int, scale: float
) -> dict[str, Any]:
    """A model through the fleet, in turn with the loops."""
    models = _declare(load, folder, f'precision = "{precision}"', f"{precision}.toml")
    data = folder / "data"
    began = time.perf_counter()
    with Stack(models=models, data_dir=data, flower=False) as stack:
        first_start_s = time.perf_counter() - began
        verdict, loops = _runtimes(models, data / "tuned")
        rates: dict[str, list[float]] = {}
        cpu_ms: dict[str, list[float]] = {}
        with Client(stack.url, timeout_s=600) as client:
            list(client.map(load.name, list(load.inputs())[:_BATCH], in_flight=_IN_FLIGHT))
            for _ in range(rounds):
                for what, loop in loops.items():
                    told = _in_a_loop({**loop, "load": load.name, "scale": scale})
                    rates.setdefault(what, []).append(told["rows_per_s"])
                    cpu_ms.setdefault(what, []).append(told["cpu_ms"])
                rate, spent_ms = _through_http(client, stack, load)
                rates.setdefault("http", []).append(rate)
                cpu_ms.setdefault("http", []).append(spent_ms)
    names = [what for what in loops if what != "torch"]
    best = max(["torch", *names], key=lambda what: statistics.median(rates[what]))
    return {
        "model": load.name,
        "precision": precision,
        "chosen": verdict.chosen.name,
        "why": verdict.why,
        "best": best,
        "first_start_s": round(first_start_s, 1),
        "tuning_s": verdict.took_s,
        "rows_per_s": {what: round(statistics.median(each), 1) for what, each in rates.items()},
        "cpu_ms_a_row": {what: round(statistics.median(each), 2) for what, each in cpu_ms.items()},
        "to_torch": _ratio(rates["http"], rates["torch"]),
        "to_best": _ratio(rates["http"], rates[best]),
        "cpu_to_torch": _ratio(cpu_ms["http"], cpu_ms["torch"]),
        "cpu_to_best": _ratio(cpu_ms["http"], cpu_ms[best]),
    }


def _ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(ones, others, strict=True)), 3)


def _runtimes(models: Path, tuned: Path) -> tuple[Verdict, dict[str, dict[str, Any]]]:
    """The verdict that the fleet has made, and how to open each candidate of it in a loop."""
    device = Device()
    tuner = open_tuner(WorkerSettings(tuned_dir=tuned), device)
    (declared,) = load_catalog(models).models
    verdict = tuner.verdict(declared)
    loops = {}
    for each in verdict.tried:
        if each.refused or (each.candidate.source is None and not verdict.export):
            continue
        served = tuner.served_as(declared, _as_if(verdict, each.candidate))
        what = "torch" if each is verdict.tried[0] else each.candidate.name
        loops[what] = {
            "backend": served.backend,
            "source": served.source,
            "parameters": served.parameters,
        }
    return verdict, loops


def _as_if(verdict: Verdict, candidate: Any) -> Verdict:
    import dataclasses

    export = verdict.export if candidate.source is None else ""
    return dataclasses.replace(verdict, chosen=candidate, export=export)


def _through_http(client: Client, stack: Stack, load: Workload) -> tuple[float, float]:
    """Rows a second, and the worker's milliseconds of CPU a row."""
    before, began = _worker_cpu_s(stack, load), time.perf_counter()
    count = sum(1 for _ in client.map(load.name, load.inputs(), in_flight=_IN_FLIGHT))
    took = time.perf_counter() - began
    return count / took, 1000 * (_worker_cpu_s(stack, load) - before) / count


def _worker_cpu_s(stack: Stack, load: Workload) -> float:
    pid = stack.worker(load.family).pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / _TICKS_PER_S


def _in_a_loop(told: Mapping[str, Any]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.runtimes", "--loop", json.dumps(told)],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _loop(told: Mapping[str, Any]) -> None:
    """A plain loop over the same rows in the same batches, alone in its process."""
    from wherry.tasks.create import create_task

    (load,) = (each for each in workloads(told["scale"]) if each.name == told["load"])
    rows = list(load.inputs())
    task = create_task(told["backend"], load.task, told["source"], told["parameters"])
    task.backend.run(rows[:_BATCH])
    began, spent = time.perf_counter(), time.process_time()
    for start in range(0, len(rows), _BATCH):
        task.backend.run(rows[start : start + _BATCH])
    took, cpu = time.perf_counter() - began, time.process_time() - spent
    rates = {"rows_per_s": len(rows) / took, "cpu_ms": 1000 * cpu / len(rows)}
    sys.stdout.write(json.dumps(rates) + "\n")


def _starts(load: Workload, folder: Path, rounds: int) -> dict[str, float]:
    """A worker's load of a tuned model, held against one that names transformers."""
    auto = folder / "exact.toml"
    named = _declare(load, folder, 'backend = "transformers"', "named.toml")
    taken: dict[str, list[tuple[float, float]]] = {"auto": [], "named": []}
    for _ in range(rounds + 1):
        for what, models in (("auto", auto), ("named", named)):
            taken[what].append(_started(models, folder / "data" / "tuned"))
    first, second = (taken[what][1:] for what in ("auto", "named"))  # the first one warms the disk
    return {
        "auto_s": round(statistics.median(each[0] for each in first), 2),
        "named_s": round(statistics.median(each[0] for each in second), 2),
        "ratio": _ratio([each[0] for each in first], [each[0] for each in second]),
        "cpu_ratio": _ratio([each[1] for each in first], [each[1] for each in second]),
    }


def _started(models: Path, tuned: Path) -> tuple[float, float]:
    """Seconds, and seconds of CPU, of a process that loads a model as a worker does."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "bench.runtimes", "--start", str(models)],
        check=True,
        capture_output=True,
        env={**os.environ, "WHERRY_TUNED_DIR": str(tuned)},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


def _start(models: Path) -> None:
    """Load as a worker does."""
    from wherry.workers.models import Models

    catalog, device = load_catalog(models), Device()
    loaded = Models(
        catalog, set(catalog.families()), device, tuner=open_tuner(WorkerSettings(), device)
    )
    loaded.load_all(strict=True)


def _print(found: Sequence[Mapping[str, Any]]) -> None:
    console = Console(width=max(Console().width, 140))
    table = Table(title=f"Rows a second, one thread of computing; load {os.getloadavg()[0]:.1f}")
    columns = ("model", "precision", "chosen", "HTTP", "torch loop", "best loop")
    for name in (*columns, "to torch", "to best", "CPU to torch", "CPU to best"):
        table.add_column(name)
    for run in found:
        rates = run["rows_per_s"]
        table.add_row(
            run["model"],
            run["precision"],
            run["chosen"],
            f"{rates['http']:.1f}",
            f"{rates['torch']:.1f}",
            f"{rates[run['best']]:.1f} ({run['best']})",
            *(f"{run[name]:.2f}" for name in ("to_torch", "to_best")),
            *(f"{run[name]:.2f}" for name in ("cpu_to_torch", "cpu_to_best")),
        )
    console.print(table)
    for run in found:
        if "start" in run:
            start = run["start"]
            console.print(
                f"{run['model']}: tuning took {run['tuning_s']:.0f} s; loaded again in "
                f"{start['auto_s']:.1f} s, naming transformers in {start['named_s']:.1f} s: "
                f"{start['ratio']:.2f} of the time, {start['cpu_ratio']:.2f} of the CPU"
            )


if __name__ == "__main__":
    main()
