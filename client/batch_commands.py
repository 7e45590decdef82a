"""`wherry batch submit | status | list | cancel | result`.

Exit status 0: all went well; 1: something failed, lines of a batch included; 2: the command was not
understood.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import IO, Annotated, Any
from urllib.parse import quote, urlencode

import typer
from pydantic_core import from_json
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .client import Client
from .terminal import AsJson, OutFile, Url, connected, print_error, print_json, show, stderr, stdout
from .transfers import fetched, send

BatchId = Annotated[str, typer.Argument(help="A batch's id.")]

#: Seconds between two looks at a batch, and that a server which is away is waited for.
_LOOK_S, _PATIENCE_S = 1.0, 60.0

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

#: Longest time that a server lets a batch or a file have.
_MOST_S = 30 * 86_400

_ENDS = ("failed", "completed", "expired", "cancelled")
_COLOURS = {"completed": "green", "failed": "red", "expired": "red", "cancelled": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    batch = typer.Typer(no_args_is_help=True)
    for name, command in (
        ("submit", submit),
        ("status", status),
        ("list", list_batches),
        ("cancel", cancel),
        ("result", result),
    ):
        batch.command(name)(command)
    app.add_typer(batch, name="batch", help="Files of requests, answered on the server.")


def submit(
    file: Annotated[Path, typer.Argument(help="A request a line.", exists=True, dir_okay=False)],
    endpoint: Annotated[
        str, typer.Option(help="The path that every line asks; default: the first line's.")
    ] = "",
    window: Annotated[str, typer.Option(help="Time until it must be done: 24h, 90m, 7d.")] = "24h",
    keep: Annotated[
        str, typer.Option(help="Time that file and answers stay: 1h to 30d; default: the server's.")
    ] = "",
    meta: Annotated[
        list[str] | None, typer.Option(help="Something to note, name=value; may be repeated.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is done.")] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Send a file of requests, and have its lines answered."""
    _seconds("--window", window, 1)
    if endpoint and not endpoint.startswith("/"):
        raise typer.BadParameter(f"--endpoint {endpoint!r}: expected a path, as /v1/embeddings")
    asked: dict[str, Any] = {
        "endpoint": endpoint or _first_url(file),
        "completion_window": window,
        "metadata": dict(_pair(text) for text in meta) if meta else None,
    }
    stays: dict[str, Any] = (
        {"anchor": "created_at", "seconds": _seconds("--keep", keep, 3600)} if keep else {}
    )
    if stays:
        asked["output_expires_after"] = stays
    with connected(url, _PATIENCE_S) as client:
        sent = _upload(client, file, {f"expires_after[{name}]": v for name, v in stays.items()})
        batch = client.post("/v1/batches", {"input_file_id": sent["id"], **asked})
        if wait:
            batch = _wait(client, batch, visible=not as_json)
    _show([batch], as_json=as_json)
    if wait:
        raise typer.Exit(_exit(batch))


