"""What a request says of its job besides its body."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from ..access.caller import EVERYONE, Caller, caller
from ..http.ids import idempotency_key

#: The header that asks for a webhook, on every surface.
_WEBHOOK_HEADER = "wherry-webhook"


@dataclass(frozen=True, slots=True)
class Envelope:
    """Whose the job is, and how it is to be known and told of."""

    caller: Caller = EVERYONE
    #: URL to call at the job's end, if its parameters name none; "" for none.
    webhook: str = ""
    #: Makes a repeated submit the same job, as Redis has it; "" for none.
    idempotency_key: str = ""

    @classmethod
    def of(cls, request: Request, *, repeatable: bool = False) -> Envelope:
        """An HTTP request's; `repeatable` heeds its Idempotency-Key. Raises InvalidRequest."""
        webhook = request.headers.get(_WEBHOOK_HEADER, "")
        return cls(caller.get(), webhook, idempotency_key(request) if repeatable else "")
