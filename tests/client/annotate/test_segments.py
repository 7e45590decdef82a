"""A ledger in pieces: what another takes in is what the first one had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wherry.client.annotate.ledger import KEY_BYTES, Ledger, LedgerRow, Sampled
from wherry.client.annotate.rows import SampledFrame
from wherry.client.annotate.segments import (
    SegmentTaker,
    forget_all,
    rows_of,
    sampled_of,
    take_in,
    take_in_part,
)
from wherry.client.annotate.stored_answers import StoredAnswers, pack_answers
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.registry import get_task
from wherry.tasks.text.embedding import EmbeddingOutput

EMBED = get_task("embedding")


def key(number: int) -> bytes:
    return number.to_bytes(KEY_BYTES, "big")


def answers(*numbers: float) -> bytes:
    response = EmbeddingOutput(embeddings=[[number, 0.5] for number in numbers]).response("m")
    return pack_answers(EMBED, response, len(numbers))


def fill(ledger: Ledger, first: int, count: int, *, offset: int = 0) -> None:
    """Rows of which each fifth failed, placed from 0 and called by their place in the source."""
    for number in range(first, first + count):
        ledger.place(number - offset, f"r{number}", f"/p/{number}", key(number), (3, number + 1))
        if number % 5 == 4:
            ledger.fail(key(number), "no good", "invalid_row")
        else:
            ledger.keep(answers(number), [key(number)])


def told(ledger: Ledger) -> list[Any]:
    """Rows with what came of them, whichever block that is in."""
    read = StoredAnswers(ledger, EMBED).read
    return [
        (row._replace(answer=None), row.answer and read(row.answer).model_dump())
        for row in ledger.placed()
    ]


@pytest.fixture
def ledgers(tmp_path: Path) -> Any:
    made: list[Ledger] = []

    def make(*, scratch: bool = False) -> Ledger:
        made.append(Ledger(tmp_path / f"ledger-{len(made)}", scratch=scratch))
        made[-1].begin(reuse=True)
        return made[-1]

    yield make
    for ledger in made:
        ledger.close()


def test_pieces_make_the_ledger_again(ledgers: Any) -> None:
    one = ledgers()
    taker = SegmentTaker(one)
    pieces = []
    for first in (0, 10, 20):
        fill(one, first, 10)
        pieces.append(taker.segment())
        assert taker.segment() == pieces[-1], "until somebody has it"
        taker.kept()
    assert taker.segment() == b"", "there is nothing new"
    other = ledgers()
    assert take_in_part(other, pieces, rows_of(one), 0, 24) == 30
    assert told(other) == told(one)


def test_who_goes_on_takes_no_piece_twice(ledgers: Any) -> None:
    one = ledgers()
    taker = SegmentTaker(one)
    fill(one, 0, 10)
    first = taker.segment()
    other = ledgers()
    taker = SegmentTaker(other)
    take_in(other, [first], resume=True)
    taker.kept()
    assert taker.segment() == b""
    assert taker.waiting() == 0
    assert other.done([key(n) for n in range(12)]) == {key(n) for n in range(10)}
    fill(other, 10, 10)
    third = ledgers()
    take_in(third, [first, taker.segment()])
    assert third.done([key(n) for n in range(30)]) == {key(n) for n in range(20)}


def test_jobs_under_way_are_known_to_who_goes_on_as_the_last_piece_has_them(ledgers: Any) -> None:
    one = ledgers()
    taker = SegmentTaker(one)
    one.sent("early", [key(1)])
    fill(one, 0, 3)
    pieces = [taker.segment()]
    taker.kept()
    one.read("early")
    one.sent("late", [key(7), key(8)])
    fill(one, 3, 3)
    pieces.append(taker.segment())
    other = ledgers()
    take_in(other, pieces, resume=True)
    assert other.under_way() == [("late", [key(7), key(8)])]
    merged = ledgers()
    take_in(merged, pieces)
    assert merged.under_way() == [], "who writes the output waits for nobody"


def test_parts_come_one_behind_another(ledgers: Any) -> None:
    whole, merged, base = ledgers(), ledgers(), 0
    fill(whole, 0, 23)
    for first, count in ((0, 9), (9, 1), (10, 13)):
        part = ledgers()
        taker = SegmentTaker(part)
        fill(part, first, count, offset=first)
        base += take_in_part(merged, [taker.segment()], rows_of(part), base, 24)
    assert told(merged) == told(whole)


def test_equal_rows_have_each_what_came_of_them_in_their_own_part(ledgers: Any) -> None:
    """A worker that is lost, or a deadline, fails a row whose like is answered elsewhere."""
    merged = ledgers()
    for first, fails in ((0, True), (2, False), (4, True), (6, False)):
        part = ledgers()
        taker = SegmentTaker(part)
        for at in range(2):
            part.place(at, f"r{first + at}", "", key(7), None)
            part.keep_text(key(7), "equal")
            part.keep_sample(Sampled(key(7), at, f"r{first + at}", b"", 0, 0, "{}"))
        if fails:
            part.fail(key(7), f"no good at {first}", "invalid_row")
        else:
            part.keep(f"answer {first}".encode(), [key(7)])
        take_in_part(merged, [taker.segment()], rows_of(part), first, 24)
    rows = list(merged.placed())
    came = [
        row.error or merged.block(row.answer.block).decode()
        for row in rows
        if row.answer or row.error
    ]
    assert came == [
        told
        for one in ("no good at 0", "answer 2", "no good at 4", "answer 6")
        for told in [one] * 2
    ]
    assert [bool(row.answer) for row in rows] == [False, False, True, True] * 2
    assert {row.text for row in rows} == {"equal"}
    assert all(found.startswith(key(7)) for _, found in merged.placed_keys())
    [(sampled, answer, error)] = merged.samples()
    assert (sampled.position, answer, error) == (1, None, "no good at 0")


def test_parts_that_were_gathered_before_keep_apart_what_they_kept_apart(ledgers: Any) -> None:
    """A followed run's parts are put together, and those again; the numbers of rows recur."""

    def part(*came: str) -> tuple[bytes, bytes]:
        """A part of equal rows, each of a part of its own where there are more."""
        ledger = ledgers()
        taker = SegmentTaker(ledger)
        if len(came) > 1:
            for base, one in enumerate(came):
                segment, rows = part(one)
                take_in_part(ledger, [segment], rows, base, 24)
        elif came[0].startswith("no good"):
            ledger.place(0, came[0], "", key(7), None)
            ledger.fail(key(7), came[0], "invalid_row")
        else:
            ledger.place(0, came[0], "", key(7), None)
            ledger.keep(came[0].encode(), [key(7)])
        return taker.segment(), rows_of(ledger)

    merged, base = ledgers(), 0
    parts = [("no good 0",), ("1", "no good 2", "3"), ("no good 4", "5"), ("6", "no good 7", "8")]
    for came in parts:
        segment, rows = part(*came)
        base += take_in_part(merged, [segment], rows, base, 24)
    for row in merged.placed():
        assert (row.error or merged.block(row.answer.block).decode()) == row.id
        assert bool(row.error) != bool(row.answer)
    assert base == 9
    assert all(found.startswith(key(7)) for _, found in merged.placed_keys())


