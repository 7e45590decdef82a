"""A server that answers the calls which huggingface_hub makes of a Hub, with real files.

Only what is asked of data sets: their commits, their lists of files by pages, and the files, whole
or by ranges. Errors are told as the Hub tells them, by `X-Error-Code`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

#: Files of a page of a list.
_PAGE = 5


@dataclass
class HubDataset:
    """A data set of a hub: its commits, and what their branches are called."""

    token: str = ""
    gated: bool = False
    commits: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Mapping[str, bytes], branch: str = "main") -> str:
        """Put these files on a branch, in place of what it had; answers the commit."""
        told = json.dumps([[name, hashlib.sha1(data).hexdigest()] for name, data in files.items()])
        sha = hashlib.sha1(f"{len(self.commits)} {told}".encode()).hexdigest()
        self.commits[sha] = dict(files)
        self.branches[branch] = sha
        return sha

    def at(self, revision: str) -> str:
        """The commit of a revision; "" for none."""
        return self.branches.get(revision, revision if revision in self.commits else "")


class Hub:
    """A hub on a port of this machine."""

    def __init__(self) -> None:
        self.datasets: dict[str, HubDataset] = {}
        #: Methods and paths that were asked for.
        self.asked: list[str] = []
        self.bytes_sent = 0
        #: Statuses that the next requests get, whatever they ask.
        self.failures: list[int] = []
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self})
        )
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is to be."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def dataset(self, id_: str, files: Mapping[str, bytes], **options: Any) -> HubDataset:
        """A new data set with one commit."""
        made = self.datasets[id_] = HubDataset(**options)
        made.commit(files)
        return made

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


_INFO = re.compile(r"/api/datasets/(?P<id>[^/]+/[^/]+)(?:/revision/(?P<revision>[^/]+))?")
_TREE = re.compile(r"/api/datasets/(?P<id>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)(?:/(?P<path>.*))?")
_PATHS = re.compile(r"/api/datasets/(?P<id>[^/]+/[^/]+)/paths-info/(?P<revision>[^/]+)")
_FILE = re.compile(r"/datasets/(?P<id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        self.hub.asked.append(f"{self.command} {self.path}")
        if self.hub.failures:
            self._send(self.hub.failures.pop(0), b"")
            return
        for pattern, answer in (
            (_TREE, self._tree),
            (_PATHS, self._paths),
            (_INFO, self._info),
            (_FILE, self._file),
        ):
            if found := pattern.fullmatch(url.path):
                self._of(found, answer, url.query)
                return
        self._send(404, b"")

    def _of(self, found: re.Match[str], answer: Any, query: str) -> None:
        dataset = self.hub.datasets.get(found["id"])
        who = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if dataset is None or (dataset.token and not dataset.gated and who != dataset.token):
            self._send(401, b"", {"X-Error-Code": "RepoNotFound"})
            return
        if dataset.gated and who != dataset.token and pattern_is_file(found):
            self._send(403, b"", {"X-Error-Code": "GatedRepo"})
            return
        sha = dataset.at(unquote(found["revision"] or "main"))
        if not sha:
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
            return
        answer(found, dataset.commits[sha], sha, parse_qs(query))

    def _info(self, found: re.Match[str], files: Any, sha: str, _: Any) -> None:
        told: dict[str, Any] = {"id": found["id"], "sha": sha, "private": False, "tags": []}
        self._json({**told, "siblings": [{"rfilename": name} for name in files]})

    def _tree(self, found: re.Match[str], files: Any, _: str, query: Any) -> None:
        folder = unquote(found["path"] or "").strip("/")
        below = f"{folder}/" if folder else ""
        entries = {name: _entry(name, data) for name, data in files.items()}
        for name in files:
            parts = name.split("/")[:-1]
            for end in range(1, len(parts) + 1):
                path = "/".join(parts[:end])
                entries[path] = {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
        inside = [e for name, e in sorted(entries.items()) if name.startswith(below)]
        if query.get("recursive", ["false"])[0].lower() != "true":
            inside = [e for e in inside if "/" not in e["path"][len(below) :]]
        start = int(query.get("cursor", ["0"])[0])
        more = {}
        if len(inside) > start + _PAGE:
            asked = urlsplit(self.path)
            kept = "&".join(p for p in asked.query.split("&") if not p.startswith("cursor"))
            link = f"{self.hub.url}{asked.path}?{kept}&cursor={start + _PAGE}"
            more = {"Link": f'<{link}>; rel="next"'}
        self._json(inside[start : start + _PAGE], more)

    def _paths(self, _found: re.Match[str], files: Any, _: str, _query: Any) -> None:
        sent = self._body.decode()
        wanted = json.loads(sent)["paths"] if sent[:1] == "{" else parse_qs(sent)["paths"]
        self._json([_entry(name, files[name]) for name in wanted if name in files])

    def _file(self, found: re.Match[str], files: Any, sha: str, _: Any) -> None:
        data = files.get(unquote(found["path"]))
        if data is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha})
            return
        headers = {
            "ETag": f'"{hashlib.sha1(data).hexdigest()}"',
            "X-Repo-Commit": sha,
            "Accept-Ranges": "bytes",
        }
        status, asked = 200, re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            start, end = int(asked[1]), int(asked[2] or len(data) - 1)
            headers["Content-Range"] = f"bytes {start}-{min(end, len(data) - 1)}/{len(data)}"
            status, data = 206, data[start : end + 1]
        self._send(status, data, headers)

    def _json(self, document: object, headers: Mapping[str, str] = {}) -> None:
        told = {"Content-Type": "application/json", **headers}
        self._send(200, json.dumps(document).encode(), told)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.hub.bytes_sent += len(body)
            self.wfile.write(body)


def pattern_is_file(found: re.Match[str]) -> bool:
    """Whether a file itself was asked for: a gated data set shows its names to everybody."""
    return found.re is _FILE


def _entry(name: str, data: bytes) -> dict[str, Any]:
    oid = hashlib.sha1(data).hexdigest()
    return {"type": "file", "path": name, "oid": oid, "size": len(data)}
