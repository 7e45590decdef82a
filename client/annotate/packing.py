"""Rows packed into jobs: as many as one forward takes, no more bytes than travel well."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from ...protocol import codec, v2
from ...protocol.parameters import ON_ROW_ERROR
from ...tasks.base import Task, TaskInput, TaskOutput
from ...tasks.media.size import displayed_size
from .ledger import KEY_BYTES
from .rows import Origin, SourceRow

#: Bytes of one job: large enough for a batch of photographs, small enough to send twice.
_MAX_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Packed:
    """A row ready to go: its key, and its Input of one row."""

    key: bytes
    given: TaskInput
    bytes: int


@dataclass(slots=True)
class Pack:
    """The rows of one job."""

    rows: list[Packed] = field(default_factory=list)
    #: How often these rows were sent before.
    tries: int = 0
    job_id: str = field(default_factory=lambda: f"annotate-{uuid.uuid4().hex}")

    @property
    def bytes(self) -> int:
        """Of all rows together."""
        return sum(row.bytes for row in self.rows)

    def fits(self, row: Packed, max_rows: int) -> bool:
        """Whether a row may join: one that has the same inputs, in what room is left."""
        return not self.rows or (
            len(self.rows) < max_rows
            and self.bytes + row.bytes <= _MAX_BYTES
            and present_fields(self.rows[0].given) == present_fields(row.given)
        )

    def halves(self) -> list[Pack]:
        """Two packs of these rows, to find the one at fault."""
        middle = (len(self.rows) + 1) // 2
        return [Pack(rows, self.tries) for rows in (self.rows[:middle], self.rows[middle:]) if rows]

    def again(self) -> Pack:
        """The same rows for another try."""
        return Pack(self.rows, self.tries + 1)

    def request(self, priority: int) -> v2.InferenceRequest:
        """The job: every row has its own answer or its own error."""
        request = joined([row.given for row in self.rows]).to_inference_request()
        own = {ON_ROW_ERROR: "skip", "priority": priority}
        return request.model_copy(
            update={"id": self.job_id, "parameters": {**request.parameters, **own}}
        )


def present_fields(given: TaskInput) -> tuple[str, ...]:
    """The inputs that a row has; optional ones may be missing."""
    return tuple(name for name in given.ROWS if getattr(given, name))


def joined(inputs: Sequence[TaskInput]) -> TaskInput:
    """Inputs of one row each as one; they share their parameters."""
    first = inputs[0]
    if len(inputs) == 1:
        return first
    lists = {name: [getattr(given, name)[0] for given in inputs] for name in present_fields(first)}
    return first.model_copy(update=lists)


class Packer:
    """Makes Inputs of rows, and their keys."""

    def __init__(self, origin: Origin) -> None:
        self._task, self._parameters = origin.task, dict(origin.parameters)
        made_by = [origin.model, origin.version, self._parameters]
        self._salt = to_json(made_by, inf_nan_mode="constants")

    def pack(self, row: SourceRow) -> Packed:
        """A row ready to go. Raises InvalidRequest that names the field."""
        lists = {name: [value] for name, value in row.values.items()}
        given = self._task.input.validated({**self._parameters, **lists})
        return Packed(self.key(row.values), given, sum(map(_weight, row.values.values())))

    def key(self, values: Mapping[str, Any]) -> bytes:
        """What tells this row's content, model and parameters from any other's."""
        digest = hashlib.blake2b(self._salt, digest_size=KEY_BYTES)
        for name in sorted(values):
            value = values[name]
            raw = value if isinstance(value, bytes) else to_json(value, bytes_mode="base64")
            digest.update(b"%d:%s%d:" % (len(name), name.encode(), len(raw)))
            digest.update(raw)
        return digest.digest()


def _weight(value: Any) -> int:
    """The bytes of a value's files and texts."""
    if isinstance(value, list):
        return sum(map(_weight, value))
    return len(value) if isinstance(value, bytes | str) else 0


def image_of(task: Task, row: SourceRow) -> bytes | None:
    """A row's image; None without one."""
    values = (row.values.get(spec.field) for spec in task.inputs if spec.content == "image")
    return next((value for value in values if isinstance(value, bytes)), None)


def image_size(task: Task, row: SourceRow) -> tuple[int, int] | None:
    """Width and height of a row's image as it is displayed, in pixels; None without one."""
    image = image_of(task, row)
    return None if image is None else displayed_size(image)


def pack_answer(output: TaskOutput, model: str) -> bytes:
    """A row's answer as bytes: JSON's length, JSON, raw tensors."""
    body, length = codec.encode_response(output.response(model), binary=True)
    return b"%d\n%s" % (length or len(body), body)


def read_answer(task: Task, packed: bytes) -> TaskOutput:
    """The answer that `pack_answer` wrote."""
    length, _, body = packed.partition(b"\n")
    return task.output.of(codec.decode_response(body, int(length)))