def test_frames_texts_and_unread_rows_travel(ledgers: Any) -> None:
    one, other = ledgers(), ledgers()
    frame = SampledFrame("film", 3, 9, 1.5, None)
    one.place(0, "film#3", "film", key(0), None, frame=frame)
    one.place(1, "gone", "", key(1), None, unread=True)
    one.place(2, "gone", "", key(1), None, unread=True)
    one.keep_text(key(0), "a \udcff text")
    take_in_part(other, [], rows_of(one), 5, 24)
    rows: list[LedgerRow] = list(other.placed())
    assert [row.position for row in rows] == [5, 6, 7]
    assert (rows[0].frame, rows[0].text) == (frame, "a \udcff text")


def test_an_id_of_two_parts_is_refused_in_the_words_of_one(ledgers: Any) -> None:
    parts = [ledgers(), ledgers()]
    for part in parts:
        part.place(0, "same", "", key(1), None)
    merged = ledgers()
    take_in_part(merged, [], rows_of(parts[0]), 0, 24)
    with pytest.raises(InvalidRequest, match="two rows have the same id: 'same'"):
        take_in_part(merged, [], rows_of(parts[1]), 1, 24)


def test_the_report_has_the_rows_of_the_smallest_keys(ledgers: Any) -> None:
    merged = ledgers()
    for first in (0, 10):
        part = ledgers()
        fill(part, first, 10, offset=first)
        for number in range(first, first + 10):
            part.keep_sample(Sampled(key(number * 7 % 20), number - first, "", b"", 0, 0, "{}"))
        take_in_part(merged, [sampled_of(part)], rows_of(part), first, 4)
    assert sorted(sampled.key for sampled, *_ in merged.samples()) == [key(n) for n in range(4)]


def test_an_emptied_ledger_has_no_row_and_no_answer(ledgers: Any) -> None:
    ledger = ledgers()
    fill(ledger, 0, 10)
    forget_all(ledger)
    assert told(ledger) == []
    assert not ledger.done([key(n) for n in range(10)])


def test_pieces_of_a_scratch_ledger_are_those_of_a_lasting_one(ledgers: Any) -> None:
    """Texts of equal rows are there more than once, and taken in once."""
    found = []
    for one in (ledgers(), ledgers(scratch=True)):
        taker = SegmentTaker(one)
        fill(one, 0, 30)
        for number in (0, 0, 1):
            one.keep_text(key(number), f"text {number}")
        pieces = [taker.segment()]
        taker.kept()
        fill(one, 30, 5)
        pieces += [taker.segment(), rows_of(one), sampled_of(one)]
        taker.kept()
        assert taker.segment() == b""
        other = ledgers()
        assert take_in_part(other, pieces[:2], pieces[2], 0, 24) == 35
        found.append((told(one), told(other)))
    assert found[0] == found[1]
    assert found[0][0] == found[0][1]
