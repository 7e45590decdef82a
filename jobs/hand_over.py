"""A failover by command that loses nothing which one replica has: the primary itself hands over.

`SENTINEL FAILOVER <name> COORDINATED` is answered before anything has begun. The sentinel that was
told asks the others for their votes once, gives up in silence where a majority's do not come, as
from those that it has just lost the connection to, and nothing is handed over. So it is watched,
and the next one is told.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, NamedTuple

import redis
from redis.exceptions import ResponseError

from ..protocol.errors import Unavailable
from .connection import close, connect
from .sentinel_url import SentinelUrl

#: Seconds between two looks.
_EVERY_S = 0.1

#: Ms of silence at which sentinels, which ask once a second, take a primary that has just taken
#: over for dead, and hand over again without waiting for what it had accepted.
HASTY_MS = 2000

#: What a sentinel says of a primary that it does not think well of.
_UNWELL = frozenset({"s_down", "o_down", "failover_in_progress", "disconnected"})


class FailoverRefusedError(Exception):
    """It would lose jobs, or cannot be; the message says what to do."""


class HandedOver(NamedTuple):
    """Who was the primary, who is now, and how many follow it where how many did."""

    before: str
    after: str
    following: int
    replicas: int


def hand_over(
    url: str, *, patience_s: float = 60.0, setting: str = "WHERRY_REDIS_URL"
) -> HandedOver:
    """Have the primary that sentinels name hand over to the replica that they choose.

    `setting` is where the URL stands.
    Raises FailoverRefusedError before anything is done, and Unavailable for what does not come to
    its end in time.
    """
    where = SentinelUrl.parse(url)
    if where is None:
        raise FailoverRefusedError(
            f"{setting} names no sentinels (sentinel://host:26379,.../name/0): there is"
            " nobody to tell all processes which server is the primary"
        )
    client = connect(url)
    pool: Any = client.connection_pool
    try:
        change = _Change(pool.sentinel_manager.sentinels, where.master, patience_s)
        before = change.begin()
        try:
            replicas = _following(client)
        except redis.RedisError as error:
            raise FailoverRefusedError(f"{before} does not say who follows it: {error}") from None
        pool.disconnect()  # else the last primary would be asked who follows it
        after = change.watch(before)
        return HandedOver(before, after, change.followed_by(client, replicas), replicas)
    finally:
        close(client)


class _Change:
    """One failover, and what its sentinels say."""

    def __init__(self, sentinels: list[Any], master: str, patience_s: float) -> None:
        self._all, self._master = sentinels, master
        self._deadline = time.monotonic() + patience_s
        self._patience_s = patience_s
        #: Those that answered.
        self._sentinels: list[Any] = []

    def begin(self) -> str:
        """The primary's address, once nothing speaks against it. Raises FailoverRefusedError."""
        states = []
        for sentinel in self._all:
            with suppress(redis.RedisError):
                states.append(sentinel.sentinel_master(self._master))
                self._sentinels.append(sentinel)
        if 2 * len(states) <= len(self._all):
            raise FailoverRefusedError(
                f"{len(states)} of {len(self._all)} sentinels answer and know {self._master!r}: a"
                " majority has to agree; start the others"
            )
        if reason := _against(states):
            raise FailoverRefusedError(reason)
        return _address(states[0])

    def watch(self, before: str) -> str:
        """The next primary's address, once all name it. Tells one sentinel after the other."""
        tried, told, after = 0, 0, ""
        while time.monotonic() < self._deadline:
            states = self._states()
            named = {_address(state) for state in states}
            after = next(iter(named - {before}), "")
            if named == {after}:
                return after
            if not after and not any(map(_is_under_way, states)):  # maybe somebody else told one
                sentinel = self._sentinels[tried % len(self._sentinels)]
                tried += 1
                told += _told(sentinel, self._master)
            time.sleep(_EVERY_S)
        if after:  # which the others will hear of
            return after
        raise Unavailable(
            f"{before} has not handed over in {self._patience_s:g} s, though {told} times told to:"
            " the sentinel that is told needs the votes of a majority; see their logs for"
            " -failover-abort"
        )

    def followed_by(self, client: Any, replicas: int) -> int:
        """How many replicas follow the next primary, when all do or the time is up."""
        online = 0
        while time.monotonic() < self._deadline:
            with suppress(redis.RedisError, Unavailable):
                online = _following(client)
                if online >= replicas:
                    break
            time.sleep(_EVERY_S)
        return online

    def _states(self) -> list[Any]:
        """What each sentinel says that answers now."""
        states = []
        for sentinel in self._sentinels:
            with suppress(redis.RedisError):
                states.append(sentinel.sentinel_master(self._master))
        return states


def _following(client: Any) -> int:
    """How many replicas follow the primary. Sentinels count those too that are gone for good."""
    info = client.info("replication")
    told = [info[f"slave{number}"] for number in range(info["connected_slaves"])]
    return sum(each["state"] == "online" for each in told)


def _address(state: Any) -> str:
    return f"{state['ip']}:{state['port']}"


def _is_under_way(state: Any) -> bool:
    return "failover_in_progress" in state["flags"]


def _against(states: list[Any]) -> str:
    """What speaks against a failover; "" for nothing."""
    if len({_address(state) for state in states}) > 1:
        return "sentinels name several primaries: a failover is under way; wait until it is over"
    if unwell := {flag for state in states for flag in state["flags"]} & _UNWELL:
        return (
            f"sentinels say {', '.join(sorted(unwell))} of {_address(states[0])}: wait until they"
            " are of one mind"
        )
    least_ms = min(state["down-after-milliseconds"] for state in states)
    if least_ms < HASTY_MS:
        return (
            f"a sentinel calls a primary down after {least_ms} ms, and may take the next one for"
            " dead, which loses what it had accepted: SENTINEL SET <name> down-after-milliseconds"
            " 5000, on each sentinel"
        )
    if not min(state["num-slaves"] for state in states):
        return f"a sentinel knows no replica of {_address(states[0])} that could take over"
    return ""


def _told(sentinel: Any, master: str) -> bool:
    """Tell a sentinel to; False where it is at one, or gone. Raises FailoverRefusedError."""
    try:
        sentinel.execute_command("SENTINEL FAILOVER", master, "COORDINATED")
    except ResponseError as error:
        if str(error).startswith("INPROG"):
            return False
        raise FailoverRefusedError(refusal(str(error))) from None
    except redis.RedisError:
        return False
    return True


def refusal(said: str) -> str:
    """What a sentinel's refusal means, and what to do."""
    if "wrong number of arguments" in said or "syntax" in said:
        return (
            "its sentinels know no COORDINATED failover (Valkey 9.0 and newer do), and a plain one"
            " throws away what only other replicas have: set WHERRY_MIN_REPLICAS to the number of"
            " all replicas, or stop submits, before SENTINEL FAILOVER"
        )
    if said.startswith("NOGOODSLAVE"):
        return (
            "no replica can take over: see that they follow the primary, and are in step; just"
            " after a failover sentinels have yet to ask them"
        )
    if said.startswith("NOGOODPRIMARY"):
        return "the primary cannot hand over by itself (Valkey 9.0 and newer can)"
    return f"the sentinel refuses: {said}"
