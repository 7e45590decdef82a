"""The API key of every call, from its metadata: `authorization` as HTTP has it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from ....protocol.errors import WherryError
from ...access.book import KeyBook
from ...access.caller import Scope, caller
from ...http.access_guard import token_of
from ..keda.messages import SERVICE as KEDA
from .errors import Context, code_of
from .handlers import Handler, kind_of

#: For whoever watches the server and has no key.
_OPEN = {"ServerLive", "ServerReady"}

#: A service that looks for the key itself: KEDA sends it in the message.
_OWN_KEY = f"/{KEDA}"

#: What the calls need that are not named: a key, whichever.
_NEEDED = {
    "ModelInfer": Scope.SUBMIT,
    "ModelStreamInfer": Scope.SUBMIT,
    "ModelStatistics": Scope.ADMIN,
    "RepositoryModelLoad": Scope.ADMIN,
    "RepositoryModelUnload": Scope.ADMIN,
}


class AccessInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc] # grpc ships no types
    """Lets in whoever has the key for it, and sets the caller for what follows."""

    def __init__(self, keys: KeyBook) -> None:
        self._keys = keys

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Answer with the call's own handler, or with one that refuses."""
        handler = await continuation(handler_call_details)
        service, _, name = handler_call_details.method.rpartition("/")
        if handler is None or name in _OPEN or service == _OWN_KEY:
            return handler
        try:
            who = self._keys.caller(token_of(handler_call_details.invocation_metadata or ()))
            who.require(_NEEDED.get(name))
        except WherryError as error:
            return _refusal(handler, error)
        caller.set(who)  # a call is a task of its own, which ends with it
        return handler


def _refusal(handler: Handler, error: WherryError) -> Handler:
    async def refuse(_: Any, context: Context) -> None:
        await context.abort(code_of(error), error.message)

    make, _ = kind_of(handler)
    return make(refuse)
