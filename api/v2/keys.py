"""API keys: who asks, and for the operator which keys there are, a new one, one that ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...jobs.owned import NOBODY
from ...protocol.errors import InvalidRequest
from ...protocol.v2 import describe
from ..access.book import KeyBook
from ..access.caller import Scope, caller
from ..access.keys import ApiKey, make
from ..core.service import Service
from ..core.views import json_response
from ..http.body import json_object, read_body
from ..http.fast_route import FastRoute

router = APIRouter(tags=["keys"], route_class=FastRoute)

#: A page of somebody else's may send anything but this to a server that wants no keys yet, and the
#: first key closes it.
_NOT_JSON = "a key is asked for with Content-Type: application/json"

#: Headers of an answer that nobody may keep.
_SECRET = {"Cache-Control": "no-store"}


class _Wanted(BaseModel):
    """What a new key is to be; as `wherry keys create` takes it."""

    model_config = ConfigDict(extra="forbid")

    tenant: str = "-"
    scopes: tuple[Scope, ...] = (Scope.SUBMIT, Scope.READ)
    weight: float = 1.0
    max_waiting: int = 0
    max_waiting_bytes: int = 0
    submits_per_s: float = 0.0
    expires_in_days: float = Field(default=0.0, ge=0, le=36_500, allow_inf_nan=False)
    note: str = ""


@router.get("/v2/caller")
async def who_asks(request: Request) -> Response:
    """Whom the request's key stands for: tenant, scopes, limits; and whether a key is needed."""
    who = caller.get()
    return json_response(
        {
            "tenant": None if who.tenant == NOBODY else who.tenant,
            "scopes": sorted(who.scopes),
            "keys_needed": _book(request).closed,
            "weight": who.weight,
            "max_waiting": who.limits.max_waiting,
            "max_waiting_bytes": who.limits.max_waiting_bytes,
            "submits_per_s": who.limits.submits_per_s,
        }
    )


@router.get("/v2/keys")
async def list_keys(request: Request) -> Response:
    """Every key without its secret: of the fleet's Redis, and of this server's file of keys."""
    keys = [_view(key, in_file=in_file) for key, in_file in _book(request).listed()]
    return json_response({"keys": keys})


@router.post("/v2/keys")
async def make_key(request: Request) -> Response:
    """Make a key and answer it, once: `{"tenant", "scopes", "weight", "note", ...}`."""
    service = Service.of(request)
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise InvalidRequest(_NOT_JSON)
    body = await read_body(request, service.settings.max_body_bytes)
    try:
        wanted = _Wanted.model_validate(json_object(body))
        made = make(
            **wanted.model_dump(exclude={"expires_in_days"}),
            expires_at=_end(wanted.expires_in_days),
        )
    except ValidationError as error:
        raise InvalidRequest(describe(error, _Wanted)) from None
    await _book(request).add(made.key)
    return json_response({"key": made.token, **_view(made.key, in_file=False)}, 201, _SECRET)


@router.delete("/v2/keys/{key_id}")
async def revoke_key(request: Request) -> Response:
    """Forget a key of the fleet's Redis: within a second or two no server takes it."""
    await _book(request).revoke(request.path_params["key_id"])
    return Response(status_code=204)


def _book(request: Request) -> KeyBook:
    book: KeyBook = request.app.state.keys
    return book


def _end(days: float) -> datetime | None:
    return (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0) if days else None


def _view(key: ApiKey, *, in_file: bool) -> dict[str, Any]:
    told = key.model_dump(mode="json", exclude={"hash", "tenant"}, exclude_none=True)
    return {**told, "tenant": None if key.tenant == NOBODY else key.tenant, "in_file": in_file}
