"""Leaving: the server still answers, says that it is not ready, and lets its clients go.

A balancer sends new requests for as long as it has not seen that; so the server goes on for some
time after it is told to end. Who waits for something that lasts is answered early, and asks again
elsewhere; connections are closed behind each answer.
"""

from __future__ import annotations

from collections.abc import Callable


class Draining:
    """Whether this process leaves."""

    def __init__(self) -> None:
        self.on = False
        #: Seconds between the signal to end and the end of listening.
        self.delay_s = 0.0
        self._then: list[Callable[[], object]] = []

    def then(self, call: Callable[[], object]) -> Callable[[], None]:
        """Call something once it begins; what is answered takes that back."""
        self._then.append(call)
        return lambda: self._then.remove(call)

    def begin(self) -> None:
        """Leave. Call it on the event loop."""
        if not self.on:
            self.on = True
            for call in self._then:
                call()


#: This process's.
draining = Draining()
