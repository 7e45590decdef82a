"""How a data set of the Hugging Face Hub is spelled: `hf://datasets/OWNER/NAME[@REVISION][/PATH]`.

As fsspec's own file system for the Hub has it. PATH is a file, folder or glob there, or names a
part of the data set: `CONFIG`, `SPLIT`, `CONFIG/SPLIT`.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from ....protocol.errors import InvalidRequest

_SCHEME = re.compile(r"hf://", re.IGNORECASE)

#: Revisions with slashes in their names that the Hub itself makes; others have %2F for theirs.
_REVISION = r"refs/(?:convert/\w+|pr/\d+)|[^/]*"
_DATASET = re.compile(
    rf"datasets/(?P<id>[^/@]+/[^/@]+)(?:@(?P<revision>{_REVISION}))?(?:/(?P<path>.*))?", re.DOTALL
)

#: A revision at the very end: `OWNER/NAME/SPLIT@main`.
_AT_END = re.compile(rf"(?P<path>.*)@(?P<revision>{_REVISION})", re.DOTALL)


class HubSpelling(NamedTuple):
    """What a spelling names."""

    #: `OWNER/NAME`.
    id: str
    #: A branch, a tag, a commit; "" for the default branch.
    revision: str
    path: str

    def __str__(self) -> str:
        """As it is spelled."""
        at = f"@{quote(self.revision, safe='')}" if self.revision else ""
        path = f"/{self.path}" if self.path else ""
        return f"hf://datasets/{self.id}{at}{path}"


def is_hub(spec: str) -> bool:
    """Whether it names something on the Hub."""
    return _SCHEME.match(spec) is not None


def hub_spelling(spec: str) -> HubSpelling:
    """What a spelling names. Raises InvalidRequest for one that is no data set's."""
    found = _DATASET.fullmatch(_SCHEME.sub("", spec, count=1))
    if found is None:
        raise InvalidRequest(f"{spec}: name a data set, hf://datasets/OWNER/NAME")
    revision, path = found["revision"] or "", (found["path"] or "").strip("/")
    if not revision and (at_end := _AT_END.fullmatch(path)):
        revision, path = at_end["revision"], at_end["path"]
    return HubSpelling(found["id"], unquote(revision), path)
