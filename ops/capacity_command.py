"""`wherry capacity`: how full one Redis is under a load, and what runs out first."""

from __future__ import annotations

import json
import re
from typing import Annotated

import typer

from . import capacity

#: Bytes: 20kB and 2MB count in thousands, 20KiB and 32GiB in 1024.
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)(i?)b?", re.IGNORECASE)


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("capacity")(command)


def size_of(option: str, text: str) -> int:
    """Bytes, as an option says them. Raises BadParameter."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise typer.BadParameter(
            f"{option} {text!r} is no size: write 20kB, 2MB, 32GiB or a number"
        )
    number, unit, binary = found.groups()
    step = 1024 if binary else 1000
    return int(float(number) * step ** ("kmg".index(unit.lower()) + 1 if unit else 0))


def command(
    jobs_per_s: Annotated[float, typer.Option(min=0, help="Jobs that come, and end, a second.")],
    payload: Annotated[str, typer.Option(help="A request's size: 20kB.")] = "1kB",
    result: Annotated[str, typer.Option(help="A response's size.")] = "1kB",
    ttl: Annotated[float, typer.Option(min=0, help="Seconds that results stay.")] = 86_400,
    waiting: Annotated[int, typer.Option(min=0, help="Jobs that wait at the worst time.")] = 0,
    batch: Annotated[float, typer.Option(min=1, help="Jobs in a batch.")] = 32,
    named: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of jobs with a client's id, with several Redis."),
    ] = 0,
    memory: Annotated[str, typer.Option(help="Memory that Redis may take.")] = "32GiB",
    network: Annotated[str, typer.Option(help="What the network carries a second.")] = "1.25GB",
    speed: Annotated[
        float, typer.Option(min=0.01, help="A core's speed; `make bench-capacity` prints yours.")
    ] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how full one Redis is under a load, and how many jobs a second it ends at."""
    load = capacity.Load(
        jobs_per_s=jobs_per_s,
        payload_bytes=size_of("--payload", payload),
        result_bytes=size_of("--result", result),
        ttl_s=ttl,
        waiting=waiting,
        batch=batch,
        named=named,
    )
    machine = capacity.Machine(
        memory_bytes=max(1, size_of("--memory", memory)),
        network_bytes_per_s=max(1, size_of("--network", network)),
        speed=speed,
    )
    full = capacity.fullness(load, machine)
    most = capacity.most_jobs_per_s(load, machine)
    parts = capacity.cpu_us(load)
    if as_json:
        told = {
            "cpu": full.cpu,
            "memory": full.memory,
            "memory_bytes": round(full.memory_bytes),
            "network": full.network,
            "network_bytes_per_s": round(full.network_bytes_per_s),
            "holds": full.holds,
            "ends": full.ends,
            "cpu_us_a_job": parts,
            "most_jobs_per_s": most,
            "most_waiting": capacity.most_waiting(load, machine),
        }
        typer.echo(json.dumps(told))
        return
    by_part = ", ".join(f"{part} {us:.0f}" for part, us in parts.items())
    lines = [
        f"CPU      {full.cpu:8.1%} of a core: {sum(parts.values()):.0f} µs a job ({by_part})",
        f"memory   {full.memory:8.1%}: {_bytes(full.memory_bytes)};"
        f" a job {_bytes(capacity.waiting_bytes(load))} while it waits,"
        f" {_bytes(capacity.ended_bytes(load))} after its end",
        f"network  {full.network:8.1%}: {_bytes(full.network_bytes_per_s)} a second",
        "jobs/s   at most " + ", ".join(f"{rate:,.0f} by {name}" for name, rate in most.items()),
        f"waiting  at most {capacity.most_waiting(load, machine):,} jobs",
    ]
    lines.append(
        "One Redis holds this."
        if full.holds
        else f"One Redis does not hold this: its {full.ends} runs out first (docs/sharding.md)."
    )
    typer.echo("\n".join(lines))


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"
