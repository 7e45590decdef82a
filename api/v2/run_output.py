"""What a run wrote: to be fetched as it is, or in another format that a run worker makes of it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ...jobs.run_records import Run, RunOutput, RunState
from ...jobs.runs import forget_export, shards_of
from ...protocol.errors import Conflict, InvalidRequest, NotFound, from_code
from ...tasks.annotations.formats import BY_NAME, formats_of
from ...tasks.registry import get_task
from ..access.book import KeyBook
from ..core.run_committed import committed_files
from ..core.run_output import files_response, output_response
from ..core.run_service import begin_export, find_run
from ..core.run_views import file_stem, run_view
from ..core.service import Service
from ..core.store_threads import in_store
from ..core.views import json_response
from ..http import openapi_runs
from ..http.fast_route import FastRoute
from ..http.ids import shown_id
from .runs import known_run

router = APIRouter(tags=["runs"], route_class=FastRoute)

#: Seconds after which to ask for an export again.
_RETRY = {"Retry-After": "1"}


#: What else there is to do.
_LOST = "; retry it, or clone it: rows that are answered are not computed again"
_INSTEAD = {
    RunState.HELD: "; its report tells of its sample, resume lets it go on",
    RunState.PAUSED: "; resume lets it go on",
}


@router.get("/v2/runs/{run_id}/output", **openapi_runs.OUTPUT)
async def get_output(request: Request) -> Response:
    """The output of a run that has succeeded: one file as it is, several as a zip.

    Of one that follows its source, what it has answered so far.
    `?format=NAME` has the same answers in another format: 202 while a worker makes that. So it has
    those of a run that ended otherwise, once all its rows are answered.
    """
    service, run = Service.of(request), await known_run(request)
    wanted = request.query_params.get("format", "")
    if wanted:
        _check_format(run, wanted)
    if run.spec.follow and not wanted and run.state is not RunState.SUCCEEDED:
        return await _committed(service, run)
    if run.is_answered and run.state is not RunState.SUCCEEDED and wanted:
        return await _export(request, run, wanted)
    if run.state is not RunState.SUCCEEDED:
        if run.state.terminal:
            instead = "; its rows are answered: ask for a format" if run.is_answered else _LOST
            raise NotFound(
                f"run {shown_id(run.spec.id)!r} is {run.state}: it has no output{instead}"
            )
        instead = _INSTEAD.get(run.state, "")
        raise Conflict(
            f"run {shown_id(run.spec.id)!r} is {run.state}: its output is not there yet{instead}"
        )
    output = run.progress.output
    is_here = output is not None and not output.place
    if wanted and run.plan and not (is_here and wanted == run.plan.format):
        return await _export(request, run, wanted)
    if output is None or output.place:
        place = output.place if output else "nowhere"
        raise NotFound(f"the output was written to {place}; ask for a format to have one made here")
    return await _file(service, run, output, "")


async def _export(request: Request, run: Run, wanted: str) -> Response:
    service, export = Service.of(request), run.progress.exports.get(wanted)
    if export is None:
        book: KeyBook = request.app.state.keys
        export = await begin_export(service, run.spec, wanted, closed=book.closed)
    if export.error is not None:  # told once: who asks again has it tried again
        await service.queue.run(forget_export(run.spec.id, wanted, service.jobs))
        raise from_code(export.error.error_type, export.error.message)
    if export.output is None:
        return json_response(run_view(await find_run(service, run.spec.id)), 202, _RETRY)
    return await _file(service, run, export.output, wanted)


async def _committed(service: Service, run: Run) -> Response:
    """What a run that follows its source has answered so far. Raises NotFound for nothing."""
    shards = await service.queue.run(shards_of(run.spec.id, service.jobs))
    files = await in_store(committed_files, service.store, run, shards)
    if not files:
        raise NotFound(f"run {shown_id(run.spec.id)!r} has answered nothing yet")
    return files_response(files, _name(run, ""))


async def _file(service: Service, run: Run, output: RunOutput, wanted: str) -> Response:
    return await output_response(service.store, output, _name(run, wanted))


def _name(run: Run, wanted: str) -> str:
    stem = file_stem(run)
    return f"{stem}-{wanted}" if wanted else stem


def _check_format(run: Run, wanted: str) -> None:
    """Raise InvalidRequest for a format that cannot hold the run's answers."""
    fit = [found.name for found in formats_of(get_task(run.plan.task))] if run.plan else [*BY_NAME]
    if wanted not in fit:
        raise InvalidRequest(f"format: {wanted[:40]!r} is none of {', '.join(fit)}")
