"""One line of a batch: its request run through the queue until it has an answer to stay."""

from __future__ import annotations

import asyncio
import logging
import random
from functools import partial
from typing import NamedTuple

from fastapi import FastAPI, Request, Response
from pydantic_core import to_json

from .....jobs.group import BULK_PRIORITY
from .....protocol import codec
from .....protocol.errors import (
    DeadlineExceeded,
    InvalidRequest,
    JobNotFound,
    ModelFailed,
    ModelNotFound,
    NotFound,
    Unavailable,
    WherryError,
)
from .....protocol.parameters import PRIORITY
from ....access.caller import caller
from ....core.envelope import Envelope
from ....core.intake import CheckedRequest
from ....core.job_names import JOB_NAMES, JobNames
from ....core.run_and_wait import EndedJob, finished, run
from ....core.service import Service
from ....core.views import inference_response
from ....egress.named_files import NamedFiles
from ....http.body import OFF_LOOP_BYTES, off_loop
from ....http.errors import error_body, status_of
from ....http.hangup import never
from . import endpoints
from .lines import LineRequest

log = logging.getLogger(__name__)

#: Seconds before the second try of a line that could not be run now; they double, up to the last.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 5.0

#: Times that a result which is gone is computed again.
_LOST = 3

#: Statuses that say: not now.
_NOT_NOW = frozenset({429, 503, 504})


class LineResponse(NamedTuple):
    """A line's answer: an HTTP status and a body of JSON, or why it was not run."""

    status: int
    body: bytes = b""
    code: str = ""
    message: str = ""
    #: Whether another try is no use, whatever the status.
    lasting: bool = False

    def line(self, name: str, custom_id: str) -> bytes:
        """A line of the output, as OpenAI writes it. The body goes in as it is."""
        head = b'{"id":%s,"custom_id":%s,"response":' % (
            to_json(f"batch_req_{name.removeprefix('batch_')}"),
            to_json(custom_id),
        )
        if not self.status:
            error = to_json({"code": self.code, "message": self.message})
            return b'%snull,"error":%s}' % (head, error)
        body = self.body.replace(b"\n", b" ")  # between tokens: in JSON's strings it is escaped
        form = b'%s{"status_code":%d,"request_id":%s,"body":%s},"error":null}'
        return form % (head, self.status, to_json(name), body)


async def answer(app: FastAPI, name: str, asked: LineRequest, size: int) -> LineResponse:
    """Run a line, as often as it takes; `name` is its job's. Never raises but when canceled."""
    pause_s, lost = _FIRST_PAUSE_S, 0
    while True:
        try:
            found = await _try(app, name, asked, size)
        except WherryError as error:
            found = LineResponse(status_of(error), to_json(error_body(error)))
            gone = isinstance(error, NotFound) and not isinstance(error, ModelNotFound)
            lost += gone
            later = isinstance(error, Unavailable | DeadlineExceeded)
            again = (later and not isinstance(error, ModelFailed)) or (gone and lost < _LOST)
        except Exception:
            log.exception("line %s failed", name)
            return LineResponse(500, b'{"error":"internal error","error_type":"internal_error"}')
        else:
            again = found.status in _NOT_NOW and not found.lasting
        if not again:
            return found
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 # hides nothing
        pause_s = min(pause_s * 2, _LAST_PAUSE_S)


async def _try(app: FastAPI, name: str, asked: LineRequest, size: int) -> LineResponse:
    route = endpoints.ROUTES.get(asked.url)
    if route is None:
        service: Service = app.state.service
        response = await _infer(service, name, asked, size)
    elif asked.body.get("stream"):
        raise InvalidRequest("stream: a batch's answers are whole; leave it out")
    else:
        response = await route(_request(app, name, asked))
    failed = response.status_code == 503 and "retry-after" not in response.headers
    return LineResponse(response.status_code, bytes(response.body), lasting=failed)


async def _infer(service: Service, name: str, asked: LineRequest, size: int) -> Response:
    model = endpoints.infer_model(asked.url)
    assert model is not None

    def reading(files: NamedFiles) -> tuple[CheckedRequest, str | None]:
        request = codec.request_of(asked.body)
        own_id, request.id = request.id, name
        if not request.parameters.get(PRIORITY):
            request.parameters = {**request.parameters, PRIORITY: BULK_PRIORITY}
        return service.intake.check(request, *model, files), own_id

    large = size >= OFF_LOOP_BYTES
    checked, own_id = await service.intake.outbound.files.read(reading, in_thread=large)
    making = partial(service.intake.prepare, checked, Envelope(caller.get()))
    del checked  # its data is soon in the job
    prepared = await off_loop(making, large=large)
    del making
    ended = await run(service, never, prepared, service.settings.infer_timeout_s)
    while ended.status is None or not ended.status.terminal:
        try:
            record = await service.wait(
                prepared.job.id, service.settings.infer_timeout_s, to_the_end=True
            )
        except JobNotFound:
            raise Unavailable("the job was forgotten; it is made again") from None
        ended = EndedJob(prepared.job.id, record.status)
    return await inference_response(await finished(service, ended), response_id=own_id)


def _request(app: FastAPI, name: str, asked: LineRequest) -> Request:
    """A request as the route takes it, from a client that never hangs up."""
    unread = [to_json(asked.body)]

    async def receive() -> dict[str, object]:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        await never()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "POST",
        "path": asked.url,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "path_params": {},
        "app": app,
        JOB_NAMES: JobNames(name),  # the same jobs have the same names again
    }
    return Request(scope, receive)
