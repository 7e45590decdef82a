"""What a stack is told when models.toml is read again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from wherry.jobs import JobsSettings
from wherry.jobs.call import Queue
from wherry.jobs.failed import ALL, ask_load
from wherry.ops import new_families
from wherry.ops.new_families import NewFamilies

from ..support.models import model
from ..support.waiting import until


def test_families_are_told_whenever_models_are_asked_for(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_families, "_LOOK_EVERY_S", 0.02)
    models, jobs = tmp_path / "models.toml", JobsSettings(redis_url=redis_url)
    queue, told = Queue(redis_url), list[Sequence[str]]()

    def asked(text: str) -> None:
        models.write_text(text)
        queue.run(ask_load(ALL, jobs))

    asked(model("embedding"))
    watch = NewFamilies(models, redis_url, jobs, told.append)
    watch.note()
    asked(model("embedding") + model("image-classification"))  # while the first still start
    watch.start()
    assert sorted(until(lambda: told[0] if told else ())) == ["text", "vision"]
    asked("[[models]]\nname = 1")  # which the API tells
    asked(model("image-classification"))
    assert [*until(lambda: told[-1] if told[1:] else ())] == ["vision"]
    watch.close()
    queue.close()
