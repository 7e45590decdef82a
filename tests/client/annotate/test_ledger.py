"""What a run has done survives it, by the content of its rows."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from wherry.client.annotate.ledger import KEY_BYTES, KeptAnswer, Ledger
from wherry.client.annotate.rows import SampledFrame
from wherry.protocol.errors import InvalidRequest


def key(number: int) -> bytes:
    return number.to_bytes(KEY_BYTES, "big")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.ledger"


def test_rows_come_back_in_order_with_what_came_of_them(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.begin(reuse=True)
        for position in range(1000):
            ledger.place(position, f"row {position}", f"p{position}", key(position % 500), (4, 3))
        for job in range(100):
            ledger.keep(b"job %d" % job, [key(4 * job + place) for place in range(4)])
        ledger.keep(b"some", [None, key(451)])
        ledger.fail(key(450), "no", "invalid_row")
        rows = list(ledger.placed())
        answered = rows[7].answer
        assert answered is not None
        assert ledger.block(answered.block) == b"job 1"
    assert [row.position for row in rows] == list(range(1000))
    assert (rows[7].id, rows[7].path, rows[7].size) == ("row 7", "p7", (4, 3))
    assert rows[7].answer == rows[507].answer == KeptAnswer(answered.block, 3)
    assert rows[451].answer == KeptAnswer(101, 1)
    assert (rows[950].answer, rows[950].error, rows[950].error_type) == (None, "no", "invalid_row")
    assert rows[499].answer is None
    assert not rows[499].error


def test_a_row_that_is_part_of_its_file_says_which(path: Path) -> None:
    frames = [
        SampledFrame("a/film.mp4", 25, 100, 1.04),
        SampledFrame("doc#1.pdf", 2, 9, page=3),
        None,
    ]
    with Ledger(path) as ledger:
        ledger.begin(reuse=True)
        for position, (frame, end) in enumerate(
            zip(frames, ("t=1.040", "page=3", ""), strict=True)
        ):
            row_id = f"{frame.file}#{end}" if frame else "whole.png"
            ledger.place(position, row_id, "", key(position), (4, 3), frame=frame)
        assert [row.frame for row in ledger.placed()] == frames
        assert ledger.has_frames()
        ledger.begin(reuse=True)
        assert not ledger.has_frames()


def test_a_ledger_of_when_a_file_was_one_row_goes_on(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.begin(reuse=True)
        ledger.place(0, "row", "p", key(1), (4, 3))
        ledger.keep(b"answer", [key(1)])
    before = sqlite3.connect(path)
    for column in ("frame", "frames", "time", "page"):
        before.execute(f"ALTER TABLE rows DROP COLUMN {column}")
    before.commit()
    before.close()
    with Ledger(path) as ledger:
        [row] = ledger.placed()
        assert (row.id, row.answer, row.size, row.frame) == ("row", KeptAnswer(1, 0), (4, 3), None)
        ledger.begin(reuse=True)
        ledger.place(0, "film.mp4#t=0.000", "", key(1), None, frame=SampledFrame("film.mp4", 0, 1))
        assert [row.frame for row in ledger.placed()] == [SampledFrame("film.mp4", 0, 1)]


def test_texts_are_those_of_this_run(path: Path) -> None:
    with Ledger(path) as ledger:
        for texts in (["old", "old", "old"], ["caf\u00e9", "caf\u00e9", "half\udcff"]):
            ledger.begin(reuse=True)
            for position, text in enumerate(texts):
                ledger.place(position, str(position), "", key(len(text)), None)
                ledger.keep_text(key(len(text)), text)
            assert [row.text for row in ledger.placed()] == texts
        ledger.begin(reuse=True)
        ledger.place(0, "0", "", key(4), None)
        assert [row.text for row in ledger.placed()] == [""]


def test_what_was_committed_outlives_kill(path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from wherry.client.annotate.ledger import Ledger
ledger = Ledger(Path({str(path)!r}))
ledger.begin(reuse=True)
ledger.keep(b"kept", [{key(1)!r}])
ledger.sent("job", [{key(2)!r}, {key(3)!r}])
ledger.commit()
ledger.keep(b"not kept", [{key(4)!r}])
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -9
    with Ledger(path) as ledger:
        assert ledger.done([key(1), key(4)]) == {key(1)}
        assert ledger.under_way() == [("job", [key(2), key(3)])]


def test_a_job_is_under_way_until_its_answer_is_on_disk(path: Path) -> None:
    """Jobs are kept one by one before they are sent, answers together: none is lost between."""
    script = f"""
