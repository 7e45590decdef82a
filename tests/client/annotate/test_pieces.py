"""An output in pieces: joined, they are what one writer makes of all rows."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from wherry.client.annotate.formats import (
    FORMATS,
    OutputLayout,
    columns,
    datasets_folder,
    writer_of,
)
from wherry.client.annotate.formats.file_names import FileNames
from wherry.client.annotate.formats.joining import CannotJoin
from wherry.client.annotate.ids import Ids, hashes_of
from wherry.client.annotate.ledger import KEY_BYTES, Ledger, Sampled
from wherry.client.annotate.output import write_output
from wherry.client.annotate.pieces import FILES, IDS, OutputPiece, join_pieces, write_piece
from wherry.client.annotate.rows import Origin
from wherry.client.annotate.segments import rows_of
from wherry.client.annotate.stored_answers import pack_answers
from wherry.protocol.errors import InvalidRequest
from wherry.tasks.base import Task, TaskOutput
from wherry.tasks.registry import get_task

from .answers import HARD_IDS, HARD_LABELS, contents, examples, origin
from .test_formats_memory import RUNS

#: Formats whose pieces are not joined: numbers of labels are painted in pictures, lines have a
#: place for every point that was seen, or pictures are taken from the source.
APART = {"semantic-masks", "indexed-masks", "yolo-pose", "yolo-classify"}

JOINED = sorted(FORMATS.keys() - APART)

#: Rows of each part; one has none.
CUTS = ((0, 13), (13, 14), (14, 14), (14, 40))

#: Labels as answers bring them: as UTF-8.
LABELS = [label for label in HARD_LABELS if "\udcff" not in label]

#: Of films, whose rows are told by films that are followed.
OF_FILMS = dict.fromkeys(("mot", "cvat-video", "label-studio-video"), "video-mask-generation")


class PieceOnDisk:
    """A piece that never left its folder."""

    def __init__(self, piece: OutputPiece, rows: bytes, without: Collection[str] = ()) -> None:
        self.files = {name: path for name, path in piece.files if name not in without}
        self._rows = rows

    @property
    def names(self) -> Collection[str]:
        return self.files.keys()

    def read(self, name: str) -> Iterator[bytes]:
        data = self.files[name].read_bytes()
        for at in range(0, len(data), 100):  # a line is rarely whole
            yield data[at : at + 100]

    def rows(self) -> bytes:
        return self._rows

    def rest(self) -> None:
        pass


def answer(task: Task, number: int) -> TaskOutput:
    """An answer of its own for each row: its labels are first seen in any part."""
    found = examples(task.name)[number % 7 == 3].output
    label = LABELS[number * 5 % 23 % len(LABELS)]

    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: label if name in ("label", "entity") and of else changed(of)
                for name, of in value.items()
            }
        return [changed(of) for of in value] if isinstance(value, list) else value

    return type(found).model_validate(changed(found.model_dump()))


def row_id(number: int) -> str:
    ids = ("photo.jpg", "Photo.png", "a/b.jpg", "海/\U0001f6a2.jpg", "con.jpg", ",\";'\n.jpg")
    return ids[number] if number < len(ids) else f"{number % 3}/photo {number}.jpg"


def fill(ledger: Ledger, task: Task, numbers: range, offset: int) -> None:
    """Rows of which some failed, some are equal, and some have no size."""
    for number in numbers:
        content = number - (number % 9 == 8)  # equal to the one before, its text as well
        key = content.to_bytes(KEY_BYTES, "big")
        size = None if number % 11 == 10 else (64, 48)
        ledger.place(number - offset, row_id(number), f"/p/{row_id(number)}", key, size)
        ledger.keep_text(key, f"{content} café \u2028 Ada Lovelace and Bob live in London")
        if content % 10 == 4:
            ledger.fail(key, f"no good: {content}", "invalid_row")
        elif content == number or number == numbers[0]:
            response = answer(task, content).to_inference_response("m")
            ledger.keep(pack_answers(task, response, 1), [key])
        if number % 4 == 0:
            ledger.keep_sample(Sampled(key, number - offset, row_id(number), b"", 0, 0, "{}"))


@pytest.fixture
def ledgers(tmp_path: Path) -> Iterator[Any]:
    made: list[Ledger] = []

    def make() -> Ledger:
        made.append(Ledger(tmp_path / f"ledger-{len(made)}"))
        made[-1].begin(reuse=True)
        return made[-1]

    yield make
    for ledger in made:
        ledger.close()


class Both:
    """The same rows written by one writer, and in pieces that are joined."""

    def __init__(self, ledgers: Any, folder: Path, name: str, task: str) -> None:
        self.origin: Origin = origin(task)
        self.task, self.writer = self.origin.task, writer_of(name, self.origin.task)
        self.folder, self.ledgers = folder, ledgers
        self.layout = OutputLayout(
            split={"val": 0.4} if "split" in self.writer.uses else {},
            media_prefix="https://x/" if "media_prefix" in self.writer.uses else "",
        )

    def whole(self, rows: int = CUTS[-1][1]) -> tuple[dict[str, bytes], bytes, Any, list[Any]]:
        ledger, folder = self.ledgers(), self.folder / "whole"
        folder.mkdir()
        fill(ledger, self.task, range(rows), 0)
        out, errors = folder / "out", folder / "errors"
        findings = write_output(ledger, self.origin, self.writer, out, errors, self.layout)
        samples = [(kept, error) for kept, _, error in ledger.samples()]
        return contents(out), errors.read_bytes(), findings, samples

    def pieces(
        self, cuts: Sequence[tuple[int, int]] = CUTS, without: Collection[str] = ()
    ) -> list[PieceOnDisk]:
        found = []
        for place, (begin, end) in enumerate(cuts):
            part, folder = self.ledgers(), self.folder / f"part-{place}"
            folder.mkdir()
            fill(part, self.task, range(begin, end), begin)
            piece, _ = write_piece(
                part, self.origin, self.writer, folder, begin, _nobody, self.layout
            )
            found.append(PieceOnDisk(piece, rows_of(part), without))
        return found

    def joined(
        self, pieces: Sequence[PieceOnDisk]
    ) -> tuple[dict[str, bytes], bytes, Any, list[Any]]:
        ledger, folder = self.ledgers(), self.folder / "joined"
        folder.mkdir()
        out, errors = folder / "out", folder / "errors"
        findings, moved = join_pieces(
            pieces, ledger, self.origin, self.writer, out, errors, self.layout
        )
        files = contents(out)
        for piece, move in zip(pieces, moved, strict=True):
            for name, path in piece.files.items():
                if name.startswith(FILES):
                    data = path.read_bytes()
                    files[name.removeprefix(FILES)] = move(data) if move else data
        samples = [(kept, error) for kept, _, error in ledger.samples()]
        return files, errors.read_bytes(), findings, samples


def _nobody(*_: object) -> None:
    """Sees nothing."""


@pytest.mark.parametrize("name", JOINED)
def test_pieces_of_an_output_are_the_output(ledgers: Any, tmp_path: Path, name: str) -> None:
    both = Both(ledgers, tmp_path, name, OF_FILMS.get(name, RUNS[name][1]))
    files, errors, findings, samples = both.whole()
    assert findings.failed, "of some rows nothing is in the output"
    assert len(files) > 0
    found = both.joined(both.pieces())
    assert found[0].keys() == files.keys()
    assert found[0] == files
    assert found[1:] == (errors, findings, samples)


def test_every_format_is_joined_or_says_why_not() -> None:
    for name in FORMATS:
        assert writer_of(name, get_task(RUNS[name][1])).joins is (name not in APART)


@pytest.mark.parametrize("name", JOINED)
def test_pieces_without_rows_come_to_an_output_without_rows(
    ledgers: Any, tmp_path: Path, name: str
) -> None:
    both = Both(ledgers, tmp_path, name, OF_FILMS.get(name, RUNS[name][1]))
    writer, out = both.writer, tmp_path / "empty"
    with writer(out, both.origin, *([both.layout] if writer.uses else [])):
        pass
    ledger, joined = ledgers(), tmp_path / "joined"
    pieces = both.pieces([(0, 0), (0, 0)])
    join_pieces(pieces, ledger, both.origin, writer, joined, tmp_path / "e", both.layout)
    assert contents(joined) == contents(out)


@pytest.mark.parametrize("name", ["parquet", "datasets"])
@pytest.mark.parametrize("most", [{"MAX_ROWS": 5}, {"MAX_BYTES": 700}, {"MAX_BYTES": 1}])
def test_tables_are_cut_as_if_one_writer_had_cut_them(
    ledgers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: dict[str, int]
) -> None:
    for what, value in most.items():
        monkeypatch.setattr(columns, what, value)
    monkeypatch.setattr(datasets_folder, "SHARD_BYTES", 4000)
    both = Both(ledgers, tmp_path, name, "object-detection")
    files, *_ = both.whole()
    assert name != "datasets" or len(files) > 3, "there are several streams"
    assert both.joined(both.pieces())[0] == files


@pytest.mark.parametrize("name", ["labelme", "datumaro", "ctm", "mot", "voc", "open-images"])
def test_names_that_clash_with_another_pieces_are_not_joined(
    ledgers: Any, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.row_id", lambda number: ("a.jpg", "A.png")[number])
    both = Both(ledgers, tmp_path, name, OF_FILMS.get(name, RUNS[name][1]))
    with pytest.raises(CannotJoin):
        both.joined(both.pieces([(0, 1), (1, 2)]))


@pytest.mark.parametrize("options", [{}, {"flat": True}, {"as_here": True}], ids=str)
def test_names_are_joined_where_all_had_been_given_at_once(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    told = tmp_path / "told"
    clashes = 0
    for first, second in itertools.permutations(HARD_IDS, 2):
        both, one, other, joined = (FileNames(**options) for _ in range(4))
        names = [both.take(first, ".x"), both.take(second, ".x", ".y")]
        apart = [one.take(first, ".x"), other.take(second, ".x", ".y")]
        try:
            for part in (one, other):
                part.leave(told)
                joined.join(iter([told.read_bytes()[:7], told.read_bytes()[7:]]))
        except CannotJoin:
            clashes += 1
        else:
            assert apart == names
            both.leave(tmp_path / "both")
            joined.leave(tmp_path / "joined")
            assert (tmp_path / "joined").read_bytes() == (tmp_path / "both").read_bytes()
        for each in (both, one, other, joined):
            each.close()
    assert 0 < clashes < 60


@pytest.mark.parametrize("without", [(), (IDS,)], ids=["as now", "as an earlier version wrote it"])
def test_an_id_of_two_pieces_is_refused_in_the_words_of_annotate(
    ledgers: Any, tmp_path: Path, without: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = ["a", "b", "c", "d", "c", "a"]
    monkeypatch.setattr(f"{__name__}.row_id", lambda number: ids[number])
    both = Both(ledgers, tmp_path, "jsonl", "embedding")
    with pytest.raises(InvalidRequest) as alone:
        both.whole(6)
    with pytest.raises(InvalidRequest) as joined:
        both.joined(both.pieces([(0, 2), (2, 4), (4, 6)], without))
    assert str(joined.value) == str(alone.value)


@pytest.mark.parametrize("name", ["jsonl", "csv"])
def test_pieces_of_an_earlier_version_are_joined(
    ledgers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """They have no hashes of ids, and the rows of the report among all rows."""
    monkeypatch.setattr("wherry.client.annotate.pieces.has_samples", lambda _: False)
    both = Both(ledgers, tmp_path, name, "object-detection")
    assert both.joined(both.pieces(without=(IDS,))) == both.whole()


def test_ids_are_looked_through_in_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wherry.client.annotate.ids._RANGE", 10)
    with Ids(tmp_path) as ids:
        for part in range(7):
            ids.add(hashes_of(f"row {number}" for number in range(part * 30, part * 30 + 30)))
        ids.add(b"")
        assert ids.twice() == set()
        ids.add(hashes_of(["row 31", "row 200", "row 777"]))
        expected = hashes_of(["row 31", "row 200"])
        assert sorted(ids.twice()) == [expected[:8], expected[8:]]
