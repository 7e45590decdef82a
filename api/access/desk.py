"""The desk where keys are handed out: what `wherry keys` does."""

from __future__ import annotations

import json
import os
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from ...jobs import JobsSettings, Queue, redis_url
from ...jobs.access_keys import all_keys, forget_key, put_key
from ...jobs.settings import SettingsError, from_environment
from ...protocol.errors import InvalidRequest, NotFound, Unavailable
from ...protocol.v2 import describe
from .keys import ApiKey, Made, make, toml_entry

_out, _err = Console(), Console(stderr=True)

#: Seconds after which every API knows a new key: they look once a second. The next command of a
#: script may use it at once.
_KNOWN_S = 1.5


def create(fields: dict[str, Any], file: Path | None, *, hash_only: bool, as_json: bool) -> None:
    """Make a key, keep its digest, print it. Raises InvalidRequest."""
    try:
        made = make(**fields)
    except ValidationError as error:
        raise InvalidRequest(describe(error)) from None
    if not hash_only:
        _keep(made.key, file)
    _print_made(made, entry=hash_only, as_json=as_json)
    if not hash_only:
        sys.stdout.flush()
        time.sleep(_KNOWN_S)


def _keep(key: ApiKey, file: Path | None) -> None:
    if file is None:
        with _queue() as (queue, settings):
            queue.run(put_key(key.id, key.json_text(), settings))
        return
    _check_file(file)
    # Digests are no secrets, but who has which limits is nobody's business.
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as out:
        out.write(("\n" if out.tell() else "") + toml_entry(key))


def _check_file(file: Path) -> None:
    """Refuse to add to what is no file of keys. Raises InvalidRequest."""
    if not file.absolute().parent.is_dir():
        raise InvalidRequest(f"there is no folder {str(file.parent)!r}")
    try:
        held = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except ValueError as error:
        raise InvalidRequest(f"{file} is no file of keys: {error}") from None
    if held.keys() - {"keys"}:
        raise InvalidRequest(f"{file} is no file of keys: it holds {', '.join(map(repr, held))}")


def _print_made(made: Made, *, entry: bool, as_json: bool) -> None:
    if as_json:
        _print_json({"key": made.token, **_view(made.key), "hash": made.key.hash})
    elif entry:
        sys.stdout.write(toml_entry(made.key))
        sys.stderr.write(f"{made.token}\n")
    else:
        sys.stdout.write(f"{made.token}\n")
        _err.print("This is the only time that the key is shown.", highlight=False)


def show(*, as_json: bool) -> None:
    """Print the keys in Redis."""
    with _queue() as (queue, settings):
        raw = queue.run(all_keys(settings))
        found = [ApiKey.model_validate_json(text) for text in raw.values()]
    found.sort(key=lambda key: (key.tenant, key.created_at or datetime.min.replace(tzinfo=UTC)))
    if as_json:
        for key in found:
            _print_json(_view(key))
        return
    if not found:
        _out.print("no keys in Redis")
        return
    lines = [("id", "tenant", "scopes", "weight", "limits", "expires", "note"), *map(_line, found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for (
        line
    ) in lines:  # whole at any width: what is longer than a terminal goes on in its next line
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _line(key: ApiKey) -> tuple[str, ...]:
    limits = key.model_dump(
        include={"max_waiting", "max_waiting_bytes", "submits_per_s"}, exclude_defaults=True
    )
    return (
        key.id,
        key.tenant,
        ", ".join(key.scopes),
        f"{key.weight:g}",
        ", ".join(f"{name} {value:.15g}" for name, value in limits.items()),
        f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "",
        " ".join(key.note.split()),
    )


def revoke(ids: Sequence[str]) -> None:
    """Forget keys. Raises NotFound."""
    with _queue() as (queue, settings):
        for key_id in ids:
            if not queue.run(forget_key(key_id, settings)):
                raise NotFound(f"no key {key_id[:12]!r} in Redis")


def _view(key: ApiKey) -> dict[str, Any]:
    return key.model_dump(mode="json", exclude={"hash"}, exclude_none=True)


@contextmanager
def _queue() -> Iterator[tuple[Queue, JobsSettings]]:
    try:
        settings = from_environment(JobsSettings)
    except SettingsError as error:
        raise InvalidRequest(str(error)) from None
    queue = Queue(settings.redis_url)
    try:
        yield queue, settings
    except Unavailable as error:
        raise Unavailable(redis_url.explain(error, settings.redis_url)) from error
    finally:
        queue.close()


def _print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