import os, signal
from pathlib import Path
from wherry.client.annotate.ledger import Ledger
ledger = Ledger(Path({str(path)!r}))
ledger.begin(reuse=True)
ledger.sent("first", [{key(1)!r}])
ledger.keep(b"answer", [{key(1)!r}])
ledger.read("first")
assert ledger.done([{key(1)!r}]) == {{{key(1)!r}}}
ledger.sent("second", [{key(2)!r}])
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -9
    with Ledger(path) as ledger:
        assert ledger.done([key(1)]) == set()
        assert ledger.under_way() == [("first", [key(1)]), ("second", [key(2)])]
        ledger.keep(b"answer", [key(1)])
        ledger.read("first")
        assert ledger.under_way() == [("second", [key(2)])]
        ledger.commit()
        assert ledger.done([key(1)]) == {key(1)}


def test_a_second_run_on_one_output_is_refused(path: Path) -> None:
    with Ledger(path), pytest.raises(InvalidRequest, match="another run writes this output"):
        Ledger(path)
    with Ledger(path):
        pass  # it is free again


def test_what_is_no_ledger_is_refused(path: Path) -> None:
    path.write_bytes(b"my own file, not yours" * 100)
    with pytest.raises(InvalidRequest, match="not a ledger of ours"):
        Ledger(path)


def test_somebody_elses_database_is_left_as_it_is(path: Path) -> None:
    with sqlite3.connect(path) as mine:
        mine.execute("CREATE TABLE rows (photo TEXT)")
        mine.execute("INSERT INTO rows VALUES ('mine')")
    mine.close()
    before = path.read_bytes()
    with pytest.raises(InvalidRequest, match="not a ledger of ours"):
        Ledger(path)
    assert path.read_bytes() == before


def test_unread_rows_may_be_called_as_others_are(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.begin(reuse=True)
        for position, unread in enumerate([False, True, True]):
            ledger.place(position, "row", "", key(position), None, unread=unread)
            ledger.fail(key(position), "no", "invalid_row")
        assert [row.id for row in ledger.placed()] == ["row"] * 3
        assert ledger.forget_failures(["row"]) == 3


@pytest.mark.parametrize("apart", [1, 2000])
def test_two_rows_of_one_id_are_refused(path: Path, apart: int) -> None:
    def place_all(ledger: Ledger) -> None:
        for position in range(apart + 1):
            ledger.place(position, f"row {position % apart}", "", key(position), None)
        ledger.commit()

    with Ledger(path) as ledger:
        ledger.begin(reuse=True)
        with pytest.raises(InvalidRequest, match="same id: 'row 0'; a list is to name a file once"):
            place_all(ledger)


def test_without_reuse_only_a_finished_run_is_forgotten(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.begin(reuse=False)
        ledger.keep(b"a", [key(1)])
    with Ledger(path) as ledger:
        ledger.begin(reuse=False)
        assert ledger.done([key(1)]), "the run broke off: this one goes on with it"
        ledger.finish()
    with Ledger(path) as ledger:
        ledger.begin(reuse=True)
        assert ledger.done([key(1)])
        ledger.finish()
    with Ledger(path) as ledger:
        ledger.begin(reuse=False)
        assert not ledger.done([key(1)])


def test_failures_are_forgotten_by_the_rows_ids(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.begin(reuse=True)
        for number in range(3):
            ledger.place(number, f"row {number}", "", key(number), None)
            ledger.fail(key(number), "no", "invalid_row")
        ledger.commit()
        assert ledger.forget_failures(["row 1", "nobody"]) == 1
        assert ledger.done([key(number) for number in range(3)]) == {key(0), key(2)}


def test_answers_take_little_room(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.begin(reuse=True)
        for number in range(5000):
            ledger.keep(b'{"outputs": [{"name": "label", "data": ["cat"]}]}' * 4, [key(number)])
    assert path.stat().st_size < 5000 * 150
    assert sqlite3.connect(path).execute("SELECT count(*) FROM parts").fetchone() == (5000,)


def test_a_ledger_of_this_process_alone_tells_what_a_lasting_one_does(path: Path) -> None:
    told = []
    for scratch in (False, True):
        with Ledger(path.with_name(f"ledger-{scratch}"), scratch=scratch) as ledger:
            ledger.begin(reuse=True)
            for number in range(1200):
                content = number % 700
                ledger.place(number, f"r{number}", "", key(content), None)
                ledger.keep_text(key(content), f"text {content}")
                if content % 3 == 0:
                    ledger.fail(key(content), f"no {content}", "invalid_row")
            ledger.commit()
            found = ledger.done([key(n) for n in (0, 1, 3)])
            ledger.place(1200, "r7", "", key(7), None)
            with pytest.raises(InvalidRequest, match="two rows have the same id: 'r7'"):
                ledger.commit()
            rows = list(ledger.placed(5))
            bare = list(ledger.placed(5, texts=False))
        assert [row._replace(text="") for row in rows] == bare
        told.append((found, rows))
    assert told[0] == told[1]
    assert [row.position for row in told[1][1]] == list(range(5, 1205))
    assert told[1][1][701].text == "text 1"
    assert not path.with_name("ledger-True-journal").exists()
