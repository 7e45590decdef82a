"""What Whisper says, token by token, with or without a memory of the tokens before.

Where decoder_model.onnx gives present.N.{decoder,encoder}.{key,value}, (B, heads, T, D / heads),
and decoder_with_past_model.onnx takes them as past_key_values.N.…, as Optimum exports both, the
prompt is read once and then each token alone. Otherwise all tokens are read anew for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import finite
from .graph import Arrays, needs
from .model import OnnxModel
from .speech_rules import Floats, SpeechRules

_WITH_PAST = "decoder_with_past_model.onnx"
_PRESENT, _PAST = "present.", "past_key_values."


class SpeechDecoder:
    """The decoder of a folder. Raises ValueError when its graphs do not fit together."""

    def __init__(self, model: OnnxModel, rules: SpeechRules) -> None:
        self._rules = rules
        self._first = model.open("decoder_model.onnx")
        needs(self._first, {"input_ids", "encoder_hidden_states"}, "logits")
        has_later = (model.graphs / _WITH_PAST).exists()
        self._later = model.open(_WITH_PAST) if has_later else None
        if self._later is not None:
            given = {_renamed(name) for name in self._first.outputs}
            missing = {name for name in self._later.inputs if name.startswith(_PAST)} - given
            if missing:
                raise ValueError(
                    f"{_WITH_PAST} takes {', '.join(sorted(missing))}, "
                    "which decoder_model.onnx does not give"
                )

    def logits(self, hidden: Floats, ids: NDArray[np.int64]) -> Floats:
        """(B, vocabulary) after prompts (B, t). hidden: (B, T, D), what the encoder heard."""
        return self._read(hidden, ids)[0]

    def speak(
        self, hidden: Floats, prompts: Sequence[list[int]], *, timed: bool
    ) -> list[list[int]]:
        """Greedy: the likeliest token that the rules allow, until each row has ended.

        Prompts are of one length. Rows that have ended leave the batch.
        """
        said = [[*prompt] for prompt in prompts]
        length = len(said[0])
        speaking = list(range(len(said)))
        past: Arrays = {}
        for _ in range(self._rules.most_new(length)):
            spoken = [said[i] for i in speaking]
            ids = np.array(spoken, dtype=np.int64)
            logits, past = self._go_on(ids, past) if past else self._read(hidden, ids)
            logits = self._rules.allowed(logits, spoken, prompt=length, timed=timed)
            best = logits.argmax(axis=1).tolist()
            on = [row for row, token in enumerate(best) if token != self._rules.end]
            for row in on:
                said[speaking[row]].append(best[row])
            if not on:
                break
            if len(on) < len(speaking):
                speaking, hidden = [speaking[row] for row in on], hidden[on]
                past = {name: array[on] for name, array in past.items()}
        return [tokens[length:] for tokens in said]

    def _read(self, hidden: Floats, ids: NDArray[np.int64]) -> tuple[Floats, Arrays]:
        """The logits after the last token; and the past of the next one, where that is of use."""
        out = self._first.run_rows({"input_ids": ids, "encoder_hidden_states": hidden})
        return finite(out["logits"][:, -1], "logits"), self._remembered(out) if self._later else {}

    def _go_on(self, ids: NDArray[np.int64], past: Arrays) -> tuple[Floats, Arrays]:
        assert self._later is not None
        out = self._later.run_rows({"input_ids": ids[:, -1:], **past})
        # What was heard stays as it is.
        return finite(out["logits"][:, -1], "logits"), {**past, **self._remembered(out)}

    def _remembered(self, out: Arrays) -> dict[str, NDArray[Any]]:
        return {_renamed(name): array for name, array in out.items() if name.startswith(_PRESENT)}


def _renamed(name: str) -> str:
    """What is a present is the past of the next token."""
    return name.replace(_PRESENT, _PAST, 1)
