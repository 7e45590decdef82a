"""A shard's rows to browse: blocks of JSON lines, an index of them, and small pictures."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic_core import to_json

from ..client.annotate.formats.text import clean
from ..client.annotate.ledger import Ledger, LedgerRow
from ..client.annotate.output import Findings, Found, labelled
from ..client.annotate.packing import image_of
from ..client.annotate.report import Sampler
from ..client.annotate.report.thumbnails import look_at, thumbnail
from ..client.annotate.rows import Annotation, Origin, SourceRow
from ..client.annotate.stored_answers import StoredAnswers
from ..protocol import codec, v2
from ..protocol.errors import WherryError
from ..tasks.annotations.fits import lists_guesses
from ..tasks.annotations.near_duplicates import SeenPictures
from ..tasks.base import Task
from ..tasks.plain_items import form_of

#: Rows of a block; labels of a block that its index tells, and of a row that its line does.
_BLOCK, _BLOCK_LABELS, _ROW_LABELS = 200, 50, 50

#: Pixels of a picture's longer side; bytes of all pictures of a run, and pictures of one shard.
_SIDE, _PICTURE_BYTES, _PICTURES = 256, 256 * 1024 * 1024, 1000

#: Characters of a row's text; bytes of an answer's JSON, beyond which it is left to the output.
_TEXT, _ANSWER = 500, 256 * 1024

#: How hard blocks are packed: they are written once, and read by few.
_LEVEL = 3

#: What is said of each row: members of JSON.
_HEAD = b'"index":%d,"id":%b,"path":%b,"size":%b,"frame":%b,"text":%b,"picture":%b'
_ANSWERED = b'"state":"answered","error":null,%b,"answer":%b'
_NO_TEXT = b'""'


class SheetRows:
    """Sees rows while they are read, as the report's sampler does, and keeps what a sheet shows.

    Texts are kept in a file of `folder`: there may be as many as rows. Use it in a `with` block.
    """

    def __init__(
        self,
        ledger: Ledger,
        task: Task,
        shards: int,
        folder: Path,
        first: int = 0,
        *,
        see_all: bool = False,
    ) -> None:
        self._sampler, self._task = Sampler(ledger, task), task
        self._room, self._first = _PICTURE_BYTES // max(1, shards), first
        #: Place of a row -> where its picture is among all of them.
        self.placed: dict[int, tuple[int, int]] = {}
        self.pictures = bytearray()
        #: What is seen in each picture that was decoded: all of them, or those that are kept.
        self.seen, self._see_all = SeenPictures(), see_all
        self._field = next((s.field for s in task.inputs if s.content == "text"), "")
        self._has_images = any(spec.content == "image" for spec in task.inputs)
        #: A line of JSON a row; empty where a row has no text.
        self._texts = (folder / "texts").open("w+b")
        self._lines = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._texts.close()

    def offer(self, position: int, row: SourceRow, key: bytes) -> None:
        """See a row."""
        self._sampler.offer(position, row, key)
        text = row.values.get(self._field) if self._field else None
        if isinstance(text, str):
            told = to_json(clean(text[:_TEXT]))
            self._texts.write(b"%s%s\n" % (b"\n" * (position - self._lines), told))
            self._lines = position + 1
        if self._has_images:
            self._keep_picture(position, row, key)

    def texts(self) -> Iterator[bytes]:
        """Each row's text as JSON, in the rows' order."""
        self._texts.seek(0)
        for line in self._texts:
            yield line[:-1] or _NO_TEXT
        while True:
            yield _NO_TEXT

    def _keep_picture(self, position: int, row: SourceRow, key: bytes) -> None:
        if len(self.placed) >= _PICTURES or len(self.pictures) >= self._room:
            self._see(position, row, key)
            return
        image = image_of(self._task, row)
        small = thumbnail(image, _SIDE) if image else None
        if small:
            self.seen.note(self._first + position, small.look, key)
        if small and len(self.pictures) + len(small.file) <= self._room:
            self.placed[position] = len(self.pictures), len(small.file)
            self.pictures += small.file

    def _see(self, position: int, row: SourceRow, key: bytes) -> None:
        image = image_of(self._task, row) if self._see_all else b""
        found = look_at(image) if image else None
        if found is not None:
            self.seen.note(self._first + position, found, key)


class Sheet:
    """Makes a shard's sheet of its ledger, and counts what was found."""

    def __init__(self, origin: Origin, rows: SheetRows, first: int) -> None:
        """`first` is the place of the shard's first row in the source."""
        self._origin, self._rows, self._first = origin, rows, first
        self.rows = 0
        self._texts = rows.texts()
        self._form = form_of(origin.task.output)
        self._is_plain = not any(spec.is_file for spec in origin.task.outputs)
        self._body, self._index = bytearray(), list[dict[str, Any]]()
        self._lines: list[bytes] = []
        self._begin_block()

    def _begin_block(self) -> None:
        self._lines.clear()
        self._failed, self._labels = 0, list[str]()
        self._scores: list[float] = []

    @property
    def body(self) -> bytes:
        """The blocks, once all rows were added."""
        self._end_block()
        return bytes(self._body)

    @property
    def index(self) -> bytes:
        """Which rows are in which block."""
        return to_json(self._index)

    def add_all(self, ledger: Ledger) -> Findings:
        """Add every row of the shard; answers what was found in them."""
        task = self._origin.task
        findings = Findings(first=self._first, guesses=lists_guesses(task.output))
        answers = StoredAnswers(ledger, task)
        for placed in ledger.placed(self._first, texts=False):
            findings.rows += 1
            if placed.answer is None:
                findings.add_failure(placed)
                self.add(placed, None)
            else:
                annotation = answers.annotation(placed, placed.answer)
                found = labelled(annotation, self._origin.task)
                findings.add(annotation, found)
                self.add(placed, annotation, found)
        return findings

    def add(
        self, placed: LedgerRow, annotation: Annotation | None, found: Found | None = None
    ) -> None:
        """Add a row, in its place in the source, with what its answer lists."""
        self.rows += 1
        if annotation is None or found is None:
            self._failed += 1
            error = {"error_type": placed.error_type, "message": placed.error}
            told: dict[str, Any] = {
                "state": "failed",
                "error": error,
                "warning": "",
                "labels": [],
                "score": None,
            }
            rest = b"%s%s" % (to_json(told)[1:-1], b',"answer":null')
        else:
            rest = self._answered(annotation, found)
        self._lines.append(b"{%s,%s}" % (self._head(placed), rest))
        if len(self._lines) == _BLOCK:
            self._end_block()

    def _answered(self, annotation: Annotation, found: Found) -> bytes:
        """What is said of an answer, as members of JSON."""
        labels = list(filter(None, found.labels))
        top = max([score for score in found.scores if score == score], default=None)  # no NaN
        self._labels += labels
        if top is not None:
            self._scores.append(top)
        named = zip(found.labels, found.scores, strict=True)
        listed = [{"label": clean(label), "score": score} for label, score in named if label]
        told = {"warning": annotation.warning, "labels": listed[:_ROW_LABELS], "score": top}
        # Each call takes longer than what it writes here.
        members = to_json(told, inf_nan_mode="null")[1:-1]
        return _ANSWERED % (members, self._answer(annotation))

    def _head(self, placed: LedgerRow) -> bytes:
        """What is said of a row whatever came of it, as members of JSON."""
        frame, picture = placed.frame, self._rows.placed.get(placed.position - self._first)
        told = frame and {
            "file": frame.file,
            "number": frame.number,
            "time_s": frame.time_s,
            "page": frame.page,
        }
        return _HEAD % (
            placed.position,
            to_json(placed.id),
            to_json(placed.path) if placed.path else _NO_TEXT,
            to_json(placed.size) if placed.size else b"null",
            to_json(told, inf_nan_mode="null") if told else b"null",
            next(self._texts),
            to_json(picture) if picture else b"null",
        )

    def _answer(self, annotation: Annotation) -> bytes:
        try:
            body = self._told(annotation)
        except (ValueError, WherryError):  # a text that is none in UTF-8; the output has it
            return b"null"
        return body if len(body) <= _ANSWER else b"null"

    def _told(self, annotation: Annotation) -> bytes:
        items = annotation.items
        if self._form and items is not None:
            told = {"model_name": self._origin.model, "outputs": self._form.tensors(items)}
            return to_json(told, inf_nan_mode="null")
        response = annotation.output.to_inference_response(self._origin.model)
        return self.plain(response) if self._is_plain else codec.encode_response(response)[0]

    @staticmethod
    def plain(response: v2.InferenceResponse) -> bytes:
        """A response of numbers and texts as JSON: of many rows that is most of the work."""
        outputs = [
            {
                "name": t.name,
                "shape": t.shape,
                "datatype": t.datatype,
                "data": t.data,
                **({"parameters": t.parameters} if t.parameters else {}),
            }
            for t in response.outputs
        ]
        told = {"model_name": response.model_name, "outputs": outputs}
        return to_json(told, inf_nan_mode="null")

    def _end_block(self) -> None:
        if not self._lines:
            return
        packed = gzip.compress(b"\n".join(self._lines), _LEVEL, mtime=0)
        labels = Counter[str]()
        for label, count in Counter(self._labels).items():
            labels[clean(label)] += count
        self._index.append(
            {
                "first": self._first + self.rows - len(self._lines),
                "rows": len(self._lines),
                "offset": len(self._body),
                "length": len(packed),
                "failed": self._failed,
                "labels": dict(labels.most_common(_BLOCK_LABELS)),
                "more": len(labels) > _BLOCK_LABELS,
                "min_score": min(self._scores, default=None),
                "max_score": max(self._scores, default=None),
            }
        )
        self._body += packed
        self._begin_block()
