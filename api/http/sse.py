"""Server-sent events: their framing, silence, errors and end, alike on every surface that streams.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ...protocol.errors import WherryError
from .errors import error_body
from .fast_route import HEAD_ONLY

#: What keeps a quiet stream open: proxies close those that say nothing.
_STILL_HERE = b": still here\n\n"


def event(data: object, *, kind: str = "", place: str = "") -> bytes:
    """One server-sent event."""
    named = f"event: {kind}\n" if kind else ""
    placed = f"id: {place}\n" if place else ""
    return b"%s%sdata: %s\n\n" % (placed.encode(), named.encode(), to_json(data))


class EventStream(StreamingResponse):
    """Server-sent events as they come; None among them is silence."""

    def __init__(
        self,
        events: AsyncIterator[bytes | None],
        *,
        error: Callable[[WherryError], object] = error_body,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        """Send an error that breaks them off as the last event; call `leave` when all is over."""
        super().__init__(
            _framed(events, error),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; to HEAD none of them."""
        try:
            if scope.get(HEAD_ONLY):
                await Response(media_type=self.media_type)(scope, receive, send)
                return
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


async def _framed(
    events: AsyncIterator[bytes | None], error: Callable[[WherryError], object]
) -> AsyncIterator[bytes]:
    try:
        async for one in events:
            yield _STILL_HERE if one is None else one
    except WherryError as broken_off:
        yield event(error(broken_off))
