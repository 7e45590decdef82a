"""Headers of plain routes are found as starlette finds them."""

from __future__ import annotations

from starlette.datastructures import Headers

from wherry.api.http.fast_route import TableHeaders


def test_headers_are_those_of_starlette() -> None:
    raw = [(b"prefer", b"wait=1"), (b"prefer", b"respond-async"), (b"x-odd", b"\xe9")]
    ours, theirs = TableHeaders({"headers": raw}), Headers(raw=raw)
    for name in ("prefer", "Prefer", "X-Odd", "missing"):
        assert ours.get(name) == theirs.get(name)
        assert ours.get(name, "") == theirs.get(name, "")
        assert (name in ours) == (name in theirs)
    assert ours["PREFER"] == theirs["PREFER"] == "wait=1"
    assert ours.getlist("prefer") == theirs.getlist("prefer")
    assert ours == theirs
