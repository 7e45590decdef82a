"""What a run's model is to the fleet, as Redis has it: no tenant may ask the API for that."""

from __future__ import annotations

from ..client.annotate.compute import WorkDone
from ..jobs.call import Queue
from ..jobs.fleet import stats, view
from ..jobs.settings import JobsSettings
from ..protocol.errors import WherryError

#: What workers count of a model: microseconds of each stage.
_DEVICE, _STAGES = "compute_us", ("input_us", "compute_us", "output_us")


class Served:
    """One version of a model: who serves it, and what that has taken so far, for whoever asked."""

    def __init__(self, queue: Queue, jobs: JobsSettings, model: str, version: str) -> None:
        self._queue, self._jobs, self._model, self._version = queue, jobs, model, version

    def workers(self) -> int:
        """How many workers take its jobs. Raises Unavailable."""
        model_id = f"{self._model}/{self._version}"
        seen = self._queue.run(view(self._jobs)).workers
        return sum(worker.alive and worker.serves(model_id) for worker in seen)

    def work_done(self) -> WorkDone | None:
        """Rows, and seconds of reading, computing and writing; None while nobody knows."""
        return self._counted(_STAGES)

    def device_work(self) -> WorkDone | None:
        """Rows, and the seconds that devices have computed them; None while nobody knows."""
        return self._counted((_DEVICE,))

    def _counted(self, stages: tuple[str, ...]) -> WorkDone | None:
        try:
            counted = self._queue.run(stats(self._model, self._version, self._jobs))
        except WherryError:
            return None
        took_us = sum(counted.get(stage, 0) for stage in stages)
        device_us = counted.get(_DEVICE, 0)
        return WorkDone(counted.get("inference_count", 0), took_us / 1e6, device_us / 1e6)
