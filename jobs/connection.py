"""The asyncio connection to Redis, with commands packed by hiredis as the blocking one does."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Connection
from redis.connection import HiredisRespSerializer

_PACKER = HiredisRespSerializer()


class PackedConnection(Connection):
    """Packs in C: a submit has thirty arguments, and redis-py joins them one by one."""

    def pack_command(self, *args: Any) -> list[bytes]:
        """A command as Redis reads it."""
        packed: list[bytes] = _PACKER.pack(*args)
        return packed
