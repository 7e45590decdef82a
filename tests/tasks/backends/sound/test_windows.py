from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.pipelines.automatic_speech_recognition import chunk_iter

from wherry.tasks.backends.sound.windows import Window, WindowShape


class _NoFeatures:
    sampling_rate = 1

    def __call__(self, chunk: object, **_: object) -> dict[str, object]:
        return {"chunk": chunk}


@given(st.integers(1, 400), st.integers(1, 20), st.integers(0, 15))
def test_windows_are_the_pipelines(samples: int, own: int, context: int) -> None:
    cut = WindowShape(own + 2 * context, context)
    theirs = [
        (item["stride"], item["chunk"].tolist())
        for item in chunk_iter(np.arange(samples), _NoFeatures(), cut.length, context, context)
    ]
    ours = [
        ((w.length, w.left, w.right), list(range(w.start, w.stop))) for w in cut.windows(samples)
    ]
    assert ours == theirs


@given(st.integers(1, 400), st.integers(1, 20), st.integers(0, 15))
def test_every_sample_is_in_one_window_beyond_its_context(
    samples: int, own: int, context: int
) -> None:
    windows = WindowShape(own + 2 * context, context).windows(samples)
    heard = [i for w in windows for i in range(w.start + w.left, w.stop - w.right)]
    assert heard == list(range(samples))


def test_a_short_sound_is_one_window() -> None:
    assert WindowShape.of(30, 16000).windows(16000) == [Window(0, 16000, 0, 0)]


def test_cuts_are_whole_outputs() -> None:
    cut = WindowShape.of(30, 16000, 320)
    assert cut == WindowShape(480_000, 80_000)
    assert WindowShape.of(1, 16000, 320).context % 320 == 0


def test_windows_too_short_for_any_context() -> None:
    with pytest.raises(ValueError, match="too short"):
        WindowShape.of(0.01, 16000, 320)
