"""`Client.runs`: data sets that the fleet annotates by itself. See docs/runs.md."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ..protocol.errors import DeadlineExceeded
from .errors import UsageError
from .operations import POLL_EVERY_S, POLL_S
from .run_files import fetch_output, format_meant, send_upload
from .run_views import RunView

if TYPE_CHECKING:
    from .client import Client

#: What only a command that stays can do.
_STAYING = ("retry_errors", "report")

#: How a source or an output begins that is no path of this machine.
_ELSEWHERE = ("upload:", "@")

#: A data base on this machine.
_SQLITE = "sqlite:///"


class Runs:
    """The runs of a fleet, each by its id."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def start(
        self,
        source: str | Path,
        *,
        model: str,
        out: str | Path = "",
        **options: Any,  # what POST /v2/runs takes
    ) -> RunView:
        """Start a run, and leave it to the fleet; without `out` its output is kept there.

        The options are those of `POST /v2/runs`. Raises InvalidRequest that names what is wrong.
        """
        asked = {name: value for name, value in options.items() if value is not None}
        document = {"source": _whole(source), "model": model, "out": _whole(out), **asked}
        return RunView.model_validate(self._client.post("/v2/runs", document))

    def get(self, run_id: str) -> RunView:
        """A run as it stands. Raises NotFound."""
        return RunView.model_validate(self._client.get(run_path(run_id)))

    def list(self, state: str = "", limit: int = 50) -> list[RunView]:
        """Runs, newest first."""
        found: list[RunView] = []
        after: str | None = ""
        while after is not None and len(found) < limit:
            query = {"state": state, "limit": min(limit - len(found), 1000), "after": after}
            page = self._client.get(f"/v2/runs?{_query(query)}")
            found += map(RunView.model_validate, page["runs"])
            after = page["after"]
        return found

    def wait(
        self,
        run_id: str,
        timeout_s: float | None = None,
        observer: Callable[[RunView], None] = lambda _: None,
    ) -> RunView:
        """A run at its end, or held after its sample; `observer` is told how it stands meanwhile.

        Raises DeadlineExceeded; the run goes on.
        """
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        poll_s = 0.0  # how it stands is told at once
        while True:
            asked_at = time.monotonic()
            wait_s = round(max(0.0, min(poll_s, deadline - asked_at)), 3)
            run = RunView.model_validate(self._client.get(f"{run_path(run_id)}?wait={wait_s}"))
            observer(run)
            if run.done or run.held:
                return run
            if time.monotonic() >= deadline:
                raise DeadlineExceeded(f"run {run_id!r} is still {run.state}; it goes on")
            if poll_s:
                time.sleep(max(0.0, asked_at + POLL_EVERY_S - time.monotonic()))
            poll_s = POLL_S

    def pause(self, run_id: str) -> RunView:
        """Answer no more rows for now."""
        return self._command(run_id, "pause")

    def resume(self, run_id: str) -> RunView:
        """Let a run go on that was paused, or that is held after its sample."""
        return self._command(run_id, "resume")

    def cancel(self, run_id: str) -> RunView:
        """End a run."""
        return self._command(run_id, "cancel")

    def finish(self, run_id: str) -> RunView:
        """Have a run that follows its source take no more, and end once all is answered."""
        return self._command(run_id, "finish")

    def retry(self, run_id: str) -> RunView:
        """Let a run go on from what it has that failed, was canceled or expired."""
        return self._command(run_id, "retry")

    def clone(self, run_id: str, **options: Any) -> RunView:
        """Start a run again, but for what the options say otherwise."""
        document = self._client.post(f"{run_path(run_id)}/clone", options)
        return RunView.model_validate(document)

    def forget(self, run_id: str) -> None:
        """Let a run go that has ended, with its output in the fleet's store."""
        self._client.delete(run_path(run_id))

    def rows(self, run_id: str, **wanted: Any) -> Iterator[dict[str, Any]]:
        """Rows of finished shards: `failed`, `label`, `min_score`, `max_score`, `order`."""
        after: str | None = ""
        while after is not None:
            query = _query({**wanted, "after": after, "limit": 1000})
            page = self._client.get(f"{run_path(run_id)}/rows?{query}")
            yield from page["rows"]
            after = page["after"]

    def compare(
        self, run_id: str, other: str, *, label: str = "", limit: int = 100
    ) -> dict[str, Any]:
        """Two runs over the same rows: how far they agree, and the rows where they do least."""
        query = _query({"with": other, "label": label, "limit": limit})
        return self._client.get(f"{run_path(run_id)}/compare?{query}")

    def fetch(
        self,
        run_id: str,
        out: str | Path = "",
        *,
        format: str = "",  # noqa: A002 # what the command calls it
        overwrite: bool = False,
    ) -> Path:
        """Write a finished run's output to `out`, and its report beside it, as `annotate` does.

        The format is the one that `out` ends in, else the run's. Where `out` ends in `.zip`, all of
        it is in that. Without `out` it is called as the run is, in the working folder. It is made
        anew of the answers where the run wrote it to a place of its own, and where the run ended
        otherwise once all its rows were answered; else its error is raised.
        """
        run = self.get(run_id)
        failure = run.failure()
        # What a followed run has answered is there, however it ended.
        if failure is not None and not (run.follow or run.is_answered):
            raise failure
        path = f"{run_path(run_id)}/output"
        place = Path(out) if out else None
        if place and not format:
            format = format_meant(self._client, place, run)  # noqa: A001 # what the command calls it
        is_elsewhere = bool(place and run.output and run.output["place"])
        if not format and (is_elsewhere or (failure is not None and not run.follow)):
            format = run.format  # noqa: A001 # what the command calls it
        return fetch_output(self._client, path, place, format, overwrite=overwrite)

    def quality(self, run_id: str) -> dict[str, Any]:
        """What finished shards tell: drift along the source, why rows failed, look-alikes."""
        return self._client.get(f"{run_path(run_id)}/quality")

    def report(self, run_id: str, out: str | Path = "", *, overwrite: bool = False) -> Path:
        """Write the page about a run to `out`: at its end, or of a held run's sample."""
        place = Path(out) if out else None
        path = f"{run_path(run_id)}/report"
        return fetch_output(self._client, path, place, "", overwrite=overwrite)

    def pick(
        self,
        run_id: str,
        out: str | Path = "",
        *,
        least_sure: int = 200,
        by_label: bool = False,
        format: str = "label-studio",  # noqa: A002 # what the command calls it
        media_prefix: str = "",
        overwrite: bool = False,
    ) -> Path:
        """Write the rows of which the model is least sure to `out`, for people to correct.

        With `by_label` they are taken in turns, one of each first label.
        """
        wanted = {"least_sure": least_sure, "by_label": by_label or None, "format": format}
        query = _query({**wanted, "media_prefix": media_prefix})
        path = f"{run_path(run_id)}/pick?{query}"
        place = Path(out) if out else None
        return fetch_output(self._client, path, place, "", overwrite=overwrite)

    def upload(self, path: str | Path, name: str = "") -> dict[str, Any]:
        """Send a folder, an archive or a file to the fleet; `source` of the answer names it."""
        return send_upload(self._client, Path(path), name)

    def _command(self, run_id: str, word: str) -> RunView:
        document = self._client.post(f"{run_path(run_id)}/{word}", {})
        return RunView.model_validate(document)


