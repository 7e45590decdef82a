"""Files of a web server on this machine, by ranges or as a whole."""

from __future__ import annotations

import re
from http.server import BaseHTTPRequestHandler

from .receiver import Answer


def ranged(body: bytes, tag: str = '"one"') -> Answer:
    """A file that is served by ranges."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("range", ""))
        part = body
        if found and int(found[1]) >= len(body):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(body)}")
            part = b""
        elif found:
            first, last = int(found[1]), min(int(found[2]), len(body) - 1)
            part = body[first : last + 1]
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
        else:
            handler.send_response(200)
        handler.send_header("ETag", tag)
        handler.send_header("Content-Length", str(len(part)))
        handler.end_headers()
        handler.wfile.write(part)

    return answer
