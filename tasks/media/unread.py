"""What is said of files that have more pages or frames than the one that is read."""

from __future__ import annotations

from collections.abc import Iterable

from ...protocol.errors import RowError
from .kinds import is_single
from .pages import open_pages

#: What to do about it.
_REMEDY = {
    "page": "`wherry annotate --frames all` makes a row of each",
    "frame": "send the others as pictures of their own",
}


def unread_pages(entries: Iterable[bytes | list[bytes] | None]) -> str:
    """What of one row's files is not read where of each the first page or frame is; "" for
    nothing.
    """
    files = [file for entry in entries for file in (entry if isinstance(entry, list) else [entry])]
    for file in files:
        if not file or is_single(file):
            continue
        try:
            pages = open_pages(file)
        except RowError:
            continue  # of a row that was answered without a look at it
        if pages.count > 1:
            return (
                f"the file has {pages.count} {pages.kind}s and only the first was read: "
                f"{_REMEDY[pages.kind]}"
            )
    return ""