def status(
    id: BatchId,  # noqa: A002 # what people type
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is done.")] = False,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Show a batch as it stands."""
    with connected(url, _PATIENCE_S) as client:
        batch = client.get(_path(id))
        if wait:
            batch = _wait(client, batch, visible=not as_json)
    _show([batch], as_json=as_json)
    if wait:
        raise typer.Exit(_exit(batch))


def list_batches(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """List batches."""
    found: list[dict[str, Any]] = []
    with connected(url, _PATIENCE_S) as client:
        after, more = "", True
        while more and len(found) < limit:
            query = urlencode({"limit": min(100, limit - len(found)), "after": after})
            page = client.get(f"/v1/batches?{query}")
            found += page["data"]
            more, after = page["has_more"], page["last_id"] or ""
    _show(found, as_json=as_json)


def cancel(
    id: BatchId,  # noqa: A002 # what people type
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """End a batch; what was answered stays."""
    with connected(url, _PATIENCE_S) as client:
        batch = client.post(f"{_path(id)}/cancel", {})
    _show([batch], as_json=as_json)


def result(
    id: BatchId,  # noqa: A002 # what people type
    out: Annotated[Path | None, OutFile(help="Write the answers here.")] = None,
    errors: Annotated[Path | None, OutFile(help="Write the lines that failed here.")] = None,
    url: Url = "",
) -> None:
    """Wait for a batch and fetch its answers, a line each; they go to standard output."""
    with connected(url, _PATIENCE_S) as client:
        batch = _wait(client, client.get(_path(id)), visible=out is not None)
        for name, path in (("output_file_id", out), ("error_file_id", errors)):
            if path is not None:
                part = path.with_name(path.name + ".part")
                with part.open("wb") as file:
                    _download(client, batch[name], file)
                part.replace(path)
            elif name == "output_file_id":
                _download(client, batch[name], sys.stdout.buffer)
    for error in _errors(batch):
        print_error(error)
    raise typer.Exit(_exit(batch))


def _path(batch_id: str) -> str:
    return f"/v1/batches/{quote(batch_id, safe='')}"


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"--meta {text}: expected name=value")
    return name, value


def _seconds(option: str, text: str, least: int) -> int:
    """A time as it is typed. Raises BadParameter for none, and for one over 30 days."""
    found = re.fullmatch(r"([0-9]{1,8})([smhd])", text)
    seconds = int(found[1]) * _UNIT_S[found[2]] if found else 0
    if not least <= seconds <= _MOST_S:
        floor = f"{least // 3600}h at least, " if least > 1 else ""
        raise typer.BadParameter(
            f"{option} {text}: expected a time as 12h or 7d, {floor}30d at most"
        )
    return seconds


def _first_url(file: Path) -> str:
    with file.open("rb") as lines:
        first = next((line for line in lines if line.strip()), b"")
    if not first:
        raise typer.BadParameter(f"{file} holds no line")
    try:
        asked = from_json(first)
    except ValueError as error:
        raise typer.BadParameter(f"{file}: its first line is not JSON: {error}") from None
    if not isinstance(asked, dict) or not isinstance(asked.get("url"), str):
        raise typer.BadParameter(f"{file}: its first line names no url; name --endpoint")
    return str(asked["url"])


def _upload(client: Client, path: Path, fields: dict[str, Any]) -> dict[str, Any]:
    """Send a file, of which little is in memory at a time."""
    with path.open("rb") as file:
        return send(
            client,
            "/v1/files",
            data={"purpose": "batch", **fields},
            files={"file": (path.name, file, "application/jsonl")},
        )


def _download(client: Client, file_id: str | None, out: IO[bytes]) -> None:
    """Fetch a file; a batch without one has nothing in it."""
    if file_id is None:
        return
    with fetched(client, f"/v1/files/{quote(file_id, safe='')}/content") as answer:
        for chunk in answer.iter_bytes():
            out.write(chunk)
    out.flush()


def _wait(client: Client, batch: dict[str, Any], *, visible: bool) -> dict[str, Any]:
    """A batch at its end; a bar shows its lines."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=stderr, disable=not visible) as progress:
        bar = progress.add_task(batch["status"], total=None)
        while batch["status"] not in _ENDS:
            time.sleep(_LOOK_S)
            batch = client.get(_path(batch["id"]))
            counts = batch["request_counts"]
            progress.update(
                bar,
                description=batch["status"],
                total=counts["total"] or None,
                completed=counts["completed"] + counts["failed"],
            )
    return batch


def _time(seconds: int | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds)) if seconds else ""


def _exit(batch: dict[str, Any]) -> int:
    good = batch["status"] == "completed" and not batch["request_counts"]["failed"]
    return 0 if good else 1


def _errors(batch: dict[str, Any]) -> list[str]:
    data = (batch["errors"] or {}).get("data", [])
    return [
        (f"line {error['line']}: " if error.get("line") else "") + str(error["message"])
        for error in data
    ]


def _show(batches: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        for batch in batches:
            print_json(batch)
        return
    if not batches:
        stdout.print("no batches")
        return
    # As narrow as can be: 80 columns hold it with an id of 38.
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for title in ("id", "status", "lines", "good", "failed", "kept until (UTC)"):
        table.add_column(title)
    for column in table.columns[:-1]:  # the last may have the time below the date
        column.no_wrap = True
    table.columns[0].min_width = max(len(batch["id"]) for batch in batches)
    table.columns[-1].min_width = len("2026-11-21")
    for batch in batches:
        counts, state = batch["request_counts"], str(batch["status"])
        named = f"[{_COLOURS.get(state, 'cyan')}]{state}[/]"
        numbers = [str(counts[name]) for name in ("total", "completed", "failed")]
        table.add_row(batch["id"], named, *numbers, _time(batch.get("output_expires_at")))
    show(table)
    for batch in batches:
        for error in _errors(batch):
            print_error(error)
