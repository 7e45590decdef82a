"""The API page, self-contained: a machine without the internet shows it too."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--accent:#0b7285}
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{margin:0}h2{margin:2rem 0 .5rem}code,pre{font:14px/1.45 ui-monospace,monospace}
details{border:1px solid var(--line);border-radius:.5rem;margin:.4rem 0;padding:.5rem .8rem}
summary{cursor:pointer;display:flex;gap:.8rem;align-items:baseline;flex-wrap:wrap}
.verb{font-weight:700;color:var(--accent);min-width:3.2rem}.what{opacity:.75}
pre{background:var(--soft);padding:.8rem;border-radius:.4rem;overflow:auto;max-height:24rem}
"""


def from_browser(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a request is one that a person types: it wants a page, and says so."""
    return any(name == b"accept" and b"text/html" in value for name, value in headers)


@router.get("/docs")
async def page(request: Request) -> HTMLResponse:
    """Every call with what it does and example bodies."""
    schema = request.app.openapi()
    groups: dict[str, list[str]] = {}
    # The path that most people want, without a version, before its longer sister.
    for path, calls in sorted(schema["paths"].items(), key=lambda entry: "{version}" in entry[0]):
        for verb, call in calls.items():
            name = (call.get("tags") or ["other"])[0]
            groups.setdefault(name, []).append(_call(verb, path, call))
    sections = "".join(
        f"<h2>{html.escape(name.title())}</h2>{''.join(calls)}" for name, calls in groups.items()
    )
    return HTMLResponse(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Wherry API</title>"
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style>"
        f"<h1>Wherry</h1><p>Open Inference Protocol v2 in, polled results out. "
        f"Version {html.escape(schema['info']['version'])} &middot; "
        f"<a href='/openapi.json'>openapi.json</a> &middot; <a href='/v2/queues'>queues</a></p>"
        f"{sections}</html>"
    )


def _call(verb: str, path: str, call: dict[str, Any]) -> str:
    examples = (call.get("requestBody", {}).get("content", {}).get("application/json", {})).get(
        "examples", {}
    )
    bodies = "".join(
        f"<p>{html.escape(name)}</p><pre>{html.escape(_curl(verb, path, name, example['value']))}"
        "</pre>"
        for name, example in examples.items()
    )
    return (
        f"<details><summary><span class=verb>{verb.upper()}</span><code>{html.escape(path)}</code>"
        f"<span class=what>{_prose(call.get('description', '').splitlines()[0])}</span>"
        f"</summary>{bodies or '<p>No body.</p>'}</details>"
    )


def _prose(text: str) -> str:
    """A docstring's line, its backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _curl(verb: str, path: str, name: str, body: Any) -> str:
    target = path.replace("{model}", name).replace("{version}", "1")
    text = json.dumps(body, indent=2).replace("'", "'\\''")
    return f"curl -X {verb.upper()} $WHERRY_URL{target} -d '{text}'"
