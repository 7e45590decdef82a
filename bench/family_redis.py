"""`make bench-family-redis`: two families on one Redis, and on two: jobs/s, and where the CPU goes.

Two stubs, 32 clients of each, one API process. What counts is Redis' share of a core a thousand
jobs/s: a second Redis takes a family's part of it away. Two minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from wherry.ops.redis_server import RedisServer
from wherry.ops.stack import Stack

_MODELS = """
[[models]]
name = "embedding"
task = "embedding"
backend = "stub"
max_batch_size = 32

[[models]]
name = "text-to-speech"
task = "text-to-speech"
backend = "stub"
max_batch_size = 32
"""
_FAMILIES = {"embedding": "text", "text-to-speech": "audio"}
_CLIENTS, _JOBS = 32, 1600


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _fleet(folder: Path, *, apart: bool) -> Iterator[tuple[Stack, dict[str, int]]]:
    (folder / "models.toml").write_text(_MODELS)
    own = RedisServer(folder / "own")
    own.start()
    env = {"WHERRY_FAMILY_REDIS": f"text={own.url}"} if apart else {}
    try:
        with Stack(models=folder / "models.toml", data_dir=folder, flower=False, env=env) as stack:
            assert stack.redis is not None
            pids = {"home": stack.redis.pid, "own": own.pid}
            pids |= {name: pid for name, c in stack.children.items() if (pid := c.pid)}
            yield stack, pids
    finally:
        own.stop()


async def _load(url: str) -> None:
    body = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a text"]}]}
    limits = httpx.Limits(max_connections=2 * _CLIENTS)

    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:

        async def one(model: str) -> None:
            left = _JOBS // _CLIENTS
            while left:
                with contextlib.suppress(httpx.ReadError):  # closed while it was idle
                    answer = await client.post(f"/v2/models/{model}/infer", json=body)
                    answer.raise_for_status()
                    left -= 1

        await asyncio.gather(*(one(model) for model in _FAMILIES for _ in range(_CLIENTS)))


def main() -> None:
    """Measure both in turn."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    rows: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    count = len(_FAMILIES) * _CLIENTS * (_JOBS // _CLIENTS)
    for _ in range(rounds):
        for apart, found in rows.items():
            with (
                tempfile.TemporaryDirectory() as folder,
                _fleet(Path(folder), apart=apart) as (stack, pids),
            ):
                asyncio.run(_load(stack.url))
                before, since = {n: _cpu_s(pid) for n, pid in pids.items()}, time.monotonic()
                asyncio.run(_load(stack.url))
                took = time.monotonic() - since
                spent = {n: (_cpu_s(pid) - before[n]) / count * 1e6 for n, pid in pids.items()}
                found.append({"jobs/s": count / took, **spent})
    names = list(rows[False][0])
    table = Table("", *(name if name == "jobs/s" else f"{name}, µs a job" for name in names))
    for apart, found in rows.items():
        middle = (statistics.median(each[name] for each in found) for name in names)
        table.add_row("two Redis" if apart else "one Redis", *(f"{value:.0f}" for value in middle))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
