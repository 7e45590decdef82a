"""Sentences of sounds over 30 seconds: their times are those of transformers' own long form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoFeatureExtractor, WhisperForConditionalGeneration

from wherry.tasks.audio.automatic_speech_recognition import (
    AutomaticSpeechRecognitionInput,
    AutomaticSpeechRecognitionOutput,
)
from wherry.tasks.create import LocalTask, create_task

from ....support import sounds

TASK = "automatic-speech-recognition"
FRAME_S, TIME_S = 0.01, 0.02
LONG_S = 100.0


@pytest.fixture(scope="module")
def graph(tiny_graph: Callable[[str, str], Path]) -> LocalTask:
    return create_task("onnxruntime", TASK, str(tiny_graph(TASK, TASK)))


@pytest.fixture(scope="module")
def model(tiny_model: Callable[[str], Path]) -> Any:
    return WhisperForConditionalGeneration.from_pretrained(tiny_model(TASK)).eval()


def segments(model: Any, tokens: list[int], first: int) -> tuple[list[Any], int]:
    """What transformers makes of the tokens of a window that begins after a minute."""
    found, offset = model._retrieve_segment(
        seek_sequence=torch.tensor(tokens),
        seek_outputs=[None],
        time_offset=torch.tensor([60.0], dtype=torch.float64),
        timestamp_begin=first,
        seek_num_frames=torch.tensor([3000]),
        time_precision=TIME_S,
        time_precision_features=FRAME_S,
        input_stride=2,
        prev_idx=0,
        idx=0,
        return_token_timestamps=False,
        decoder_input_ids=torch.zeros(1, 0),
    )
    return found, int(offset)


@pytest.mark.parametrize(
    "written",
    [
        "0 a b",  # no end told
        "250 a b",  # the only time is no start
        "0 a 250",
        "100 a b 250",
        "0 a 100 100 b 250",
        "0 a 100 150 b",
        "0 a 100 150 b 250 250",
        "0 a 0 0 b 50 50",
        "a b",
    ],
)
def test_a_windows_sentences_are_transformers_own(
    written: str, graph: LocalTask, model: Any
) -> None:
    adapter: Any = graph.backend.adapter  # type: ignore[attr-defined] # of a DialectBackend
    first = adapter.rules.first_time
    words = {"a": [70, 71], "b": [72]}
    told = [words.get(word) or [first + int(word)] for word in written.split()]
    tokens = [token for part in told for token in part]
    ours, covered = adapter._sentences(tokens, 6000, LONG_S)
    theirs, offset = segments(model, tokens, first)
    assert covered == max(1, offset)
    spoken = [s for s in theirs if any(token < first for token in s["tokens"].tolist())]
    times = [(float(s["start"]), float(s["end"])) for s in spoken]
    assert np.array([(chunk.start, chunk.end) for chunk in ours]) == pytest.approx(np.array(times))


@pytest.mark.parametrize("pitch_hz", [220, 300, 440])
def test_a_long_sound_is_heard_as_by_transformers(
    pitch_hz: float, graph: LocalTask, model: Any, tiny_model: Callable[[str], Path]
) -> None:
    sound = np.concatenate([sounds.tone(7, pitch_hz + 40 * i) for i in range(10)])
    output = graph.process(
        AutomaticSpeechRecognitionInput(
            audio=[sound.tobytes()],
            sample_rate=sounds.RATE,
            language="en",
            return_timestamps=True,
        )
    )
    assert isinstance(output, AutomaticSpeechRecognitionOutput)
    extractor = AutoFeatureExtractor.from_pretrained(tiny_model(TASK))
    heard = extractor(
        sound,
        sampling_rate=sounds.RATE,
        return_tensors="pt",
        truncation=False,
        padding="longest",
        return_attention_mask=True,
    )
    with torch.inference_mode():
        found = model.generate(
            **heard,
            language="en",
            task="transcribe",
            return_timestamps=True,
            return_segments=True,
            condition_on_prev_tokens=False,
        )["segments"][0]
    first = graph.backend.adapter.rules.first_time  # type: ignore[attr-defined] # as above
    spoken = [s for s in found if any(token < first - 1 for token in s["tokens"].tolist())]
    [chunks] = output.chunks
    assert chunks is not None
    assert len(chunks) == len(spoken) > 2
    ends = [min(float(s["end"]), len(sound) / sounds.RATE) for s in spoken]
    assert [chunk.start for chunk in chunks] == pytest.approx(
        [float(s["start"]) for s in spoken], abs=0.011
    )
    assert [chunk.end for chunk in chunks] == pytest.approx(ends, abs=0.021)
