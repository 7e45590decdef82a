"""OUT.errors.jsonl is read again, whole or in part; nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.client.annotate.errors_file import error_line, failed_ids
from wherry.client.annotate.ledger import LedgerRow
from wherry.client.errors import UsageError

LINES = [
    error_line(LedgerRow(place, id_, "photos/x", None, None, "it broke", "invalid_row"))
    for place, id_ in enumerate(["a.png", "(row 1)", "ä\n.png"])
]


@pytest.mark.parametrize("lines", [LINES, LINES[1:], [LINES[0].rstrip()]])
def test_what_was_written_is_read_again(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "errors.jsonl").write_text("".join(lines), encoding="utf-8")
    ids = {LINES[0]: "a.png", LINES[1]: "(row 1)", LINES[2]: "ä\n.png"}
    expected = [ids[line if line.endswith("\n") else line + "\n"] for line in lines]
    assert list(failed_ids(tmp_path / "errors.jsonl")) == expected


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no line"),
        (b"\n", "line 1 is none"),
        (b'{"id": "a.png"}\n', "line 1 is none that annotate wrote; expected OUT.errors.jsonl"),
        (LINES[0].encode() + b'{"id": "a.png", "labels": []}\n', "line 2 is none"),
        (LINES[0].replace('"a.png"', "7").encode(), "line 1 is none"),
        (LINES[0].encode() + b"\x89PNG\r\n", "line 2 is none"),
        (b"[1, 2]", "each line with id, path, index, error, error_type"),
    ],
)
def test_anything_else_is_refused_by_name_and_line(
    tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "some.jsonl"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=f"some.jsonl: .*{says}"):
        list(failed_ids(file))
