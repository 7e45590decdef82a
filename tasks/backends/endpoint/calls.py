"""The requests of one endpoint: how many at once, how fast, and again where no row is at fault."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ....protocol.errors import BackendError, RowError, WherryError
from ...base import TaskInput, TaskOutput
from ...text.tokens import Token
from ..base import NotAnsweredError
from .faults import AwayError, BrokenError, EndpointBusyError, EndpointFault
from .protocols.base import Hear, Protocol
from .rates import Limits
from .window import RequestWindow

log = logging.getLogger(__name__)

#: Seconds that a row waits here for a server that is away or busy, before its job goes back to the
#: queue; and the longest rest that a server may ask for while no job is claimed for it.
PATIENCE_S, _LONG_REST_S = 30.0, 5.0

#: Seconds between two tries: the first pause, and the longest.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0

#: The longest rest that a server's Retry-After is taken for.
_MOST_REST_S = 3600.0

#: Tries of one row whose answers break off or do not come in time.
_MOST_BROKEN = 4

#: Hears a row's token, by the row's place in its batch.
Tell = Callable[[int, Token], None]


@dataclass(slots=True)
class BatchCalls:
    """The calls of one batch."""

    #: An answer a row.
    answers: list[TaskOutput | WherryError]
    #: The answer of a row that nobody wants.
    nothing: TaskOutput
    #: Seconds of all requests, side by side or not, over the width of the window.
    share_s: float = 0.0
    tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)

    def drop(self, row: int) -> None:
        """Nobody wants the rest of a row."""
        self.answers[row] = self.nothing
        if (task := self.tasks.get(row)) is not None:
            task.cancel()


class _Said:
    """A row's listener, and whether it was told anything."""

    def __init__(self, hear: Hear) -> None:
        self._hear, self.any = hear, False

    def __call__(self, token: Token) -> None:
        self.any = True
        self._hear(token)


