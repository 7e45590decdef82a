"""Pages of a list that lies on several Redis servers: the newest first, whichever has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote

from ..protocol.errors import InvalidRequest

#: Stands for the end of a list in a cursor of several.
_END = "-"


class Listed(NamedTuple):
    """An entry of a list, and where one goes on behind it."""

    id: str
    at_ms: int
    cursor: str


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page of one Redis; its `following` is "" at the end."""

    listed: Sequence[Listed]
    following: str


def split(cursor: str, count: int) -> list[str]:
    """The cursors of each Redis. Raises InvalidRequest for that of a fleet of other servers."""
    if not cursor:
        return [""] * count
    parts = [unquote(part) for part in cursor.split("|")]
    if len(parts) != count:
        raise InvalidRequest("use the cursor that a page gave")
    return parts


def join(cursors: Sequence[str]) -> str:
    """The cursor of all."""
    return "|".join(quote(cursor, safe=":") for cursor in cursors)


def has_ended(cursor: str) -> bool:
    """Whether a Redis' list has been told to its end."""
    return cursor == _END


def merged(
    parts: Sequence[ListPage | None], after: Sequence[str], limit: int
) -> tuple[list[str], str]:
    """The newest entries of all pages, and the cursor of the next; "" at the end.

    A page that ends before its list does ends the merged one: what comes behind it is not known.
    None is the page of a Redis that is away: it is passed over, and asked again next time.
    """
    taken = [0] * len(parts)
    ids: list[str] = []
    while len(ids) < limit:
        heads = []
        for at, part in enumerate(parts):
            if part is None:
                continue
            if taken[at] < len(part.listed):
                heads.append((part.listed[taken[at]].at_ms, -at))
            elif part.following:
                heads = []
                break
        if not heads:
            break
        at = -max(heads)[1]
        part = parts[at]
        assert part is not None
        ids.append(part.listed[taken[at]].id)
        taken[at] += 1
    cursors = [
        _behind(part, count, before)
        for part, count, before in zip(parts, taken, after, strict=True)
    ]
    going_on = (not has_ended(c) for c, p in zip(cursors, parts, strict=True) if p is not None)
    return ids, join(cursors) if any(going_on) else ""


def _behind(part: ListPage | None, taken: int, before: str) -> str:
    if part is None:
        return before
    if taken == len(part.listed):
        return part.following or _END
    return part.listed[taken - 1].cursor if taken else before
