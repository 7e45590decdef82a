"""A verb's Lua, and the names under which its caller gives what it reads.

Each script says on top what its KEYS and ARGV are, in the order in which it reads them:

    -- KEYS 1 job, 2 expiring (files), 3.. indexes
    -- ARGV 1 prefix, 2 worker, 3.. jobs: id attempt

Brackets are for the reader. `..` takes as many as there are: values, or rows of the columns after
the colon. Who calls it knows the names alone, so that no order can be mistaken.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

#: What a command of Redis is made of.
Value = str | bytes | int | float

#: Values by name; of what there may be many, all values, or all rows by column, or all columns of
#: as many rows.
Given = Mapping[str, Value | Iterable[Value | Mapping[str, Value]] | Mapping[str, Sequence[Value]]]

_HERE = Path(__file__).parent / "lua"

#: What stands before the verbs of runs, besides what stands before all.
_OF_RUNS = ("run_prelude", "run_pace_prelude")

_BLOCK = r"^-- {kind} (.*(?:\n--      .*)*)$"
_REMARK = re.compile(r"\s*\([^()]*\)")
_ENTRY = re.compile(r"(\d+)(\.\.)? (\w+)(?:: (\w+(?: \w+)+))?")


class HeaderError(Exception):
    """A script does not say what it reads."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What a script reads as its KEYS, or as its ARGV."""

    #: One value each.
    names: tuple[str, ...]
    #: What comes after them, as many as there are; "" for nothing.
    many: str = ""
    #: The columns of `many`, where it has rows.
    columns: tuple[str, ...] = ()

    def ordered(self, given: Given) -> list[Value]:
        """Put values in the script's order. Raises TypeError unless each is there, and no other."""
        values: Mapping[str, Any] = given  # which of them are many, the header says
        try:
            ordered = list(map(values.__getitem__, self.names))
            if self.columns and isinstance(values[self.many], Mapping):
                ordered += self._rows(values[self.many])
            elif self.columns:
                pick, count = itemgetter(*self.columns), len(self.columns)
                for row in values[self.many]:
                    ordered += pick(row)
                    if len(row) != count:
                        raise TypeError(f"{self}, and not {', '.join(row)}")
            elif self.many:
                ordered += values[self.many]
        except KeyError as missing:
            raise TypeError(f"{self}, and {missing} is not given") from None
        if len(given) != len(self.names) + bool(self.many):
            raise TypeError(f"{self}, and not {', '.join(given)}")
        return ordered

    def _rows(self, columns: Mapping[str, Sequence[Value]]) -> Iterable[Value]:
        if len(columns) != len(self.columns):
            raise TypeError(f"{self}, and not {', '.join(columns)}")
        return chain.from_iterable(zip(*map(columns.__getitem__, self.columns), strict=True))

    def __str__(self) -> str:
        many = [f"{self.many}.. {' '.join(self.columns)}".rstrip()] if self.many else []
        return f"it reads {', '.join([*self.names, *many]) or 'none'}"


@dataclass(frozen=True, slots=True)
class Script:
    """A verb's Lua: the shared prelude, then the verb's own file."""

    name: str
    text: str
    sha: str
    keys: Reads
    #: After the prefix of all keys, which each has first.
    args: Reads

    def command(self, prefix: str, keys: Given, args: Given) -> tuple[Value, ...]:
        """The command that runs it. Raises TypeError for other names than the script's own."""
        try:
            found = self.keys.ordered(keys)
            return ("EVALSHA", self.sha, len(found), *found, prefix, *self.args.ordered(args))
        except TypeError as error:
            raise TypeError(f"script {self.name}: {error}") from None


@functools.cache
def script(name: str) -> Script:
    """Read `<name>.lua` with the prelude put after its flags line. Raises HeaderError.

    Runs' verbs have some of their own besides.
    """
    flags, _, body = (_HERE / f"{name}.lua").read_text().partition("\n")
    preludes = ("prelude", *(_OF_RUNS if name.startswith("run_") else ()))
    prelude = "\n".join((_HERE / f"{each}.lua").read_text() for each in preludes)
    text = f"{flags}\n{prelude}\n{body}"
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    try:
        keys, args = reads("KEYS", body), reads("ARGV", body)
        if args.names[:1] != ("prefix",):
            raise HeaderError("ARGV 1 is not the prefix, which the prelude reads")
    except HeaderError as error:
        raise HeaderError(f"{name}.lua: {error}") from None
    return Script(name, text, sha, keys, replace(args, names=args.names[1:]))


def reads(kind: str, lua: str) -> Reads:
    """What a script says of its KEYS or ARGV. Raises HeaderError."""
    block = re.search(_BLOCK.format(kind=kind), lua, re.MULTILINE)
    if block is None:
        raise HeaderError(f"no line `-- {kind} 1 name, ...` or `-- {kind} none`")
    said = _REMARK.sub("", block[1].replace("\n--", " "))
    if said.strip() == "none":
        return Reads(())
    names: list[str] = []
    many, columns = "", ""
    for place, entry in enumerate(said.split(","), start=1):
        found = _ENTRY.fullmatch(" ".join(entry.split()))
        if found is None or int(found[1]) != place or many or (found[4] and not found[2]):
            raise HeaderError(f"{kind} {place} is not `{place} name`: {entry.strip()!r}")
        if found[2]:
            many, columns = found[3], found[4] or ""
        else:
            names.append(found[3])
    return Reads(tuple(names), many, tuple(columns.split()))
