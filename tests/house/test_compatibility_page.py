"""docs/compatibility.md says what the peer tests saw."""

from __future__ import annotations

from pathlib import Path

from ..peers import compatibility


def test_the_page_is_what_the_peer_tests_saw() -> None:
    page = Path(__file__).parents[2] / "docs" / "compatibility.md"
    assert page.read_text() == compatibility.page(), "run `make compatibility`"


def test_every_call_of_the_table_works() -> None:
    rows = compatibility.load()
    assert len({client for client, *_ in rows}) >= 10
    assert [row for row in rows if not row[2]] == []
