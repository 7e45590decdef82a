"""How full one Redis is under a load: its one thread, its memory, its network.

Pure arithmetic over figures that were measured. `make bench-capacity` measures them again, and
tests/ops/test_capacity.py holds the bytes against a real Redis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

#: Bytes of Redis' memory that a job takes beside its payload while it waits, and beside its result
#: when it has ended. A result of up to `_SMALL` bytes lies in the record, in pieces.
WAITING_BYTES, SMALL_ENDED_BYTES, ENDED_BYTES = 650, 690, 1_400
_SMALL = 1_024

#: The allocator has blocks of certain sizes: what is stored takes so much more at most.
ROUNDING = 0.20

#: Bytes of a name that a client gave, held for a while where families have Redis servers of their
#: own.
CLAIMED_NAME_BYTES, CLAIM_S = 130, 600

#: Bytes of an open connection, of which each process has a few.
CONNECTION_BYTES = 18_000

#: µs of Redis' thread: a job's, a KiB's of its payload or result, a batch's.
_JOB_US: Mapping[str, float] = {"submit": 45, "claim": 11, "payload": 1, "finish": 19, "read": 19}
_KIB_US: Mapping[str, float] = {
    "submit": 2.0,
    "claim": 0.1,
    "payload": 0.2,
    "finish": 2.8,
    "read": 0.3,
}
_BATCH_US: Mapping[str, float] = {
    "submit": 0,
    "claim": 170,
    "payload": 38,
    "finish": 190,
    "read": 0,
}
_OF_RESULT = ("finish", "read")

#: Bytes on the wire that a job takes beside its payload, which goes in and out, and its result,
#: which does, too, and goes to whoever waits for it.
_WIRE_BYTES = 2_500

#: Shares beyond which waits grow, and what no plan should pass: a rewrite of the log of commands
#: may copy all memory, and a thread that is busy for more queues for itself.
MOST_CPU, MOST_MEMORY, MOST_NETWORK = 0.6, 0.6, 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one Redis is to carry."""

    jobs_per_s: float
    payload_bytes: int
    result_bytes: int
    #: Seconds that a job and its result stay after its end.
    ttl_s: float
    #: Jobs that wait at the worst time.
    waiting: int = 0
    #: Jobs in a batch.
    batch: float = 32.0
    #: Share of the jobs whose id or Idempotency-Key the client gave, on the home of a fleet that
    #: has more Redis servers than one.
    named: float = 0.0
    connections: int = 20
    #: Bytes beyond which a payload or a result lies in the blob store.
    inline_max_bytes: int = 262_144

    def inline(self, size: int) -> int:
        """What Redis holds of a payload or a result."""
        return size if size <= self.inline_max_bytes else 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where it runs."""

    memory_bytes: int = 32 << 30
    network_bytes_per_s: int = 1_250_000_000
    #: How fast its core is beside the one that the figures were measured on.
    speed: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fullness:
    """Shares of what a machine has; 1 is all of it."""

    cpu: float
    memory_bytes: float
    memory: float
    network_bytes_per_s: float
    network: float

    @property
    def holds(self) -> bool:
        """Whether one Redis is enough, with room for what comes at once."""
        return self.cpu <= MOST_CPU and self.memory <= MOST_MEMORY and self.network <= MOST_NETWORK

    @property
    def ends(self) -> str:
        """What runs out first."""
        shares = {"cpu": self.cpu, "memory": self.memory, "network": self.network}
        return max(shares, key=lambda name: shares[name])


def cpu_us(load: Load) -> dict[str, float]:
    """µs of Redis' thread that a job takes, by part."""
    found = {}
    for part, us in _JOB_US.items():
        size = load.inline(load.result_bytes if part in _OF_RESULT else load.payload_bytes)
        found[part] = us + size / 1024 * _KIB_US[part] + _BATCH_US[part] / load.batch
    return found


def waiting_bytes(load: Load) -> float:
    """Bytes that a job takes while it waits."""
    return WAITING_BYTES + load.inline(load.payload_bytes)


def ended_bytes(load: Load) -> float:
    """Bytes that a job takes after its end, with its result."""
    size = load.inline(load.result_bytes)
    return (SMALL_ENDED_BYTES if size <= _SMALL else ENDED_BYTES) + size


def fullness(load: Load, machine: Machine) -> Fullness:
    """How full one Redis is."""
    cpu = load.jobs_per_s * sum(cpu_us(load).values()) / 1e6 / machine.speed
    memory = (
        load.waiting * waiting_bytes(load)
        + load.jobs_per_s * load.ttl_s * ended_bytes(load)
        + load.jobs_per_s * load.named * CLAIM_S * CLAIMED_NAME_BYTES
        + load.connections * CONNECTION_BYTES
    )
    payload, result = load.inline(load.payload_bytes), load.inline(load.result_bytes)
    network = load.jobs_per_s * (2 * payload + 2 * result + _WIRE_BYTES)
    return Fullness(
        cpu=cpu,
        memory_bytes=memory,
        memory=memory / machine.memory_bytes,
        network_bytes_per_s=network,
        network=network / machine.network_bytes_per_s,
    )


def most_jobs_per_s(load: Load, machine: Machine) -> dict[str, float]:
    """Jobs a second that each of the three allows, all else as it is; 0 where nothing is left."""
    one, none = (fullness(replace(load, jobs_per_s=rate), machine) for rate in (1.0, 0.0))
    return {
        "cpu": MOST_CPU / one.cpu,
        "memory": max(0.0, MOST_MEMORY - none.memory) / max(one.memory - none.memory, 1e-15),
        "network": MOST_NETWORK / one.network,
    }


def most_waiting(load: Load, machine: Machine) -> int:
    """Jobs that may wait in the memory that is left."""
    left = (
        MOST_MEMORY * machine.memory_bytes
        - fullness(replace(load, waiting=0), machine).memory_bytes
    )
    return max(0, math.floor(left / waiting_bytes(load)))
