"""Whether an output behind a URL would lie in its source, or around it, by how both are spelt."""

from __future__ import annotations

from collections.abc import Sequence

from ....protocol.errors import InvalidRequest
from ....protocol.places import plain
from .remote import is_url
from .spelling import expanded, has_braces, is_glob, split_glob
from .walking import Pattern

#: Schemes that lead to the same files.
_SAME = {"s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az"}


def refuse_url_overlap(spec: str, out: str, besides: Sequence[str], *, is_folder: bool) -> None:
    """Raise InvalidRequest where what is written to `out` would be part of the source, or hold it.

    `besides` are files that are written too. A source that is no URL cannot overlap.
    """
    source = spec.removeprefix("@").partition("#")[0]
    if not is_url(source) or not is_url(out):
        return
    for path in expanded(source) if has_braces(source) else (source,):
        found = _overlap(_named(path), _named(out), is_folder=is_folder)
        if found:
            raise InvalidRequest(f"out {out!r} {found} {spec!r}: name one elsewhere")
        if any(_named(file) == _named(path) for file in besides):
            raise InvalidRequest(f"the source {spec!r} is a file that is written beside {out}")


def _overlap(source: str, out: str, *, is_folder: bool) -> str:
    """How they overlap, in words; "" where they do not."""
    root, glob = split_glob(source) if is_glob(source) else (source, "")
    if out == source:
        return "is the source"
    if root == out or root.startswith(f"{out}/"):
        return "is a folder around the source"
    if not out.startswith(f"{root}/"):
        return ""
    if not glob:
        return "lies in the source"
    pattern = Pattern(glob)
    places = pattern.start()
    for name in out.removeprefix(f"{root}/").split("/"):
        places = pattern.step(places, name)
    reached = bool(places) if is_folder else pattern.whole(places)
    return "would be found by the source" if reached else ""


def _named(url: str) -> str:
    """A URL in one spelling."""
    scheme, mark, rest = plain(url).rstrip("/").partition("://")
    scheme = scheme.lower()
    return f"{_SAME.get(scheme, scheme)}{mark}{rest}"
