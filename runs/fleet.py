"""The fleet's API as a run worker calls it: in the name of whose run it is, until told to stop."""

from __future__ import annotations

from ..client.client import Client
from ..client.flow import HttpResponse, Pause, Step
from ..telemetry.trace_context import TraceContext
from .hold import StepHold

#: Seconds that an API which is away is waited for.
_PATIENCE_S = 120.0

#: Seconds that it waits for answers at a time: as long it may take until a pause is heeded.
_POLL_S = 2.0

#: What stands for a key where a run has none: a server without keys takes anything, any other
#: refuses it. A key that this process has for itself is not for runs.
_NO_KEY = "none"


class RunClient(Client):
    """A client that leaves off, between two calls, when its step is to be left."""

    _poll_s = _POLL_S

    def __init__(self, url: str, hold: StepHold, trace: TraceContext | None = None) -> None:
        key = hold.step.token or _NO_KEY
        super().__init__(url, api_key=key, timeout_s=60, patience_s=_PATIENCE_S)
        self._hold = hold
        if trace is not None:
            self._linked = (trace,)
        self._reply, self._waits = HttpResponse(200), False

    def _do(self, step: Step) -> HttpResponse:
        """Also tells the hold what the server that has to be asked again says, until it goes on."""
        self._hold.check()
        if isinstance(step, Pause):
            if step.because:
                self._hold.waits_for = f"the API: {step.because}"
                # Where it took the call, and refused each job, rows tell that it goes on.
                self._waits = not 0 < self._reply.status < 400
            return super()._do(step)
        self._reply = super()._do(step)
        if self._waits and 0 < self._reply.status < 400:
            self._hold.waits_for, self._waits = "", False
        return self._reply
