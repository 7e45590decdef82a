"""Counts calls by method and by the status that each ended with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from ....telemetry.api_metrics import UNMATCHED, grpc_called
from .errors import Context
from .handlers import Answers, Handler, around, status_of


class CountingInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc] # grpc ships no types
    """Stands before all others, so that refused calls count too."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Answer with the call's own handler, which is counted when it has ended."""
        handler = await continuation(handler_call_details)
        if handler is None:
            grpc_called(UNMATCHED, grpc.StatusCode.UNIMPLEMENTED.name)
            return None
        method = handler_call_details.method.rpartition("/")[2]
        return around(handler, lambda answers: _counted(method, answers))


def _counted(method: str, answers: Answers) -> Answers:
    async def counted(request: Any, context: Context) -> Any:
        try:
            answer = await answers(request, context)
        except BaseException as error:
            grpc_called(method, status_of(context, error))
            raise
        grpc_called(method, status_of(context, None))
        return answer

    return counted
