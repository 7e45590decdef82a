"""docs/annotate.md says which independent readers take a format, as the peer tests hold."""

from __future__ import annotations

from pathlib import Path

from wherry.client.annotate.formats import FORMATS

from ..peers import matrix_table


def test_the_page_has_the_matrix_that_the_peer_tests_hold() -> None:
    text = (Path(__file__).parents[2] / "docs" / "annotate.md").read_text()
    assert text == matrix_table.page(text), (
        "run `python -m tests.peers.matrix_table docs/annotate.md`"
    )


def test_every_format_is_read_or_says_why_not() -> None:
    read = {cell.form for cell in matrix_table.CELLS}
    assert read | set(matrix_table.UNREAD) == set(FORMATS)
    assert not read & set(matrix_table.UNREAD)
