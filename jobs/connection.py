"""How commands are packed for Redis: by hiredis, on either kind of connection."""

from __future__ import annotations

import contextlib
from typing import Any

import hiredis
from redis.asyncio import Connection
from redis.connection import HiredisRespSerializer

#: Commands of ours that have many arguments; and whose names are one word.
_LONG = ("EVALSHA", "MGET")


class CommandPacker(HiredisRespSerializer):
    """Packs in C alone: redis-py looks at each of a batch's 300 arguments first."""

    def pack(self, *args: Any) -> list[bytes]:
        """A command as Redis reads it."""
        if args[0] in _LONG:
            with contextlib.suppress(TypeError):  # there are buffers among them
                return [hiredis.pack_command(args)]
        packed: list[bytes] = super().pack(*args)
        return packed


_PACKER = CommandPacker()


class PackedConnection(Connection):
    """Packs in C: a submit has thirty arguments, and redis-py joins them one by one."""

    def pack_command(self, *args: Any) -> list[bytes]:
        """A command as Redis reads it."""
        return _PACKER.pack(*args)
