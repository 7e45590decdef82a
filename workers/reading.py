"""From a stored request to rows.

Most jobs of texts have the same request but for their texts: what is made of one is kept by the
JSON that they have in common, and the next takes its texts alone.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..protocol import codec, v2
from ..protocol.errors import WherryError
from ..protocol.parameters import ROW_ERRORS, errors_told, places_left, remarks_on
from ..protocol.unchecked import unchecked
from ..tasks.base import Task, TaskInput
from ..tasks.text.texts_alone import takes_texts_alone

#: Bytes of a request's JSON that is kept, and how many are; then all are forgotten.
_LONGEST, _MOST = 512, 4096

#: What stands before the bytes of a tensor's data; in JSON it can be nothing but a name.
_SIZE = b'"binary_data_size":'

_LENGTH = struct.Struct("<I")


class ReadRequest(NamedTuple):
    """A request as the worker wants it. It may be another's, too: nobody changes it."""

    request: v2.InferenceRequest
    rows: Sequence[TaskInput]
    #: Rows that the API refused and sent no further, by their places in the request.
    refused: Mapping[int, WherryError]
    #: What is to be said of its parameters.
    remarks: Sequence[str]

    @property
    def places(self) -> Sequence[int]:
        """Where in the request each of the rows is."""
        return places_left(len(self.rows), self.refused) if self.refused else range(len(self.rows))


@dataclass(slots=True)
class _Form:
    """A request of texts without them."""

    request: v2.InferenceRequest
    kind: type[TaskInput]
    #: Of a row, but for its text; and the name of that one.
    fields: dict[str, Any]
    texts: str
    count: int
    remarks: Sequence[str]

    def rows(self, payload: bytes, at: int) -> list[TaskInput] | None:
        """The rows of texts from `at` on; None for what is not so many, or no texts."""
        kind, fields, name = self.kind, self.fields, self.texts
        rows: list[TaskInput] = []
        try:
            while at < len(payload):
                start = at + _LENGTH.size
                at = start + _LENGTH.unpack_from(payload, at)[0]
                rows.append(unchecked(kind, {**fields, name: [payload[start:at].decode()]}))
        except (struct.error, UnicodeDecodeError):
            return None
        return rows if at == len(payload) and len(rows) == self.count else None


@dataclass(slots=True)
class _Reader:
    """Reads requests for one task. Threads share it."""

    task: Task
    _forms: dict[tuple[bytes, bytes], _Form | None] = field(default_factory=dict)

    def read(self, payload: bytes, header_length: int) -> ReadRequest:
        """As the function of the module."""
        if header_length > _LONGEST:
            return self._read(payload, header_length)
        head, _, rest = payload[:header_length].partition(_SIZE)
        size, _, tail = rest.partition(b"}")
        form = self._forms.get((head, tail))
        if form and size == b"%d" % (len(payload) - header_length):
            rows = form.rows(payload, header_length)
            if rows is not None:
                return ReadRequest(form.request, rows, _NONE, form.remarks)
        found = self._read(payload, header_length)
        if (head, tail) not in self._forms:
            if len(self._forms) >= _MOST:
                self._forms.clear()
            self._forms[head, tail] = None if _SIZE in tail else _form_of(found)
        return found

    def _read(self, payload: bytes, header_length: int) -> ReadRequest:
        request = codec.decode_stored(memoryview(payload), header_length)
        refused = errors_told(request.parameters)
        request.parameters.pop(ROW_ERRORS, None)
        kind = self.task.input
        rows = kind.from_inference_request(request).rows()
        return ReadRequest(request, rows, refused, remarks_on(request, kind.parameter_names()))


_reader = functools.cache(_Reader)


def read(task: Task, payload: bytes, header_length: int) -> ReadRequest:
    """Read a request that the API has checked. Raises WherryError."""
    return _reader(task).read(payload, header_length)


_NONE: Mapping[int, WherryError] = {}


def _form_of(read: ReadRequest) -> _Form | None:
    """What the next request has in common with this one; None where that is not all but texts."""
    request, rows, refused, remarks = read
    if not rows or refused or request.id is not None or len(request.inputs) != 1:
        return None
    kind = type(rows[0])
    if not takes_texts_alone(kind):
        return None
    [tensor], [name] = request.inputs, kind.ROWS
    if not tensor.is_raw or tensor.shape != [len(rows)]:
        return None
    common = v2.InferenceRequest.made(
        id=None,
        parameters=request.parameters,
        outputs=request.outputs,
        inputs=[tensor.model_copy(update={"data": b""})],
    )
    return _Form(common, kind, dict(rows[0].__dict__), name, len(rows), remarks)
