"""`make bench-filling`: how full batches get, whatever each of 64 clients asks.

A stub holds the device for so long a forward, whatever its rows, so that rows/s are the batches'
sizes. Each client asks again as soon as it is answered: all alike; each at one of eight priorities;
each for one of eight tenants; each with its own length and temperature; each for one of thirty
models, or at random. Each case is run in turn, some rounds. With another checkout, whose own
environment has it installed, both are: `python -m bench.filling --before ../older`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvloop

from wherry.api.access.keys import make, toml_entry
from wherry.jobs.owned import NOBODY
from wherry.ops.ports import free_port
from wherry.protocol import codec
from wherry.tasks.text.text_generation import TextGenerationInput

from . import load
from .shown import show

_HERE = Path(__file__).parents[1]
_CLIENTS, _TENANTS, _PRIORITIES, _MODELS = 64, 8, 8, 30

_MODEL = """
[[models]]
name = "{name}"
task = "text-generation"
backend = "stub"
max_batch_size = 32
parameters = {{ delay_s = {delay_s} }}
"""

#: What a client asks for, by its number and how often it has asked.
Ask = Callable[[int, int], tuple[str, dict[str, object], int]]  # model, parameters, tenant

_RANDOM = random.Random(1)  # not for secrets
_CHOICES = [_RANDOM.randrange(_MODELS) for _ in range(1009)]

CASES: dict[str, Ask] = {
    "all alike": lambda _client, _turn: ("m0", {}, 0),
    "eight priorities": lambda client, _: ("m0", {"priority": 1 + client % _PRIORITIES}, 0),
    "eight tenants": lambda client, _: ("m0", {}, client % _TENANTS),
    "own length and temperature": lambda client, _: (
        "m0",
        {"max_new_tokens": 8 + client, "temperature": 0.5 + client / 100, "do_sample": True},
        0,
    ),
    "thirty models, one a client": lambda client, _: (f"m{client % _MODELS}", {}, 0),
    "thirty models, at random": lambda client, turn: (
        f"m{_CHOICES[(client * 31 + turn) % len(_CHOICES)]}",
        {},
        0,
    ),
}


@dataclass
class Tree:
    """A checkout, and what each case came to, a value a round."""

    folder: Path
    url: str = ""
    rates: dict[str, list[float]] = field(default_factory=dict)
    sizes: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, case: str, tokens: list[str], seconds: float) -> None:
        """Run one case for some seconds."""
        before = _counted(self.url, tokens)
        answered = uvloop.run(_clients(self.url, CASES[case], tokens, seconds))
        rows, forwards = (b - a for a, b in zip(before, _counted(self.url, tokens), strict=True))
        self.rates.setdefault(case, []).append(answered / seconds)
        self.sizes.setdefault(case, []).append(rows / max(1, forwards))


@contextlib.contextmanager
def _stack(tree: Tree, data: Path, models: Path, keys: Path) -> Iterator[None]:
    port = free_port()
    command = [tree.folder / ".venv/bin/wherry", "up", "--models", models, "--data-dir", data]
    process = subprocess.Popen(
        [*map(str, command), "--port", str(port), "--no-flower"],
        cwd=tree.folder,
        env={**os.environ, "WHERRY_API_KEYS": str(keys)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = []
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if line.startswith("Ready"):
                break
        else:
            raise SystemExit("".join(said))
        tree.url = f"http://127.0.0.1:{port}"
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()


def _counted(url: str, tokens: list[str]) -> tuple[int, int]:
    """Rows and forwards of all models so far. The last token is the operator's."""
    headers = {"Authorization": f"Bearer {tokens[-1]}"}
    stats = httpx.get(f"{url}/v2/models/stats", headers=headers, timeout=60).json()["model_stats"]
    return (
        sum(int(model["inference_count"]) for model in stats),
        sum(int(model["execution_count"]) for model in stats),
    )


async def _clients(url: str, ask: Ask, tokens: list[str], seconds: float) -> int:
    """How many answers all clients had in some seconds, after one of which nothing is counted."""
    host = httpx.URL(url).netloc.decode()
    begins = time.monotonic() + 1.0
    answered = 0

    async def client(number: int) -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection(*host.split(":"))
        for turn in itertools.count():
            if time.monotonic() > begins + seconds:
                break
            writer.write(_wire(*ask(number, turn), number, tokens, host))
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
            body = await reader.readexactly(length)
            if int(head[9:12]) >= 300:
                raise RuntimeError(body[:300].decode())
            answered += begins < time.monotonic() <= begins + seconds
        writer.close()

    async with asyncio.TaskGroup() as group:
        for number in range(_CLIENTS):
            group.create_task(client(number))
    return answered


def _wire(
    model: str,
    parameters: dict[str, object],
    tenant: int,
    client: int,
    tokens: list[str],
    host: str,
) -> bytes:
    asked = TextGenerationInput(texts=[f"client {client}"]).to_inference_request()
    asked.parameters.update(parameters)
    body, _ = codec.encode_request(asked, binary=False)
    headers = (("Authorization", f"Bearer {tokens[tenant]}"),)
    return load.Request(f"/v2/models/{model}/infer", body, headers).wire(host)


def _report(trees: list[Tree]) -> list[dict[str, object]]:
    """A row a case and checkout: medians of rounds, and of each round's ratio to all alike."""
    rows: list[dict[str, object]] = []
    for case, tree in itertools.product(CASES, trees):
        alike = tree.rates["all alike"]
        ratios = [a / b for a, b in zip(tree.rates[case], alike, strict=True)]
        rows.append(
            {
                "case": case,
                "checkout": str(tree.folder),
                "rows_per_s": round(statistics.median(tree.rates[case]), 1),
                "rows_per_batch": round(statistics.median(tree.sizes[case]), 2),
                "to_all_alike": round(statistics.median(ratios), 3),
            }
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.filling", description=__doc__)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="the one to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each case")
    parser.add_argument("--forward", type=float, default=0.03, metavar="SECONDS")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folders = [options.before.resolve()] if options.before else []
    trees = [Tree(folder) for folder in (*folders, _HERE)]
    made = [make(tenant=f"tenant{number}", scopes=["submit", "read"]) for number in range(_TENANTS)]
    made.append(make(tenant=NOBODY, scopes=["admin"]))
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as name, contextlib.ExitStack() as up:
        models, keys = Path(name) / "models.toml", Path(name) / "keys.toml"
        names = [f"m{number}" for number in range(_MODELS)]
        models.write_text("".join(_MODEL.format(name=m, delay_s=options.forward) for m in names))
        keys.write_text("\n".join(toml_entry(each.key) for each in made))
        for number, tree in enumerate(trees):
            up.enter_context(_stack(tree, Path(name) / str(number), models, keys))
        for _, case, tree in itertools.product(range(options.rounds), CASES, trees):
            tree.measure(case, [each.token for each in made], options.seconds)
    show(_report(trees), as_json=options.json)


if __name__ == "__main__":
    main()
