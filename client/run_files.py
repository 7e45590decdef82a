"""Large bodies of runs: data sets on their way to the fleet, outputs on their way back."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

import httpx

from ..protocol.errors import InvalidRequest
from ..tasks.annotations.formats import BY_NAME, FORMATS
from .errors import UsageError
from .transfers import fetched, send

if TYPE_CHECKING:
    from .client import Client
    from .run_views import RunView

#: Bytes read of a file at once.
_CHUNK_BYTES = 1 << 20

#: Archives that are sent as they are, and are folders to the fleet.
_ARCHIVES = {".zip": "application/zip", ".tar": "application/x-tar"}

#: Ends of a place that say a format, or that nobody means another by.
_MEANT = {found.suffix for found in FORMATS if found.suffix} | {".tsv", ".txt", ".arrow"}

_NAMED = re.compile(r"filename\*=UTF-8''([^;]+)", re.IGNORECASE)


def send_upload(client: Client, path: Path, name: str) -> dict[str, Any]:
    """Send a folder, an archive or a file; little of it is in memory. Raises UsageError."""
    kind = _ARCHIVES.get(path.suffix.lower()) if path.is_file() else None
    query = f"?{urlencode({'name': name or path.name})}" if kind else ""
    if kind:
        body, headers = _read(path), {"Content-Type": kind}
    else:
        boundary = secrets.token_hex(16)
        body = _form(_files(path), boundary, name or path.resolve().name)
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return send(client, f"/v2/uploads{query}", headers=headers, content=body)


def _files(path: Path) -> list[tuple[str, Path]]:
    """Files below a folder, with their names there; hidden ones are left out, as by sources."""
    if path.is_file():
        return [(path.name, path)]
    if not path.is_dir():
        raise UsageError(f"upload: there is no file or folder {str(path)!r}")
    found = []
    for folder, names, files in os.walk(path, followlinks=True):
        names[:] = sorted(name for name in names if not name.startswith("."))
        found += [Path(folder, name) for name in sorted(files) if not name.startswith(".")]
    if not found:
        raise UsageError(f"upload: {str(path)!r} has no file that is not hidden")
    return [(file.relative_to(path).as_posix(), file) for file in found]


def _form(files: list[tuple[str, Path]], boundary: str, name: str) -> Iterator[bytes]:
    """A form of files, one open at a time."""
    mark = f"--{boundary}\r\n".encode()
    yield mark + b'Content-Disposition: form-data; name="name"\r\n\r\n' + _quoted(name) + b"\r\n"
    for told, path in files:
        head = b'Content-Disposition: form-data; name="file"; filename="%s"\r\n' % _quoted(told)
        yield mark + head + b"Content-Type: application/octet-stream\r\n\r\n"
        yield from _read(path)
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _quoted(name: str) -> bytes:
    """A name as browsers write it into a form."""
    data = name.encode("utf-8", "surrogateescape")
    return data.replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A")


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def format_meant(client: Client, out: Path, run: RunView) -> str:
    """The format that a place ends in, "" for the run's own. Raises UsageError where none fits."""
    own = BY_NAME.get(run.format or FORMATS[0].name)
    suffix = {".ndjson": ".jsonl"}.get(out.suffix.lower(), out.suffix.lower())
    if own is None or suffix == own.suffix or suffix not in _MEANT:
        return ""
    fit = client.get(f"/v2/formats?task={quote(run.task)}")["formats"]
    for found in fit:
        if found["suffix"] == suffix:
            return str(found["name"])
    names = ", ".join(found["name"] for found in fit)
    raise UsageError(f"out {out.name!r}: no format that ends in {suffix} fits; use {names}")


def fetch_output(
    client: Client, path: str, out: Path | None, format_name: str, *, overwrite: bool
) -> Path:
    """Write an output to its place, at once and whole; what belongs beside it, beside it.

    Raises UsageError for a place that is taken.
    """
    if out is not None:
        _refuse_taken(out, overwrite=overwrite)
    path += f"?format={quote(format_name)}" if format_name else ""
    while True:
        with fetched(client, path) as answer:
            if answer.status_code != 202:
                return _write(answer, out, overwrite=overwrite)
        time.sleep(float(answer.headers.get("retry-after", "1")))


def _write(answer: httpx.Response, out: Path | None, *, overwrite: bool) -> Path:
    named = _NAMED.search(answer.headers.get("content-disposition", ""))
    name = Path(unquote(named[1])).name if named else "output"
    half = Path(
        tempfile.mkdtemp(prefix=".wherry-fetch-", dir=out.absolute().parent if out else ".")
    )
    try:
        fetched = half / (name or "output")
        with fetched.open("wb") as file:
            for chunk in answer.iter_bytes():
                file.write(chunk)
        if not answer.headers.get("content-type", "").startswith("application/zip"):
            return _place({fetched: out or Path(name)}, overwrite=overwrite)
        if out is not None and out.suffix.lower() == ".zip":
            return _place({fetched: out}, overwrite=overwrite)
        return _place(_unpacked(fetched, half, out), overwrite=overwrite)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _unpacked(archive: Path, half: Path, out: Path | None) -> dict[Path, Path]:
    """Where what is in an archive belongs: the output itself first, then what lies beside it."""
    try:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(half / "files")  # zipfile keeps all names below it
        [folder] = (half / "files").iterdir()
        main, *rest = sorted(folder.iterdir(), key=lambda path: len(path.name))
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise InvalidRequest(f"what was fetched cannot be unpacked: {error}") from None
    out = out or Path(archive.stem + main.suffix)
    # Of annotations.jsonl and annotations.jsonl.report.json the first is OUT.
    beside = {path: path.name.removeprefix(main.name) for path in rest}
    return {main: out} | {path: out.with_name(out.name + end) for path, end in beside.items()}


def _place(files: dict[Path, Path], *, overwrite: bool) -> Path:
    """Take files to their places; the first of them is the answer. Raises UsageError."""
    for path, place in files.items():
        _refuse_taken(place, overwrite=overwrite)
        _refuse_loss(path, place)
    for path, place in files.items():
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        path.replace(place)
    return next(iter(files.values()))


def _refuse_taken(out: Path, *, overwrite: bool) -> None:
    if out.name in ("", ".."):
        raise UsageError(f"out {str(out)!r}: name a file or folder of its own, as in ./labels")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"out: there is no folder {str(out.parent)!r}")
    if (out.exists() or out.is_symlink()) and not overwrite:
        raise UsageError(f"out: {str(out)!r} is there; name another, or overwrite it")


def _refuse_loss(path: Path, place: Path) -> None:
    """Raise UsageError for a place that holds more than what is to be there: that would be lost."""
    if not place.exists() or place.is_symlink():
        return
    if place.is_dir() != path.is_dir():
        found, kind = ("folder", "file") if place.is_dir() else ("file", "folder")
        raise UsageError(f"out: {str(place)!r} is a {found}, and a {kind} is to be there: move it")
    for folder, _, names in os.walk(place):
        for name in names:
            below = Path(folder, name).relative_to(place)
            if not os.path.lexists(path / below):
                raise UsageError(
                    f"out: {str(place)!r} holds {str(below)!r}, which this output does not: name "
                    "another, or move it"
                )
