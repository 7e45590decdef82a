"""From what a client asks of a run to its spec: what can be refused before anything is read, is."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field, ValidationError, model_validator

from ...jobs.run_spec import RunColumns, RunSpec
from ...jobs.uploads import SCHEME
from ...protocol.errors import InvalidRequest
from ...protocol.first_fault import FirstFault, few_fields
from ...protocol.nearest import meant
from ...protocol.places import AllowedPlaces, has_password, plain
from ...protocol.v2 import describe
from ...tasks.annotations.formats import BY_NAME, formats_of
from ...tasks.base import Task
from ...tasks.registry import get_task, task_of
from ..access.caller import caller
from ..http.ids import uuid7
from .following import check_following
from .service import Service

#: An id that a client may give a run: it stands in paths, keys of the store and commands.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

#: Seconds that a client may have a run kept for.
_LEAST_KEPT_S, _MOST_KEPT_S = 60, 365 * 86_400

#: Pairs of metadata, and characters of its names and values.
_PAIRS, _NAME, _VALUE = 16, 64, 512


class RunAsked(FirstFault):
    """What a client may say of a run, by `RunSpec`'s names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = ""
    name: str = Field(default="", max_length=200)
    source: str = Field(min_length=1, max_length=4096)
    query: str = Field(default="", max_length=100_000)
    order_by: str = Field(default="", max_length=1000)
    out: str = Field(default="", max_length=4096)
    model: str = Field(min_length=1, max_length=256)
    version: str = Field(default="", max_length=256)
    task: str = Field(default="", max_length=200)
    format: str = Field(default="", max_length=200)
    parameters: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, Any] = Field(default_factory=dict)
    columns: RunColumns = RunColumns()
    every: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    frames: str | int | None = None
    split: dict[str, float] = Field(default_factory=dict)
    images: str = Field(default="", max_length=20)
    media_prefix: str = Field(default="", max_length=4096)
    overwrite: bool = False
    reuse: bool = True
    priority: int = Field(default=9, ge=1, le=9)
    shard_rows: int = Field(default=0, ge=0, le=10_000_000)
    sample: int = Field(default=0, ge=0, le=10_000_000)
    follow: bool = False
    follow_every_s: float = Field(default=2.0, ge=0.1, le=86_400, allow_inf_nan=False)
    part_every_s: float = Field(default=0.0, ge=0, le=86_400, allow_inf_nan=False)
    follow_for_s: float | None = Field(default=None, gt=0, le=365 * 86_400, allow_inf_nan=False)
    max_errors: int | None = Field(default=None, ge=0)
    max_device_seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    deadline_s: float | None = Field(default=None, gt=0, le=365 * 86_400, allow_inf_nan=False)
    kept_s: int | None = Field(default=None, ge=_LEAST_KEPT_S, le=_MOST_KEPT_S)
    webhook: str = Field(default="", max_length=2048)
    metadata: dict[str, str] | None = Field(default=None, max_length=_PAIRS)
    near_duplicates: bool = False
    compare: str = Field(default="", max_length=200)

    _few_fields = model_validator(mode="before")(few_fields)


def asked_again(spec: RunSpec, document: Mapping[str, Any]) -> RunAsked:
    """What a clone of a run asks: the same, but for what a document says. Raises InvalidRequest.

    A run that it is to be held against is named anew: that of the first one may be gone.
    """
    same = spec.model_dump(include=RunAsked.model_fields.keys() - {"id", "kept_s", "compare"})
    if _LEAST_KEPT_S <= spec.kept_s <= _MOST_KEPT_S:  # else it is the operator's word
        same["kept_s"] = spec.kept_s
    return asked_of({**same, **document})


def places_of(service: Service, *, closed: bool) -> AllowedPlaces:
    """Where a client's runs may read and write: nowhere at large once keys are needed."""
    places = AllowedPlaces.of(service.jobs.run_places)
    return places.without_local() if closed else places


def asked_of(document: Mapping[str, Any]) -> RunAsked:
    """What a document asks. Raises InvalidRequest that names the field."""
    try:
        asked = RunAsked.model_validate(document)
    except ValidationError as error:
        raise InvalidRequest(describe(error, RunAsked)) from None
    if asked.id and not _ID.fullmatch(asked.id):
        raise InvalidRequest("id: 1 to 64 letters, digits, - and _, the first a letter or digit")
    for name, value in (asked.metadata or {}).items():
        if len(name) > _NAME or len(value) > _VALUE:
            raise InvalidRequest(
                f"metadata: names of {_NAME} characters, values of {_VALUE} at most"
            )
    return asked


