"""Operations: what a trigger-async answers, and how it went since.

The name of an operation carries its jobs and how their answers belong together, so that nothing
has to be kept of it: the jobs are all there is, and they end as any other.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Self

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ....jobs.record import JobRecord
from ....jobs.recover import cancel
from ....protocol.errors import NotFound, WherryError
from ....tasks.catalog import ModelDeclaration
from ...core.run_and_wait import prepare
from ...core.service import Service
from ...http.ids import MAX_ID, job_path
from .trigger import MOST_JOBS, Layout, Plan

_MOST_ROWS = 100_000

#: Bytes of an operation's name, inflated.
_MOST_BYTES = 2**20

_TYPES = "buf.build/instill-ai/protobufs"

Row = Annotated[int, Field(ge=0, le=_MOST_ROWS)]


class Operation(BaseModel):
    """The jobs of a trigger, as its operation's name tells them."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    jobs: list[Annotated[str, Field(min_length=1, max_length=MAX_ID)]] = Field(
        min_length=1, max_length=MOST_JOBS
    )
    job_of_row: list[Row] = Field(min_length=1, max_length=_MOST_ROWS)
    rows_of_entry: list[Row] = Field(min_length=1, max_length=_MOST_ROWS)
    dimensions: list[int | None]

    @model_validator(mode="after")
    def _check_layout(self) -> Self:
        fits = (
            set(self.job_of_row) == set(range(len(self.jobs)))
            and sum(self.rows_of_entry) == len(self.job_of_row)
            and 0 not in self.rows_of_entry
            and len(self.dimensions) == len(self.rows_of_entry)
        )
        if not fits:
            raise ValueError("the parts do not fit each other")
        return self

    @property
    def layout(self) -> Layout:
        """How the jobs' answers belong together."""
        return Layout(self.job_of_row, self.rows_of_entry, self.dimensions)

    @property
    def id(self) -> str:
        """The operation's id: opaque text that can stand in a path."""
        text = json.dumps(list(self.model_dump().values()), separators=(",", ":"))
        return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")

    @classmethod
    def of(cls, operation_id: str) -> Self:
        """The operation of that id. Raises NotFound."""
        try:
            packed = base64.urlsafe_b64decode(operation_id + "=" * (-len(operation_id) % 4))
            values = json.loads(zlib.decompressobj().decompress(packed, _MOST_BYTES))
            return cls.model_validate(dict(zip(cls.model_fields, values, strict=True)))
        except (binascii.Error, zlib.error, ValidationError, ValueError, TypeError, RecursionError):
            raise NotFound("no operation has that id") from None

    def model(self, service: Service, records: Sequence[JobRecord]) -> ModelDeclaration:
        """The model that all jobs ask. Raises NotFound for jobs that do not belong together."""
        rows = Counter(self.job_of_row)
        asked = {(record.group.model, record.group.version) for record in records}
        if len(asked) != 1 or any(rows[i] != r.rows for i, r in enumerate(records)):
            raise NotFound("no operation has that id")
        return service.catalog.get(*asked.pop())

    def view(
        self,
        *,
        error: WherryError | None = None,
        code: int = 0,
        answer: dict[str, Any] | None = None,  # JSON
    ) -> dict[str, Any]:
        """A google.longrunning.Operation: with an error, with an answer, or not done."""
        metadata = {
            "@type": "type.googleapis.com/google.protobuf.Struct",
            "value": {"jobs": [job_path(job) for job in self.jobs]},
        }
        view: dict[str, Any] = {
            "name": f"operations/{self.id}",
            "metadata": metadata,
            "done": bool(error or answer),
        }
        if error:
            view["error"] = {"code": code, "message": error.message, "details": []}
        elif answer:
            # Instill's own: a message that holds the answer, not the answer itself.
            name = f"{_TYPES}/model.model.v1alpha.LatestOperation"
            view["response"] = {"@type": name, "response": answer}
        return view


async def start(request: Request, model: ModelDeclaration, plan: Plan) -> Operation:
    """Store a trigger's jobs, all or none. Raises what the intake raises."""
    service, prepared = Service.of(request), []
    for number, given in enumerate(plan.jobs):
        try:
            prepared.append(await prepare(request, model, given))
        except WherryError as error:
            raise plan.layout.blame(number, error) from None
    stored: list[str] = []
    try:
        for one in prepared:
            stored.append((await service.submitter.store(one)).id)  # noqa: PERF401 # kept on error
    except WherryError:
        for job_id in stored:
            await service.queue.run(cancel(job_id, service.jobs))
        raise
    return Operation(
        jobs=stored,
        job_of_row=list(plan.layout.job_of_row),
        rows_of_entry=list(plan.layout.rows_of_entry),
        dimensions=list(plan.layout.dimensions),
    )
