"""Families with a Redis of their own: what WHERRY_FAMILY_REDIS says."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ..tasks.base import FAMILIES
from . import redis_url

#: What begins an entry. A URL has commas, too, in a password or between hosts, but no such word.
_ENTRY = re.compile(r"(?:^|[,\s]+)([a-z+_-]+)=(?=[a-z+]+://)")

#: What the value is to look like.
_FORM = "expected family=redis://host:port/0, some of them with commas between"


def read(text: str) -> dict[str, str]:
    """URLs by family. Raises ValueError, whose text shows nothing of a password."""
    parts = _ENTRY.split(text.strip())
    if parts[0].strip() or (text.strip() and len(parts) == 1):
        raise ValueError(_FORM)
    found: dict[str, str] = {}
    for family, url in zip(parts[1::2], parts[2::2], strict=True):
        if family not in FAMILIES:
            raise ValueError(f"{family!r} is no family; there are {', '.join(FAMILIES)}")
        if family in found:
            raise ValueError(f"{family} is there twice")
        if re.search(r"\s|[a-z]=[a-z]+://", url.strip(", \t\n")):
            raise ValueError(_FORM)
        found[family] = url.strip(", \t\n")
        try:
            redis_url.check(found[family])
        except ValueError as error:
            raise ValueError(f"the URL of {family} {error}") from None
    return found


def by_url(urls: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Families by the Redis that they share."""
    found: dict[str, tuple[str, ...]] = {}
    for family, url in sorted(urls.items()):
        found[url] = (*found.get(url, ()), family)
    return found


def one_of(families: Collection[str], urls: Mapping[str, str], home: str) -> str:
    """The Redis of all these families. Raises ValueError where they have more than one."""
    groups: dict[str, list[str]] = {}
    for family in sorted(families):
        groups.setdefault(urls.get(family, home), []).append(family)
    if len(groups) > 1:
        apart = " and ".join(", ".join(group) for group in groups.values())
        raise ValueError(
            f"WHERRY_FAMILY_REDIS: {apart} are on different Redis servers, and a worker is on one:"
            " start a worker for each"
        )
    return next(iter(groups), home)
