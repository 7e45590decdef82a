"""Runs: a model's answers to each row of a data set, as a resource. See docs/runs.md."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response

from ...jobs.run_records import Run, RunState
from ...jobs.runs import owners_of, shards_of
from ...protocol.errors import InvalidRequest, NotFound
from ..access.book import KeyBook
from ..access.caller import caller
from ..core.run_intake import RunAsked, asked_again, asked_of, places_of, spec_of
from ..core.run_service import (
    begin_run,
    command,
    find_run,
    finish_following,
    forget,
    list_runs,
    retry,
)
from ..core.run_views import run_path, run_view, shard_view
from ..core.service import Service
from ..core.views import json_response
from ..http import openapi_runs
from ..http.body import json_object, read_body
from ..http.fast_route import FastRoute
from ..http.ids import id_from_path, idempotency_key, shown_id
from ..http.prefer import bounded_wait, whole_number

router = APIRouter(tags=["runs"], route_class=FastRoute)

#: Bytes of a run's description, at most.
_MAX_BODY_BYTES = 1_048_576

#: Runs on one page.
_PAGE, _LARGEST_PAGE = "50", 1000


@router.post("/v2/runs", **openapi_runs.CREATE)
async def create_run(request: Request) -> Response:
    """Start a run over a data set. The same `Idempotency-Key` or `id` again is the same run."""
    return await _begin(request, asked_of(await _document(request)))


@router.get("/v2/runs", **openapi_runs.LIST)
async def get_runs(request: Request) -> Response:
    """Runs, newest first: `?state=&tenant=&limit=&after=`."""
    service, query = Service.of(request), request.query_params
    state = wanted_state(request)
    limit = whole_number(query.get("limit", _PAGE), what="limit", least=1, most=_LARGEST_PAGE)
    after = query.get("after", "")
    after = caller.get().stored(after) if after else ""
    found, following = await list_runs(service, state, query.get("tenant", ""), after, limit)
    return json_response(
        {
            "runs": [run_view(run) for run in found],
            "after": shown_id(following) if following else None,
        }
    )


@router.get("/v2/runs/{run_id}", **openapi_runs.VIEW)
async def get_run(request: Request) -> Response:
    """A run as it stands; `?wait=20` holds the answer until it changes, or for so long.

    One that goes on only if somebody says so is answered at once.
    """
    service, query = Service.of(request), request.query_params
    wait_s = bounded_wait(query.get("wait", "0"), service.settings.max_wait_s)
    until = time.monotonic() + wait_s
    with service.waiters.runs.watching(path_run_id(request)) as watch:
        run = await known_run(request)
        while wait_s and _goes_on(run) and (left := until - time.monotonic()) > 0:
            before = run_view(run)
            await watch.heard(min(left, 1.0))
            run = await known_run(request)
            if {**run_view(run), **_MOVING} != {**before, **_MOVING}:
                break
    return json_response(run_view(run))


def _goes_on(run: Run) -> bool:
    return not (run.state.terminal or run.state in (RunState.HELD, RunState.PAUSED))


#: What of a view is another at every look.
_MOVING = {"rows_per_s": 0, "estimated_end_at": None, "looked_at": None}


@router.get("/v2/runs/{run_id}/shards", **openapi_runs.SHARDS)
async def get_shards(request: Request) -> Response:
    """The parts that a run was cut into, and who is at each."""
    service, run = Service.of(request), await known_run(request)
    shards = await service.queue.run(shards_of(run.spec.id, service.jobs))
    owners = await service.queue.run(owners_of(run.spec.id, service.jobs))
    workers = {step: owner.rpartition("|")[0] for step, owner in owners.items()}
    views = [shard_view(shard, workers.get(f"shard/{shard.number}", "")) for shard in shards]
    return json_response({"shards": views})


@router.post("/v2/runs/{run_id}/pause", **openapi_runs.COMMAND)
async def pause_run(request: Request) -> Response:
    """Answer no more rows of a run, until it is let go on. Those under way are finished."""
    return await _command(request, "pause")


@router.post("/v2/runs/{run_id}/resume", **openapi_runs.COMMAND)
async def resume_run(request: Request) -> Response:
    """Let a run go on that was paused, or that is held after its sample."""
    return await _command(request, "resume")


@router.post("/v2/runs/{run_id}/cancel", **openapi_runs.COMMAND)
async def cancel_run(request: Request) -> Response:
    """End a run; its finished rows can be looked at until its time is over."""
    return await _command(request, "cancel")


@router.post("/v2/runs/{run_id}/finish", **openapi_runs.FINISH)
async def finish(request: Request) -> Response:
    """Have a run that follows its source take no more: it ends once all that came is answered."""
    run = await finish_following(Service.of(request), path_run_id(request))
    return json_response(run_view(run))


@router.post("/v2/runs/{run_id}/retry", **openapi_runs.RETRY)
async def retry_run(request: Request) -> Response:
    """Let a run that failed, was canceled or expired go on from what it has; 409 for any other."""
    book: KeyBook = request.app.state.keys
    run = await retry(Service.of(request), path_run_id(request), closed=book.closed)
    return json_response(run_view(run))


@router.post("/v2/runs/{run_id}/clone", **openapi_runs.CLONE)
async def clone_run(request: Request) -> Response:
    """Start the same run again, but for what the body says otherwise."""
    run = await known_run(request)
    document = await _document(request)
    return await _begin(request, asked_again(run.spec, document), cloned_from=run.spec.id)


@router.delete("/v2/runs/{run_id}", **openapi_runs.FORGET)
async def delete_run(request: Request) -> Response:
    """Forget a run that has ended, with its output in the store; 409 for one that has not."""
    await forget(Service.of(request), path_run_id(request))
    return Response(status_code=204)


def path_run_id(request: Request) -> str:
    """The run that a request's path names, as Redis calls it. Raises NotFound."""
    run_id = id_from_path(request.path_params["run_id"])
    if not run_id.isprintable() or len(run_id) > 128:
        raise NotFound(f"no run {run_id[:100]!r}")
    return caller.get().stored(run_id)


async def known_run(request: Request) -> Run:
    """The run that a request's path names. Raises NotFound."""
    return await find_run(Service.of(request), path_run_id(request))


def wanted_state(request: Request) -> str:
    """The state that a list is filtered by; "" for none. Raises InvalidRequest."""
    state = request.query_params.get("state", "")
    if state and state not in set(RunState):
        raise InvalidRequest(f"state: one of {', '.join(RunState)}")
    return state


async def _begin(request: Request, asked: RunAsked, *, cloned_from: str = "") -> Response:
    service = Service.of(request)
    book: KeyBook = request.app.state.keys
    spec = spec_of(
        asked,
        service,
        places_of(service, closed=book.closed),
        key=idempotency_key(request),
        webhook=request.headers.get("wherry-webhook", ""),
        cloned_from=cloned_from,
    )
    is_new = await begin_run(service, spec, closed=book.closed)
    run = await find_run(service, spec.id)
    headers = {"Location": run_path(spec.id)}
    return json_response(run_view(run), 201 if is_new else 200, headers)


async def _command(request: Request, word: str) -> Response:
    run = await command(Service.of(request), path_run_id(request), word)
    return json_response(run_view(run))


async def _document(request: Request) -> dict[str, object]:
    body = await read_body(request, _MAX_BODY_BYTES)
    return json_object(body) if body.strip() else {}
