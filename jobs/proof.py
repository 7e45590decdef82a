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
from .processes import about
from .queue_format import Build
from .settings import JobsSettings
from .stores import Store

#: Seconds between two beats of an API, and seconds without one after which it counts as gone.
BEAT_S, GONE_S = 5.0, 20.0


#: Under which name an API says how it reads records: no model's, which has a slash.
_READS = "reads"

#: And the fingerprints that it compares jobs by, beside those of the version before.
_HASH = "sha256"

#: Under which name it says who it is.
_PROCESS = "process"


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
    #: What each says of its process; nothing, for one of the version before.
    processes: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    def builds(self, *, serving: bool) -> Mapping[str, Build]:
        """The APIs that take jobs, or those that may not, and what they were built from."""
        said = {api: self.processes.get(api, {}) for api in self.apis}
        return {
            api: Build.of(about)
            for api, about in said.items()
            if serving != bool(about.get("refused"))
        }

    @property
    def declared(self) -> Mapping[str, Mapping[str, str]]:
        """How each API that says so has its models declared: digests by `Group.model_id`."""
        said = self.processes.items()
        return {api: about["declared"] for api, about in said if "declared" in about}

    def name(self, api: str) -> str:
        """What an operator calls an API."""
        said = self.processes.get(api, {})
        return f"the API on {said['host']} (process {said['pid']})" if said else f"the API {api}"


def shown(
    settings: JobsSettings,
    *,
    api: str = "",
    tasks: Mapping[str, str] | None = None,
    said: Mapping[str, object] | None = None,
) -> Call[FleetProof]:
    """What shows the fleet. With `api` it is that API's beat as well, with what it declares and
    has to say of its process.
    """
    process = {_PROCESS: {**about(settings), **(said or {})}} if api else {}
    keys = Keys(settings.key_prefix)
    return call_script(
        "proof",
        settings,
        keys={"proof": keys.proof, "apis": keys.apis},
        args={
            "gone_ms": int(GONE_S * 1000),
            "api": api,
            "about": json.dumps({**(tasks or {}), **_reads(settings), **process}),
        },
        parse=_shown,
    )


def _reads(settings: JobsSettings) -> dict[str, str]:
    return {_READS: f"compact {_HASH}"} if settings.compact_records else {}


def noted(settings: JobsSettings) -> Call[Proof | None]:
    """The mark that the APIs know, for whoever only looks: a replica tells it, too."""
    asked = ("GET", Keys(settings.key_prefix).proof)
    return Call([asked], parse=lambda reply: Proof(*json.loads(reply)) if reply else None)


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
    reads = [said.pop(_READS, "plain") for said in apis.values()]
    processes = {api: said.pop(_PROCESS, {}) for api, said in apis.items()}
    return FleetProof(
        Proof(*json.loads(proof)) if proof else None,
        apis,
        wants_plain="plain" in reads,
        wants_earlier_hash=any(_HASH not in each for each in reads),
        processes=processes,
    )