class Calls:
    """Asks a protocol for rows. All of it is on the endpoints' loop but for what is read."""

    def __init__(
        self,
        protocol: Protocol,
        window: RequestWindow,
        limits: Limits,
        *,
        patience_s: float = PATIENCE_S,
        first_pause_s: float = _FIRST_PAUSE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._protocol, self.window, self._limits = protocol, window, limits
        self._patience_s, self._first_pause_s, self._clock = patience_s, first_pause_s, clock
        #: Why the endpoint is away; "" while it is not.
        self.away = ""
        self._open = asyncio.Event()
        self._open.set()
        self._not_before = 0.0
        self._pause_s = first_pause_s
        self._probing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        #: Those of them that have no request under way.
        self._idle: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def why_shut(self) -> str:
        """Why no job is to be claimed for it now; "" while some may be."""
        if self.away:
            return self.away
        if (rest_s := self._not_before - self._clock()) > _LONG_REST_S:
            return f"it asks to wait for {rest_s:.0f} s"
        if self._limits.spending.rest_s:
            return "what may be spent in a day is spent"
        return ""

    async def batch(
        self,
        rows: Sequence[TaskInput],
        heard: Sequence[bool],
        tell: Tell,
        begun: Callable[[BatchCalls], object] = lambda _: None,
    ) -> BatchCalls:
        """Answer rows; those with a true `heard` tell their tokens. Raises nothing for a row.

        `begun` is given what can drop a row, before any token is told.
        """
        done = BatchCalls([NotAnsweredError()] * len(rows), self._protocol.task.output.empty())
        begun(done)
        for places in self._protocol.units(rows, heard):
            task = asyncio.create_task(self._unit(done, rows, places, heard, tell))
            done.tasks |= dict.fromkeys(places, task)
            for group in (self._tasks, self._idle):
                group.add(task)
                task.add_done_callback(group.discard)
        if self._stopping:
            self.interrupt()
        ended = await asyncio.gather(*set(done.tasks.values()), return_exceptions=True)
        for fault in ended:
            if isinstance(fault, Exception):
                raise fault
        return done

    async def _unit(
        self,
        done: BatchCalls,
        rows: Sequence[TaskInput],
        places: Sequence[int],
        heard: Sequence[bool],
        tell: Tell,
    ) -> None:
        hear: Hear | None = None
        if len(places) == 1 and heard[places[0]]:
            hear = lambda token: tell(places[0], token)  # noqa: E731 # of one place
        try:
            answers = await self._asked(done, [rows[place] for place in places], hear)
        except NotAnsweredError as error:
            answers = [error] * len(places)
        except (RowError, BrokenError) as error:
            if len(places) > 1:  # the server, or one row of them, will not have them together
                for place in places:
                    await self._unit(done, rows, [place], heard, tell)
                return
            answers = [error if isinstance(error, RowError) else BackendError(str(error))]
        except Exception as error:  # an answer of a form that nobody thought of is its rows' alone
            log.exception("an endpoint's answer could not be read")
            fault = BackendError(f"the endpoint's answer raised {type(error).__name__}")
            answers = [fault] * len(places)
        for place, answer in zip(places, answers, strict=True):
            done.answers[place] = answer

    async def _asked(
        self, done: BatchCalls, rows: Sequence[TaskInput], hear: Hear | None
    ) -> Sequence[TaskOutput | WherryError]:
        troubled_at: float | None = None
        broken, pause_s = 0, self._first_pause_s
        said = _Said(hear) if hear is not None else None
        while True:
            # What begins anew after some of it was told would be told twice: its end is whole.
            hears = said if said and not said.any else None
            try:
                return await self._once(done, rows, hears, troubled_at)
            except (EndpointBusyError, AwayError):
                pass  # `_may_go` waits for it
            except BrokenError:
                broken += 1
                if broken >= _MOST_BROKEN or (len(rows) > 1 and broken > 1):
                    raise
            if self._stopping:
                raise NotAnsweredError
            now = self._clock()
            troubled_at = now if troubled_at is None else troubled_at
            if now - troubled_at > self._patience_s:
                raise NotAnsweredError(self.away or "the endpoint is busy")
            # Up to a half less: those that were refused together must not come back together.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 # no secret
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _once(
        self,
        done: BatchCalls,
        rows: Sequence[TaskInput],
        hear: Hear | None,
        troubled_at: float | None,
    ) -> Sequence[TaskOutput | WherryError]:
        guess = self._protocol.guess_tokens(rows)
        while True:
            await self._may_go(troubled_at)
            await self._limits.taken(guess)
            async with self.window.place() as begun:
                if not self._why_not():
                    return await self._sent(done, rows, hear, begun, guess)
            # It went away, asked for a rest, or the money ran out while this one waited.
            self._limits.give_back(guess)
            troubled_at = self._clock() if troubled_at is None else troubled_at

    async def _sent(
        self,
        done: BatchCalls,
        rows: Sequence[TaskInput],
        hear: Hear | None,
        begun: int,
        guess: int,
    ) -> Sequence[TaskOutput | WherryError]:
        task, began = asyncio.current_task(), self._clock()
        assert task is not None
        self._idle.discard(task)
        try:
            told = await self._protocol.ask(rows, hear)
        except EndpointBusyError as error:
            self.window.slow_down(begun, error.retry_after_s or 0.0)
            # At once: whoever gets this one's place is to know.
            self._rest(error.retry_after_s or 0.0)
            raise
        except AwayError as error:
            self.shut(str(error))
            raise
        except RowError:
            self._worked()
            raise
        except BrokenError as error:
            if error.tokens_in or error.tokens_out:
                self._charge(error.tokens_in, error.tokens_out, guess)
            raise
        finally:
            self._idle.add(task)
            done.share_s += (self._clock() - began) / max(1, self.window.width)
        self.window.answered()
        self._worked()
        self._charge(told.tokens_in, told.tokens_out, guess)
        return told.rows

    def _charge(self, tokens_in: int, tokens_out: int, guess: int) -> None:
        """Settle what an answer took; one that is of no use costs as much."""
        self._limits.tokens.settle(tokens_in + tokens_out - guess)
        self._limits.spending.add(tokens_in, tokens_out)

    def _worked(self) -> None:
        self._pause_s = self._first_pause_s

    async def _may_go(self, troubled_at: float | None) -> None:
        """Wait until the server may be asked. Raises NotAnsweredError when that takes too long."""
        began = self._clock() if troubled_at is None else troubled_at
        while why := self._why_not():
            left_s = began + self._patience_s - self._clock()
            rest_s = max(self._not_before - self._clock(), 0.0)
            if left_s <= 0 or rest_s > left_s or self._limits.spending.rest_s:
                raise NotAnsweredError(why)
            if rest_s:
                await asyncio.sleep(rest_s)
                continue
            try:
                await asyncio.wait_for(self._open.wait(), left_s)
            except TimeoutError:
                continue

    def _why_not(self) -> str:
        if self._not_before > self._clock():
            return "the endpoint asks to wait"
        return self.away or ("its day's money is spent" if self._limits.spending.rest_s else "")

    def _rest(self, rest_s: float) -> None:
        self._not_before = max(self._not_before, self._clock() + min(rest_s, _MOST_REST_S))

    def shut(self, why: str) -> None:
        """Ask for nothing more until the server is there again."""
        self.away = why
        if not self._open.is_set():
            return
        self._open.clear()
        self.window.begin_anew()
        self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(self._pause_s * random.uniform(0.5, 1))  # noqa: S311 # no secret
            # Longer and longer until a row is answered: to be there is not to answer.
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
            if not (why := await self._trouble()):
                self.away = ""
                self._open.set()
                return
            self.away = why

    async def look(self) -> None:
        """Look once whether the server is there; if not, look on until it is."""
        if why := await self._trouble():
            self.shut(why)

    async def _trouble(self) -> str:
        """Why the server is not there; "" when it is."""
        try:
            await self._protocol.look()
        except (EndpointFault, WherryError) as error:
            return str(error)
        except Exception as error:  # whatever it answers now, it may answer better later
            log.exception("what an endpoint says of itself could not be read")
            return f"what it says of itself raised {type(error).__name__}"
        return ""

    def interrupt(self, *, all_of_them: bool = False) -> None:
        """Begin no more requests; with `all_of_them` end those under way, too."""
        self._stopping = True
        for task in list(self._tasks if all_of_them else self._idle):
            task.cancel()

    async def close(self) -> None:
        """End what is under way, and the connections."""
        if self._probing is not None:
            self._probing.cancel()
        self.interrupt(all_of_them=True)
        await self._protocol.close()
