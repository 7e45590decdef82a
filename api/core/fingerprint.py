"""What tells a job's request from another one's under the same id, kept with the job.

A caller may try to make two requests of one fingerprint, so it is of a cryptographic hash: SHA-256,
for which processors have instructions, in its first 128 bits. The version before has BLAKE2b of as
many, which takes twice the time and more. While an API of it lives, new jobs get that; and a job is
always compared by the hash that it was stored with.
"""

from __future__ import annotations

import hashlib

#: What a fingerprint of ours begins with: no hexadecimal digit.
_SHA256 = "s"


def fingerprint(model: str, version: str, payload: bytes, *, earlier: bool = False) -> str:
    """A request's fingerprint; `earlier` is that of the version before."""
    found = hashlib.blake2b(digest_size=16) if earlier else hashlib.sha256()
    for part in (model.encode(), b"\0", version.encode(), b"\0", payload):
        found.update(part)  # joined, the payload would be in memory twice
    return found.hexdigest() if earlier else _SHA256 + found.hexdigest()[:32]


def is_earlier(found: str) -> bool:
    """Whether a fingerprint is of the version before."""
    return not found.startswith(_SHA256)
