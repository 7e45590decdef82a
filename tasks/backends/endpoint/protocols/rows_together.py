"""Rows of a task as one OIP v2 request, whatever carries it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from .....protocol import v2
from .....protocol.errors import InvalidRequest
from ....base import TaskInput
from ...rows import alike
from ..faults import BrokenError
from .base import Protocol, Told, in_parts

#: Rows of one request where neither models.toml nor the server says.
_ROWS = 32

#: Where a server's metadata, or its configuration, may say how many rows it takes.
_MOST_ROWS = "max_batch_size"


class RowsTogether(Protocol):
    """What OIP's two forms have in common."""

    rows_per_request = _ROWS

    #: Axes of each of the server's inputs, as its metadata tells.
    _axes: Mapping[str, int] = {}

    def learn(self, metadata: Any) -> None:
        """Heed what a model's metadata tells: axes, and how many rows it takes."""
        if not isinstance(metadata, Mapping):
            return
        self._axes = {
            str(tensor["name"]): len(tensor["shape"])
            for tensor in metadata.get("inputs") or ()
            if isinstance(tensor, Mapping) and isinstance(tensor.get("shape"), list)
        }
        told = metadata.get("parameters")
        self.learn_most(told.get(_MOST_ROWS) if isinstance(told, Mapping) else None)

    def learn_most(self, most: object) -> None:
        """Heed how many rows one request may have, where that is told."""
        if isinstance(most, int) and most >= 0:
            # Triton's 0 is a model that takes no batches.
            wanted = self.wanted.rows_per_request or _ROWS
            self.rows_per_request = max(1, min(wanted, most))

    def units(self, rows: Sequence[TaskInput], heard: Sequence[bool]) -> list[list[int]]:
        """Rows of the same parameters together, those that somebody listens to alone."""
        kinds = (
            place if hears else to_json(_shared(row), bytes_mode="base64")
            for place, (row, hears) in enumerate(zip(rows, heard, strict=True))
        )
        return [part for places in alike(kinds) for part in in_parts(places, self.rows_per_request)]

    def request_of(self, rows: Sequence[TaskInput]) -> v2.InferenceRequest:
        """Rows as one request, under the server's own names."""
        first = rows[0]
        joined = first
        if len(rows) > 1:
            columns = {
                field: [getattr(row, field)[0] for row in rows]
                for field in first.ROWS
                if getattr(first, field)
            }
            joined = first.model_copy(update=columns)
        request = joined.to_inference_request()
        for tensor in request.inputs:
            tensor.name = self.wanted.names.get(tensor.name, tensor.name)
            axes = self._axes.get(tensor.name, 0)
            if axes == len(tensor.shape) + 1:  # as Triton has it: rows of one element
                tensor.shape = [*tensor.shape, 1]
        request.parameters = {**request.parameters, **self.wanted.extra}
        return request

    def told(self, response: v2.InferenceResponse, rows: Sequence[TaskInput]) -> Told:
        """An answer a row. Raises BrokenError for a response that is none of the task's."""
        ours = {theirs: name for name, theirs in self.wanted.names.items()}
        axes = {spec.name: len(spec.shape) for spec in self.task.outputs}
        for tensor in response.outputs:
            tensor.name = ours.get(tensor.name, tensor.name)
            if axes.get(tensor.name) == len(tensor.shape) - 1 and tensor.shape[-1] == 1:
                tensor.shape = tensor.shape[:-1]
                if not tensor.is_raw:
                    tensor.data = list(tensor.flat())
        try:
            answers = self.task.output.of(response).rows()
        except (InvalidRequest, ValueError) as error:
            text = str(error).split("\n", 1)[0][:300]
            raise BrokenError(
                f"the endpoint's answer is none of {self.task.name}: {text}"
            ) from None
        if len(answers) != len(rows):
            raise BrokenError(f"the endpoint answered {len(answers)} rows for {len(rows)}")
        return Told(answers)


def _shared(row: TaskInput) -> dict[str, Any]:
    """What rows of one request must have alike: all but what each has by itself."""
    fields = {name: getattr(row, name) for name in type(row).model_fields}
    return {
        name: bool(value) if name in row.ROWS else value
        for name, value in fields.items()
        if name not in row.ROWS or name in row.ONE_OF or not value
    }
