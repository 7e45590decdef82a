"""Large bodies of runs: data sets on their way to the fleet, outputs on their way back."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

import httpx

from ..protocol.errors import InvalidRequest
from .errors import UsageError
from .flow import error_of, failed, reply_of

if TYPE_CHECKING:
    from .client import Client

#: Seconds without a byte after which a transfer is given up.
_TRANSFER_S = 120.0

#: Bytes read of a file at once.
_CHUNK_BYTES = 1 << 20

#: Archives that are sent as they are, and are folders to the fleet.
_ARCHIVES = {".zip": "application/zip", ".tar": "application/x-tar"}

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
    try:
        answer = httpx.post(
            f"{client.url}/v2/uploads{query}",
            content=body,
            headers={**client.headers, **headers},
            timeout=_TRANSFER_S,
        )
    except httpx.RequestError as error:
        raise error_of(failed(error)) from None
    reply = reply_of(answer)
    if reply.status >= 400:
        raise error_of(reply)
    document: dict[str, Any] = reply.json()
    return document


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


def fetch_output(
    client: Client,
    path: str,
    out: Path | None,
    format_name: str,
    overwrite: bool,  # handed on
) -> Path:
    """Write an output to its place, at once and whole. Raises UsageError for one that is taken."""
    if out is not None:
        _refuse_taken(out, overwrite=overwrite)
    url = f"{client.url}{path}" + (f"?format={quote(format_name)}" if format_name else "")
    try:
        while True:
            with httpx.stream(
                "GET", url, headers=client.headers, timeout=_TRANSFER_S, follow_redirects=True
            ) as answer:
                if answer.status_code >= 400:
                    answer.read()
                    raise error_of(reply_of(answer))
                if answer.status_code != 202:
                    return _write(answer, out, overwrite=overwrite)
            time.sleep(float(answer.headers.get("retry-after", "1")))
    except httpx.RequestError as error:
        raise error_of(failed(error)) from None


def _write(answer: httpx.Response, out: Path | None, *, overwrite: bool) -> Path:
    is_zip = answer.headers.get("content-type", "").startswith("application/zip")
    if out is None:
        named = _NAMED.search(answer.headers.get("content-disposition", ""))
        out = Path(Path(unquote(named[1])).name if named else "output")
        _refuse_taken(out, overwrite=overwrite)
    part = out.with_name(f".{out.name}.part")
    try:
        with part.open("wb") as file:
            for chunk in answer.iter_bytes():
                file.write(chunk)
        if is_zip and out.suffix.lower() != ".zip":
            _unpack(part, out)
        else:
            part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return out


def _unpack(archive: Path, out: Path) -> None:
    """Make a folder of an archive whose files lie in one folder."""
    half = out.with_name(f".{out.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(half)  # zipfile keeps all names below it
        [inner] = half.iterdir()
        if out.is_dir():
            shutil.rmtree(out)
        inner.replace(out)
    except (zipfile.BadZipFile, ValueError) as error:
        raise InvalidRequest(f"what was fetched cannot be unpacked: {error}") from None
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _refuse_taken(out: Path, *, overwrite: bool) -> None:
    if not out.absolute().parent.is_dir():
        raise UsageError(f"out: there is no folder {str(out.parent)!r}")
    if out.exists() and not overwrite:
        raise UsageError(f"out: {str(out)!r} is there; name another, or overwrite it")
