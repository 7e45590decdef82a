"""Rows packed into jobs: as many as one forward takes, no more bytes than travel well."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic_core import to_json

from ...protocol import v2
from ...protocol.errors import InvalidRequest
from ...protocol.parameters import ON_ROW_ERROR
from ...tasks.base import Task, TaskInput
from ...tasks.media.size import displayed_size
from .ledger import EARLIER_HASH, HASH, KEY_BYTES
from .rows import Origin, SourceRow

#: Bytes of one job: large enough for a batch of photographs, small enough to send twice.
MAX_BYTES = 8 * 1024 * 1024


class Packed(NamedTuple):
    """A row ready to go: its key, and its place in an Input that was checked with it."""

    key: bytes
    given: TaskInput
    at: int
    bytes: int
    #: The inputs that it has; optional ones may be missing.
    fields: tuple[str, ...]


@dataclass(slots=True)
class Pack:
    """The rows of one job."""

    rows: list[Packed] = field(default_factory=list)
    #: How often these rows were sent before.
    tries: int = 0
    job_id: str = field(default_factory=lambda: f"annotate-{uuid.uuid4().hex}")
    #: Of all rows together.
    bytes: int = 0

    @classmethod
    def of(cls, rows: Sequence[Packed], tries: int) -> Pack:
        """A new job of rows that were sent before."""
        return cls(list(rows), tries, bytes=sum(row.bytes for row in rows))

    def add(self, row: Packed) -> None:
        """Take a row in."""
        self.rows.append(row)
        self.bytes += row.bytes

    def fits(self, row: Packed, max_rows: int) -> bool:
        """Whether a row may join: one that has the same inputs, in what room is left."""
        return not self.rows or (
            len(self.rows) < max_rows
            and self.bytes + row.bytes <= MAX_BYTES
            and self.rows[0].fields == row.fields
        )

    def halves(self) -> list[Pack]:
        """Two packs of these rows, to find the one at fault."""
        middle = (len(self.rows) + 1) // 2
        return [Pack.of(rows, self.tries) for rows in (self.rows[:middle], self.rows[middle:])]

    def again(self) -> Pack:
        """The same rows for another try."""
        return Pack.of(self.rows, self.tries + 1)

    def content(self) -> str:
        """What tells these rows, sent so often, from any others."""
        keys = b"".join(row.key for row in self.rows)
        return hashlib.blake2b(b"%d %s" % (self.tries, keys), digest_size=12).hexdigest()

    def request(self, priority: int) -> v2.InferenceRequest:
        """The job: every row has its own answer or its own error."""
        request = _joined(self.rows).to_inference_request()
        own = {ON_ROW_ERROR: "skip", "priority": priority}
        return request.model_copy(
            update={"id": self.job_id, "parameters": {**request.parameters, **own}}
        )


def _joined(rows: Sequence[Packed]) -> TaskInput:
    """Rows as one Input; they share their parameters."""
    first = rows[0]
    lists = {name: [getattr(row.given, name)[row.at] for row in rows] for name in first.fields}
    return first.given.model_copy(update=lists)


class Packer:
    """Makes Inputs of rows, and their keys."""

    def __init__(self, origin: Origin, hash_name: str = HASH) -> None:
        """`hash_name` is what the ledger's keys are made with."""
        self._task, self._parameters = origin.task, dict(origin.parameters)
        made_by = [origin.model, origin.version, self._parameters]
        salt = to_json(made_by, inf_nan_mode="constants")
        self._empty = (
            hashlib.blake2b(salt, digest_size=KEY_BYTES)
            if hash_name == EARLIER_HASH
            else hashlib.sha256(salt)
        )

    def pack(self, rows: Sequence[tuple[bytes, SourceRow]]) -> list[Packed | InvalidRequest]:
        """Rows, by their keys, ready to go; or why not: the error names the field."""
        alike = all(row.values.keys() == rows[0][1].values.keys() for _, row in rows)
        if len(rows) > 1 and alike:
            # Together they are checked in a tenth of the time; who is at fault, one by one.
            with contextlib.suppress(InvalidRequest):
                return list(self._checked(rows))
        return [packed for row in rows for packed in self._alone(row)]

    def _alone(self, row: tuple[bytes, SourceRow]) -> list[Packed | InvalidRequest]:
        try:
            return list(self._checked([row]))
        except InvalidRequest as error:
            return [error]

    def _checked(self, rows: Sequence[tuple[bytes, SourceRow]]) -> list[Packed]:
        names = rows[0][1].values
        lists = {name: [row.values[name] for _, row in rows] for name in names}
        given = self._task.input.validated({**self._parameters, **lists})
        fields = tuple(name for name in given.ROWS if getattr(given, name))
        return [Packed(key, given, at, weight(row), fields) for at, (key, row) in enumerate(rows)]

    def key(self, values: Mapping[str, Any]) -> bytes:
        """What tells this row's content, model and parameters from any other's."""
        digest = self._empty.copy()
        for name in sorted(values):
            value = values[name]
            raw = value if isinstance(value, bytes) else to_json(value, bytes_mode="base64")
            digest.update(b"%d:%s%d:" % (len(name), name.encode(), len(raw)))
            digest.update(raw)
        return digest.digest()[:KEY_BYTES]


#: Not `bytes | str`, which each look at a row would make anew.
_SIZED = (bytes, str)


def weight(row: SourceRow) -> int:
    """The bytes of a row's files and texts."""
    size = 0
    for value in row.values.values():
        size += len(value) if isinstance(value, _SIZED) else _weight(value)
    return size


def _weight(value: Any) -> int:
    """The bytes of a value's files and texts."""
    if isinstance(value, list):
        return sum(map(_weight, value))
    return len(value) if isinstance(value, _SIZED) else 0


def image_of(task: Task, row: SourceRow) -> bytes | None:
    """A row's image; None without one."""
    values = (row.values.get(spec.field) for spec in task.inputs if spec.content == "image")
    return next((value for value in values if isinstance(value, bytes)), None)


def image_size(task: Task, row: SourceRow) -> tuple[int, int] | None:
    """Width and height of a row's image as it is displayed, in pixels; None without one."""
    image = image_of(task, row)
    return None if image is None else displayed_size(image)
