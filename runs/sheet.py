"""A shard's rows to browse: blocks of JSON lines, an index of them, and small pictures."""

from __future__ import annotations

import gzip
import math
from collections import Counter
from typing import Any

from pydantic_core import to_json

from ..client.annotate.formats.text import clean
from ..client.annotate.ledger import Ledger, LedgerRow
from ..client.annotate.output import Findings, annotation_of, labelled
from ..client.annotate.packing import image_of
from ..client.annotate.report import Sampler
from ..client.annotate.report.thumbnails import look_at, thumbnail
from ..client.annotate.rows import Annotation, Origin, SourceRow
from ..client.annotate.stored_answers import StoredAnswers
from ..protocol import codec, v2
from ..protocol.errors import WherryError
from ..tasks.annotations.near_duplicates import SeenPictures
from ..tasks.base import Task

#: Rows of a block; labels of a block that its index tells, and of a row that its line does.
_BLOCK, _BLOCK_LABELS, _ROW_LABELS = 200, 50, 50

#: Pixels of a picture's longer side; bytes of all pictures of a run, and pictures of one shard.
_SIDE, _PICTURE_BYTES, _PICTURES = 256, 256 * 1024 * 1024, 1000

#: Characters of a row's text; bytes of an answer's JSON, beyond which it is left to the output.
_TEXT, _ANSWER = 500, 256 * 1024

#: How hard blocks are packed: they are written once, and read by few.
_LEVEL = 3


class SheetRows:
    """Sees rows while they are read, as the report's sampler does, and keeps what a sheet shows."""

    def __init__(
        self, ledger: Ledger, task: Task, shards: int, first: int = 0, *, see_all: bool = False
    ) -> None:
        self._sampler, self._task = Sampler(ledger, task), task
        self._room, self._first = _PICTURE_BYTES // max(1, shards), first
        #: Place of a row -> where its picture is among all of them.
        self.placed: dict[int, tuple[int, int]] = {}
        self.pictures = bytearray()
        self.texts: dict[int, str] = {}
        #: What is seen in each picture that was decoded: all of them, or those that are kept.
        self.seen, self._see_all = SeenPictures(), see_all
        self._field = next((s.field for s in task.inputs if s.content == "text"), "")

    def offer(self, position: int, row: SourceRow, key: bytes) -> None:
        """See a row."""
        self._sampler.offer(position, row, key)
        text = row.values.get(self._field) if self._field else None
        if isinstance(text, str):
            self.texts[position] = clean(text[:_TEXT])
        self._keep_picture(position, row, key)

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
        self._is_plain = not any(spec.is_file for spec in origin.task.outputs)
        self._body, self._index = bytearray(), list[dict[str, Any]]()
        self._lines: list[bytes] = []
        self._begin_block()

    def _begin_block(self) -> None:
        self._lines.clear()
        self._failed, self._labels = 0, Counter[str]()
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
        findings, answers = Findings(first=self._first), StoredAnswers(ledger, self._origin.task)
        for local in ledger.placed():
            placed = local._replace(position=local.position + self._first)
            findings.rows += 1
            if placed.answer is None:
                findings.add_failure(placed)
                self.add(placed, None)
            else:
                annotation = annotation_of(placed, answers.read(placed.answer))
                findings.add(placed.id, annotation.output)
                self.add(placed, annotation)
        return findings

    def add(self, placed: LedgerRow, annotation: Annotation | None) -> None:
        """Add a row, in its place in the source."""
        self.rows += 1
        line = self._head(placed)
        if annotation is None:
            self._failed += 1
            error = {"error_type": placed.error_type, "message": placed.error}
            line |= {"state": "failed", "error": error, "warning": "", "labels": [], "score": None}
            answer = b"null"
        else:
            every = list(labelled(annotation.output))
            found = [(label, score) for label, score in every if label]
            scores = [score for _, score in every if not math.isnan(score)]
            top = max(scores, default=None)
            self._labels.update(clean(label) for label, _ in found)
            if top is not None:
                self._scores.append(top)
            labels = [
                {"label": clean(label), "score": None if math.isnan(score) else score}
                for label, score in found[:_ROW_LABELS]
            ]
            warning = annotation.output.warning or ""
            line |= {
                "state": "answered",
                "error": None,
                "warning": warning,
                "labels": labels,
                "score": top,
            }
            answer = self._answer(annotation)
        text = to_json(line, inf_nan_mode="null")
        self._lines.append(b'%s,"answer":%s}' % (text[:-1], answer))
        if len(self._lines) == _BLOCK:
            self._end_block()

    def _head(self, placed: LedgerRow) -> dict[str, Any]:
        frame = placed.frame
        told = None
        if frame:
            told = {
                "file": frame.file,
                "number": frame.number,
                "time_s": frame.time_s,
                "page": frame.page,
            }
        return {
            "index": placed.position,
            "id": placed.id,
            "path": placed.path,
            "size": placed.size,
            "frame": told,
            "text": self._rows.texts.get(placed.position - self._first, ""),
            "picture": self._rows.placed.get(placed.position - self._first),
        }

    def _answer(self, annotation: Annotation) -> bytes:
        response = annotation.output.to_inference_response(self._origin.model)
        try:
            body = self.plain(response) if self._is_plain else codec.encode_response(response)[0]
        except (ValueError, WherryError):  # a text that is none in UTF-8; the output has it
            return b"null"
        return body if len(body) <= _ANSWER else b"null"

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
        self._index.append(
            {
                "first": self._first + self.rows - len(self._lines),
                "rows": len(self._lines),
                "offset": len(self._body),
                "length": len(packed),
                "failed": self._failed,
                "labels": dict(self._labels.most_common(_BLOCK_LABELS)),
                "more": len(self._labels) > _BLOCK_LABELS,
                "min_score": min(self._scores, default=None),
                "max_score": max(self._scores, default=None),
            }
        )
        self._body += packed
        self._begin_block()
