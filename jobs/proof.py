"""What shows that processes are of one fleet: a mark in the blob store, and what each API declares.

An API writes the mark under a name that nobody can guess and notes it in Redis: who finds it in
the store that it was given has the right one. The fleet's name, which sweeps leave (`orphans`),
shows nothing: each leaves it in its own store.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ..protocol.errors import NotFound
from .call import Call, call_script
from .keys import Keys
from .settings import JobsSettings
from .stores import Store

#: Seconds between two beats of an API, and seconds without one after which it counts as gone.
BEAT_S, GONE_S = 5.0, 20.0


#: Under which name an API says how it reads records: no model's, which has a slash.
_READS = "reads"

#: Under which it says how each model is declared: by digests, by `Group.model_id`.
_DECLARED = "declared"

#: And the fingerprints that it compares jobs by, beside those of the version before.
_HASH = "sha256"


class Proof(NamedTuple):
    """A mark: where it is, what it says, and what its writer calls the store."""

    ref: str
    token: str
    store: str


class FleetProof(NamedTuple):
    """What can be known of the fleet."""

    proof: Proof | None
    #: What each API that lives declares: tasks by `Group.model_id`.
    apis: Mapping[str, Mapping[str, str]]
    #: Whether an API lives that reads none but plain records: one of the version before, or one
    #: that is told to go back to it some time.
    wants_plain: bool = False
    #: Whether one lives that compares jobs by the earlier kind of fingerprint alone.
    wants_earlier_hash: bool = False
    #: How each API that lives and says so has its models declared: digests by `Group.model_id`.
    declared: Mapping[str, Mapping[str, str]] = MappingProxyType({})


def shown(
    settings: JobsSettings,
    *,
    api: str = "",
    tasks: Mapping[str, str] | None = None,
    declared: Mapping[str, str] | None = None,
) -> Call[FleetProof]:
    """What shows the fleet. With `api` it is that API's beat as well, with what it declares."""
    said = {_DECLARED: dict(declared)} if declared else {}
    keys = Keys(settings.key_prefix)
    return call_script(
        "proof",
        settings,
        keys={"proof": keys.proof, "apis": keys.apis},
        args={
            "gone_ms": int(GONE_S * 1000),
            "api": api,
            "about": json.dumps({**(tasks or {}), **said, **_reads(settings)}),
        },
        parse=_shown,
    )


def _reads(settings: JobsSettings) -> dict[str, str]:
    return {_READS: f"compact {_HASH}"} if settings.compact_records else {}


def leave(api: str, settings: JobsSettings) -> Call[None]:
    """An API says that it ends."""
    gone = ("HDEL", Keys(settings.key_prefix).apis, api)
    return Call([gone], parse=lambda _: None)


def set_proof(new: Proof, old: Proof | None, settings: JobsSettings) -> Call[bool]:
    """Put a proof in the place of another; False when somebody else was faster."""
    return call_script(
        "proof_set",
        settings,
        keys={"proof": Keys(settings.key_prefix).proof},
        args={
            "old": json.dumps(old) if old else "",
            "new": json.dumps(new),
        },
        parse=bool,
    )


def write(store: Store) -> Proof:
    """Write a mark. Raises StoreUnavailable."""
    token = uuid.uuid4().hex
    return Proof(store.put(f"proof/{token}", token.encode()), token, store.name)


def is_in(store: Store, proof: Proof) -> bool:
    """Whether a store has that mark. Raises StoreUnavailable when it cannot say."""
    try:
        return store.get(proof.ref) == proof.token.encode()
    except NotFound:
        return False


def _shown(reply: list[Any]) -> FleetProof:
    proof, *flat = reply
    apis = {i.decode(): json.loads(a) for i, a in zip(flat[::2], flat[1::2], strict=True)}
    declared = {i: about.pop(_DECLARED) for i, about in apis.items() if _DECLARED in about}
    reads = [about.pop(_READS, "plain") for about in apis.values()]
    return FleetProof(
        Proof(*json.loads(proof)) if proof else None,
        apis,
        wants_plain="plain" in reads,
        wants_earlier_hash=any(_HASH not in each for each in reads),
        declared=declared,
    )
