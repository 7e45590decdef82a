"""Signatures of webhooks: https://www.standardwebhooks.com, version 1 (symmetric)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

_PREFIX, _VERSION = "whsec_", "v1"

#: Bytes that a secret may have.
_LEAST, _MOST = 24, 64


def secret_key(secret: str) -> bytes:
    """The key that a secret stands for. Raises ValueError, which does not show the secret."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not _LEAST <= len(key) <= _MOST:
        raise ValueError(f"a secret is {_PREFIX} and base64 of {_LEAST} to {_MOST} bytes")
    return key


def signature(keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The signature header: one signature a key."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return " ".join(f"{_VERSION},{_digest(key, signed)}" for key in keys)


def _digest(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def is_signed(
    keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes, header: str
) -> bool:
    """Whether any key made any signature of a header. Constant in time for each pair."""
    given = [
        part.removeprefix(f"{_VERSION},").encode()
        for part in header.split(" ")
        if part.startswith(f"{_VERSION},")
    ]
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    made = [_digest(key, signed).encode() for key in keys]
    return any(hmac.compare_digest(mine, theirs) for mine in made for theirs in given)