def spec_of(
    asked: RunAsked,
    service: Service,
    places: AllowedPlaces,
    *,
    key: str = "",
    webhook: str = "",
    cloned_from: str = "",
) -> RunSpec:
    """The spec of a run, with the id that it gets: its own, or one made of an Idempotency-Key.

    Raises InvalidRequest, ModelNotFound.
    """
    declared = service.catalog.get(asked.model, asked.version or None)
    task = get_task(declared.task)
    _check_task(asked, task)
    _check_format(asked.format, task)
    check_following(asked)
    if not service.submitter.outbound.fetches(asked.source.removeprefix("@")):
        _check_place("source", asked.source, places)
    if asked.out:
        _check_place("out", asked.out, places)
    who = caller.get()
    called = service.submitter.outbound.webhook(asked.webhook or webhook)
    kept_s = service.settings.run_kept_s if asked.kept_s is None else asked.kept_s
    return RunSpec(
        **asked.model_dump(exclude={"id", "kept_s", "webhook", "columns", "out", "compare"}),
        compare=who.stored(asked.compare) if asked.compare else "",
        out=_whole_out(asked.out),
        columns=asked.columns,
        id=who.stored(asked.id or _id_for(key)),
        tenant=who.tenant,
        kept_s=kept_s,
        webhook=called,
        created_at_ms=time.time_ns() // 1_000_000,
        cloned_from=cloned_from,
    )


def _id_for(key: str) -> str:
    """A new id; the same one again for the same Idempotency-Key."""
    if not key:
        return f"run_{uuid7().replace('-', '')}"
    return f"run_{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"


def _check_task(asked: RunAsked, task: Task) -> None:
    if asked.task:
        try:
            wanted = task_of(asked.task)
        except ValueError as error:
            raise InvalidRequest(f"task: {error}") from None
        if wanted != task:
            raise InvalidRequest(f"task: model {asked.model!r} does {task.name}, no {wanted.name}")
    fields = {spec.field: spec.name for spec in task.inputs}
    known = (*task.input.parameter_names(), *fields, *fields.values())
    for field, names in (("parameters", asked.parameters), ("inputs", asked.inputs)):
        for name in names:
            if name not in known:
                raise InvalidRequest(
                    f"{field}.{name}: {task.name} has none of that name{meant(name, known)}"
                )
    _check_whole(asked, task)
    _check_values(asked.parameters, task)


def _check_whole(asked: RunAsked, task: Task) -> None:
    """Raise InvalidRequest where an input is missing that all rows share."""
    for spec in task.inputs:
        names = {spec.field, spec.name}
        is_given = names & {*asked.parameters, *asked.inputs}
        if spec.field not in task.input.ROWS and not spec.optional and not is_given:
            raise InvalidRequest(f"inputs.{spec.name}: {task.name} needs it, the same for all rows")


def _check_values(parameters: Mapping[str, Any], task: Task) -> None:
    """Raise InvalidRequest for a parameter's value that no row could be sent with."""
    row = task.example.input.rows()[0]
    names = {name for name in parameters if name in task.input.parameter_names()}
    try:
        task.input(
            **{field: getattr(row, field) for field in task.input.ROWS},
            **{name: parameters[name] for name in names},
        )
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False, include_context=False):
            if fault["loc"] and fault["loc"][0] in names:
                place = ".".join(str(part) for part in fault["loc"])
                said = fault["msg"].removeprefix("Value error, ")
                raise InvalidRequest(f"parameters.{place}: {said}") from None


def _check_format(name: str, task: Task) -> None:
    if not name:
        return
    fit = [found.name for found in formats_of(task)]
    if name not in BY_NAME:
        hint = meant(name, BY_NAME) or f"; {task.name} has {', '.join(fit)}"
        raise InvalidRequest(f"format: unknown {name!r}{hint}")
    if name not in fit:
        raise InvalidRequest(
            f"format: {name!r} cannot hold what {task.name} answers; use {', '.join(fit)}"
        )


def _check_place(field: str, spec: str, places: AllowedPlaces) -> None:
    """Raise InvalidRequest for a source or an out that a client may not name."""
    if field == "source" and spec.startswith(SCHEME):
        return  # whose it is is looked at when it is held
    if has_password(spec):
        raise InvalidRequest(
            f"{field}: its URL holds a password, which a run's record would show: leave it out, and"
            " let the environment of run workers name it"
        )
    path = plain(spec.removeprefix("@"))
    if not _URL.match(path) and not path.startswith("/"):
        raise InvalidRequest(
            f"{field}: {spec[:200]!r} is seen from a folder that the fleet does not know: name a "
            "whole path or URL, or send an upload"
        )
    if not places.allow(path):
        instead = "send an upload" if field == "source" else "leave it out: the store keeps it then"
        raise InvalidRequest(
            f"{field}: {spec[:200]!r} is in no place of runs (WHERRY_RUN_PLACES: {places}); "
            f"{instead}"
        )
    if field == "out" and path[:8].lower().startswith(("http://", "https://")):
        raise InvalidRequest("out: a web server takes no files: name a bucket, or a path")
    if field == "out" and not places.has_room_beside(path):
        raise InvalidRequest(
            f"out: {spec[:200]!r} has no name of its own in a place: name a file or folder in it, "
            "for a report comes to lie beside"
        )


def _whole_out(out: str) -> str:
    """An output's place in the one spelling by which two runs would meet."""
    return plain(out).rstrip("/") if out else ""
