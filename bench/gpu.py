"""`make bench-gpu`: what a GPU is made use of, in one script of under ten minutes.

A line a model: rows/s of a bare bfloat16 loop over tensors that are ready on the device, of ours
in bfloat16 (rows decoded, answers read), of ours exact (float32), and whether a batch beyond the
memory is halved. Then a fleet of ViT-B/16: how long the device was idle behind a backlog of
photographs, and how long after kill -9 of the worker its jobs were all answered.
`--device cpu --tiny` tries the script where there is no GPU; its figures mean nothing then.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import torch
from rich.console import Console
from rich.table import Table

from wherry.client import Client
from wherry.ops.stack import Stack
from wherry.protocol.errors import OutOfMemory
from wherry.tasks.backends import create_backend
from wherry.tasks.backends.base import Backend
from wherry.tasks.backends.device import Device
from wherry.tasks.base import TaskInput, TaskOutput
from wherry.workers.budget import ShapeBudget
from wherry.workers.halving import run_rows

from .gpu_models import MODELS, GpuModel

#: Tokens that a bare loop writes a row, as ours do.
_TOKENS = 32

_MODELS = """
[[models]]
name = "vit"
task = "image-classification"
backend = "transformers"
source = "{source}"
max_batch_size = {batch}
parameters = {{ dtype = "bfloat16" }}
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--tiny", action="store_true", help="tiny models, to try the script")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--model", action="append", choices=[model.name for model in MODELS])
    parser.add_argument("--no-fleet", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {"device": _named(options.device), "models": [], "fleet": None}
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name:
        folder = Path(name)
        for model in MODELS:
            if options.model is None or model.name in options.model:
                found["models"].append(_measured(model, folder, options))
        if not options.no_fleet:
            found["fleet"] = _fleet(folder, options)
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        _print(found)


def _named(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def _measured(model: GpuModel, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """A model's line; a model that cannot be measured stops no other."""
    line: dict[str, Any] = {"model": model.name, "error": ""}
    try:
        source = model.folder(folder, tiny=options.tiny)
        rows = model.rows(2 if options.tiny else model.batch)
        line["batch"] = len(rows)
        with _loaded(model, source, options.device, "bfloat16") as backend:
            for answer in backend.run(rows):
                if not isinstance(answer, TaskOutput):
                    raise answer
            line["ours"] = _rate(lambda: backend.run(rows), len(rows), options.seconds)
            bare = _bare_loop(model, backend, rows)
            line["bare"] = _rate(bare, len(rows), options.seconds)
            line["halved"] = _halved(backend, rows, options.device)
        with _loaded(model, source, options.device, "float32") as backend:
            line["exact"] = _rate(lambda: backend.run(rows), len(rows), options.seconds)
    except Exception as error:  # whatever it is, it is told in its line
        line["error"] = f"{type(error).__name__}: {error}"
    return line


@contextlib.contextmanager
def _loaded(model: GpuModel, source: Path, device: str, dtype: str) -> Iterator[Any]:
    backend = create_backend(
        "transformers", model.task, str(source), device=Device(device), dtype=dtype
    )
    backend.load()
    try:
        yield backend
    finally:
        backend.close()


def _rate(run: Callable[[], object], rows: int, seconds: float) -> float:
    """Rows a second: the median of the runs, of which the first is not counted."""
    run()
    took: list[float] = []
    ends = time.perf_counter() + seconds
    while not took or time.perf_counter() < ends:
        started = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        took.append(time.perf_counter() - started)
    return rows / statistics.median(took)


def _bare_loop(model: GpuModel, backend: Any, rows: Sequence[TaskInput]) -> Callable[[], object]:
    """The model's own call, with the tensors that ours gave it: nothing decoded, nothing read."""
    own, name = backend.model, "generate" if model.writes else "forward"
    called, given = getattr(own, name), {}

    def listen(*arguments: Any, **named: Any) -> Any:
        tensors = {key: value for key, value in named.items() if isinstance(value, torch.Tensor)}
        if arguments and isinstance(arguments[0], torch.Tensor):
            tensors[own.main_input_name] = arguments[0]
        given.update(tensors)
        return called(*arguments, **named)

    setattr(own, name, listen)
    backend.run(rows)
    delattr(own, name)
    more = {"max_new_tokens": _TOKENS, "do_sample": False} if model.writes else {}

    def run() -> object:
        with torch.inference_mode():
            return called(**given, **more)

    return run


def _halved(backend: Backend, rows: Sequence[TaskInput], device: str) -> dict[str, int]:
    """Forwards that a batch of more than the memory holds took, and rows that were answered."""
    many = [*rows] * 16
    on_cuda = device.startswith("cuda")
    if on_cuda:  # beside the weights, room for some two of these batches
        torch.cuda.reset_peak_memory_stats(device)
        weights = torch.cuda.memory_allocated(device)
        backend.run(rows)
        room = 2 * max(torch.cuda.max_memory_allocated(device) - weights, 2**26)
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(min(1.0, (weights + room) / total), device)

    def run(part: Sequence[TaskInput]) -> Any:
        if not on_cuda and len(part) > 4 * len(rows):
            raise OutOfMemory  # a CPU's is not tried
        return backend.run(part)

    try:
        answers: Any = run_rows(run, many, ShapeBudget(len(many), weigh=lambda _: 1))
    finally:
        if on_cuda:
            torch.cuda.set_per_process_memory_fraction(1.0, device)
    answered = sum(isinstance(answer, TaskOutput) for answer in answers.rows)
    return {"rows": len(many), "answered": answered, "forwards": answers.executions}


def _fleet(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """A worker of the first model behind a queue."""
    model = MODELS[0]
    source = model.folder(folder / "fleet", tiny=options.tiny)
    declared = folder / "models.toml"
    batch = 4 if options.tiny else model.batch
    declared.write_text(_MODELS.format(source=source, batch=batch))
    rows = model.rows(min(256, batch * 4))
    with (
        Stack(models=declared, data_dir=folder / "data", flower=False, device=options.device) as up,
        Client(up.url) as client,
    ):
        count = batch * (8 if options.tiny else 80)
        inputs = [rows[number % len(rows)] for number in range(count)]
        for _ in client.map("vit", inputs[: batch * 4]):  # the first forwards choose their kernels
            pass
        computed, started = _computed_s(up), time.perf_counter()
        answered = sum(1 for _ in client.map("vit", inputs, in_flight=batch * 8))
        took = time.perf_counter() - started
        idle = 1 - (_computed_s(up) - computed) / took
        return {
            "rows_per_s": answered / took,
            "idle_percent": 100 * idle,
            "recovery_s": _recovery_s(up, client, inputs[:batch]),
        }


def _computed_s(stack: Stack) -> float:
    """Seconds that the model's forwards have held the device, of all batches."""
    stats = httpx.get(f"{stack.url}/v2/models/vit/stats").raise_for_status().json()
    (own,) = stats["model_stats"]
    return sum(float(size["compute_infer"]["ns"]) for size in own["batch_stats"]) / 1e9


def _recovery_s(stack: Stack, client: Client, inputs: Sequence[TaskInput]) -> float:
    """Seconds from kill -9 of the worker to the last answer of jobs that waited then."""
    ids = [client.submit("vit", one).id for one in inputs]
    stack.worker("vision", 0).signal(signal.SIGKILL)
    killed = time.perf_counter()
    for one in ids:
        client.result(one, timeout_s=180)
    return time.perf_counter() - killed


def _print(found: dict[str, Any]) -> None:
    console = Console(width=max(Console().width, 110))
    table = Table("model", "batch", "bare bf16", "ours bf16", "ratio", "ours exact", "halved")
    for line in found["models"]:
        if line["error"]:
            table.add_row(line["model"], "", line["error"])
            continue
        halved = "{answered} of {rows} in {forwards} forwards".format(**line["halved"])
        rates = [f"{line[name]:.1f}/s" for name in ("bare", "ours")]
        ratio = f"{line['ours'] / line['bare']:.2f}"
        table.add_row(
            line["model"], str(line["batch"]), *rates, ratio, f"{line['exact']:.1f}/s", halved
        )
    console.print(f"rows/s on {found['device']}")
    console.print(table)
    if found["fleet"]:
        console.print(
            "a fleet of {rows_per_s:.0f} photographs/s; the device idle {idle_percent:.1f} % of the"
            " time behind a backlog; {recovery_s:.1f} s from kill -9 to the last answer".format(
                **found["fleet"]
            )
        )


if __name__ == "__main__":
    main()
