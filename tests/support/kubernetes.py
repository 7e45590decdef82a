"""A small Kubernetes API over HTTPS: it keeps pods, and patches them as RFC 7386 says."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trustme

TOKEN = "a service account's token"  # made up
POD = "wherry-vision-7d9f-x2x"


def merge_patched(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patched(merged.get(name), value)
    return merged


class Kubernetes:
    """One namespace's pods, for whoever has the token and trusts the certificate."""

    def __init__(self, folder: Path) -> None:
        self.pods: dict[str, Any] = {
            POD: {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": POD, "annotations": {"kept": "by all"}},
                "spec": {"containers": [{"name": "worker", "image": "wherry"}]},
            }
        }
        #: What it answers instead, while it is set.
        self.refuses_with = 0
        self.patches: list[Any] = []
        self.credentials = folder / "serviceaccount"
        self.credentials.mkdir()
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.credentials / "ca.crt")
        (self.credentials / "namespace").write_text("fleet")
        (self.credentials / "token").write_text(TOKEN + "\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.02))
        self._thread.start()

    @property
    def environment(self) -> dict[str, str]:
        """What Kubernetes tells each pod."""
        port = self._server.server_address[1]
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}

    def annotations(self) -> dict[str, str]:
        found: dict[str, str] = self.pods[POD]["metadata"]["annotations"]
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, headers: Any, body: bytes) -> int:
        if self.refuses_with:
            return self.refuses_with
        if headers["Authorization"] != f"Bearer {TOKEN}":
            return 401
        if headers["Content-Type"] != "application/merge-patch+json":
            return 415
        name = urlsplit(path).path.removeprefix("/api/v1/namespaces/fleet/pods/")
        if name not in self.pods:
            return 404
        patch = json.loads(body)
        self.patches.append(patch)
        self.pods[name] = merge_patched(self.pods[name], patch)
        return 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_PATCH(self) -> None:  # the library's name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(answer(self.path, self.headers, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler
