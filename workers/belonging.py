"""Whether a worker belongs to its fleet: it reads the fleet's queue and blob store, and has the
same models.

One with another store, as on another machine with a folder, would fail each large job and write
results where no API finds them. So it looks before its first claim, again when Redis or the store
was away, and now and then: a mount can be lost. While the store is not the fleet's it claims
nothing and says why; others go on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from ..jobs import clocks, queue_format
from ..jobs.call import Queue
from ..jobs.group import Group
from ..jobs.proof import FleetProof, is_in, shown
from ..jobs.settings import JobsSettings
from ..jobs.stores import Store
from ..protocol.errors import WherryError
from ..tasks.catalog import ModelDeclaration
from .threads import Every

log = logging.getLogger(__name__)

#: Seconds between two looks while all is well, and while it is not.
_LOOK_S, _LOOK_AGAIN_S = 30.0, 5.0

#: Seconds that an API which starts beside a worker may take to show itself.
_API_STARTS_S = 25.0

#: Seconds between two looks whether it is time for one.
_TICK_S = 0.5


class Belonging:
    """What one worker knows of its place in the fleet. Threads share it.

    `listen` starts and stops that tickets come here.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        settings: JobsSettings,
        models: Callable[[], Collection[ModelDeclaration]],
        *,
        listen: Callable[[bool], None] = lambda on: None,  # noqa: ARG005 # nobody sends any
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._queue, self._settings = store, queue, settings
        #: Those that it knows now.
        self._models = models
        self._listen, self._clock = listen, clock
        #: Why its blob store is not the fleet's; "" while nothing speaks against it.
        self._wrong_store = ""
        #: Why it cannot read what the APIs write into the queue; "" when it can.
        self._wrong_format = ""
        #: Whether an API waits until who cannot read its jobs is gone.
        self._is_mixed = False
        #: Why, by `Group.model_id`, for the models that it does not serve.
        self.refused: dict[str, str] = {}
        self._looking = threading.Lock()
        self._due_at = float("-inf")
        self._began = clock()
        self._told: set[str] = set()
        #: Models that were declared otherwise at the API when it looked last.
        self._unlike: set[str] = set()
        #: What should be mended though it serves.
        self.warnings: list[str] = []
        self._clock_warning: list[str] = []
        self._thread = Every("wherry-belonging", _TICK_S, self._tick)

    @property
    def outside(self) -> str:
        """Why this worker claims nothing; "" when it does."""
        return self._wrong_format or self._wrong_store

    @property
    def reason(self) -> str:
        """Why it serves nothing, or not all; "" when it serves all."""
        return self.outside or "; ".join(self.refused.values())

    def start(self) -> None:
        """Look, then go on looking."""
        self._compare_clocks()
        self._tick()
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._thread.stop()

    def again(self) -> None:
        """Look soon: Redis or the store was away, and may be another now."""
        self._due_at = float("-inf")

    def look(self) -> bool:
        """Look now. Answers whether it belongs here, or nothing speaks against it."""
        with self._looking:
            try:
                self._judge(self._queue.run(shown(self._settings)))
            except WherryError as error:  # nothing was learnt: what was known holds
                log.debug(
                    "whether this worker belongs to its fleet is not known: %s", error.message
                )
            soon = self.outside or self._is_mixed
            self._due_at = self._clock() + (_LOOK_AGAIN_S if soon else _LOOK_S)
            return not self.outside

    def _tick(self) -> None:
        if self._clock() >= self._due_at:
            self.look()

    def _judge(self, seen: FleetProof) -> None:
        self._compare_formats(seen)
        self._compare(seen)
        self._compare_declarations(seen)
        self._judge_store(seen)
        self._listen(not self.outside)

    def _compare_formats(self, seen: FleetProof) -> None:
        """Hold the queue's format as we know it against those of the APIs that take jobs."""
        wrong = why_apart(seen)
        self._is_mixed = bool(seen.builds(serving=False))
        if wrong and wrong != self._wrong_format:
            log.error("this worker claims nothing: %s", wrong)
        elif self._wrong_format and not wrong:
            log.warning("the APIs' queue format is this worker's: it serves")
        self._wrong_format = wrong

    def _judge_store(self, seen: FleetProof) -> None:
        if seen.proof is None:
            if self._clock() - self._began > _API_STARTS_S:
                self._warn_once(
                    "no API has shown itself under the key prefix"
                    f" {self._settings.key_prefix!r} of this Redis: if one runs, it has another"
                    " Redis or WHERRY_KEY_PREFIX, or is of an older version"
                )
            return
        right = is_in(self._store, seen.proof)
        if right and self._wrong_store:
            log.warning("the blob store is the fleet's again: this worker serves")
        if not right and not self._wrong_store:
            why = (
                f"its blob store ({self._store.name}) is not the one that the API uses"
                f" ({seen.proof.store}): give both the same WHERRY_STORE_URL or WHERRY_STORE_DIR"
            )
            log.error("this worker claims nothing: %s", why)
            self._wrong_store = why
        if right:
            self._wrong_store = ""

    def _compare(self, seen: FleetProof) -> None:
        """Hold our models against those of the APIs that live."""
        refused = {}
        tasks = {Group(m.family, m.name, m.version).model_id: m.task for m in self._models()}
        for model_id, task in tasks.items():
            theirs = {its[model_id] for its in seen.apis.values() if model_id in its}
            if theirs and task not in theirs:
                refused[model_id] = (
                    f"model {model_id} does {task} here, and {', '.join(sorted(theirs))} at the"
                    " API: give both the same models.toml"
                )
            elif seen.apis and not theirs:
                self._warn_once(f"model {model_id} is declared by no API: nobody can ask for it")
        for model_id in refused.keys() - self.refused.keys():
            log.error("not served: %s", refused[model_id])
        if seen.apis:
            self.refused = refused

    def _compare_declarations(self, seen: FleetProof) -> None:
        """Warn of models that the APIs have declared otherwise, twice in a row.

        Each process reads models.toml by itself: for a moment one may be ahead.
        """
        unlike = set()
        for model in self._models():
            model_id = Group(model.family, model.name, model.version).model_id
            theirs = {its[model_id] for its in seen.declared.values() if model_id in its}
            if theirs and model.digest not in theirs:
                unlike.add(model_id)
        texts = [
            f"model {model_id} is declared otherwise here than at the API: give both the same"
            " models.toml, and wherry reload (one that came with a join file is as old as that:"
            " make it anew by wherry join-file, and start the worker again)"
            for model_id in sorted(unlike & self._unlike)
        ]
        for text in texts:
            self._warn_once(text)
        self._unlike = unlike
        self.warnings = [*self._clock_warning, *texts]

    def _compare_clocks(self) -> None:
        """Warn of a clock that is not Redis', by which times of jobs are told."""
        try:
            before = time.time()
            theirs = self._queue.run(clocks.clock())
        except WherryError as error:
            log.debug("how far the clocks are apart is not known: %s", error.message)
            return
        ahead_s = clocks.ahead_of(theirs, before, time.time())
        if abs(ahead_s) > clocks.APART_S:
            text = (
                f"this machine's clock is {clocks.in_words(ahead_s)}: ages and times that"
                " it tells are wrong by as much; set both by NTP"
            )
            self._clock_warning = [text]
            self._warn_once(text)

    def _warn_once(self, text: str) -> None:
        """Warn of something, once."""
        if text not in self._told:
            self._told.add(text)
            log.warning("%s", text)


def why_apart(seen: FleetProof) -> str:
    """Why this process cannot work with one of the APIs that take jobs; "" when it can with all.

    Where none takes any, one that waits for this process to leave the queue alone counts.
    """
    builds = seen.builds(serving=True) or seen.builds(serving=False)
    told = (queue_format.OURS.why_not(build, seen.name(api)) for api, build in builds.items())
    return next(filter(None, told), "")
