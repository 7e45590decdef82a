"""API keys in Redis, as text: what they say is the API's business."""

from __future__ import annotations

from .call import Call
from .keys import Keys
from .settings import JobsSettings


def put_key(key_id: str, text: str, settings: JobsSettings) -> Call[bool]:
    """Keep a key. False for an id that is taken, which stays as it is."""
    name = Keys(settings.key_prefix).api_keys
    return Call([("HSETNX", name, key_id, text)], parse=bool)


def all_keys(settings: JobsSettings) -> Call[dict[str, bytes]]:
    """Every key by its id."""
    name = Keys(settings.key_prefix).api_keys
    return Call([("HGETALL", name)], parse=_pairs)


def forget_key(key_id: str, settings: JobsSettings) -> Call[bool]:
    """Forget a key. False for an unknown id."""
    name = Keys(settings.key_prefix).api_keys
    return Call([("HDEL", name, key_id)], parse=bool)


def _pairs(reply: dict[bytes, bytes] | list[bytes]) -> dict[str, bytes]:
    # Read by name or as Redis sends them: pipelines of both kinds come here.
    flat = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
    return {name.decode(): value for name, value in flat}