def run_path(run_id: str) -> str:
    """Where a run is, as a path of the API. Raises UsageError for what is no id."""
    if run_id in ("", ".", ".."):  # a URL would take these for another path
        raise UsageError(f"run {run_id!r}: name one by its id")
    return f"/v2/runs/{quote(run_id, safe='')}"


def detached(options: Mapping[str, Any]) -> dict[str, Any]:
    """`Client.annotate`'s options as a run takes them. Raises UsageError for what it has not."""
    asked = dict(options)
    for name in _STAYING:
        if asked.pop(name, None) not in (None, True):
            raise UsageError(f"{name}: a detached run has none")
    columns = asked.get("columns")
    if columns is not None and not isinstance(columns, Mapping):
        # Its other fields are what the model turns out to have: run workers look themselves.
        asked["columns"] = {"id": columns.id, "fields": dict(columns.fields)}
    return asked


def _query(wanted: Mapping[str, Any]) -> str:
    named = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in wanted.items()
        if value not in (None, "")
    }
    return urlencode(named)


def _whole(place: str | Path) -> str:
    """A place as the fleet is to read it: this machine's paths seen from its root."""
    text = str(place)
    if text.lower().startswith(_SQLITE):
        path = text[len(_SQLITE) :]
        return _SQLITE + os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 # as below
    if not text or "://" in text or text.startswith(_ELSEWHERE[0]):
        return text
    mark = "@" if text.startswith(_ELSEWHERE[1]) and not Path(text).exists() else ""
    path = os.path.abspath(os.path.expanduser(text.removeprefix(mark)))  # noqa: PTH100, PTH111 # globs stay
    slash = "/" if text.endswith("/") and not path.endswith("/") else ""
    return f"{mark}{path}{slash}"
