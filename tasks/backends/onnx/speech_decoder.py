"""What Whisper says, token by token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .decoder import Decoder
from .graph import Arrays
from .speech_rules import Floats, SpeechRules


class SpeechDecoder:
    """A decoder, and the rules by which its tokens are chosen."""

    def __init__(self, decoder: Decoder, rules: SpeechRules) -> None:
        self._decoder, self._rules = decoder, rules

    def logits(self, hidden: Floats, ids: NDArray[np.int64]) -> Floats:
        """(B, vocabulary) after prompts (B, t). hidden: (B, T, D), what the encoder heard."""
        return self._step(hidden, ids, {})[0]

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
            logits, past = self._step(hidden, ids, past)
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

    def _step(self, hidden: Floats, ids: NDArray[np.int64], past: Arrays) -> tuple[Floats, Arrays]:
        """The logits after the last token, and the past of the next one, if any."""
        new = ids[:, -1:] if past else ids
        arrays: Arrays = {"input_ids": new, "encoder_hidden_states": hidden}
        logits, past = self._decoder.step(arrays, past)
        return logits[:, -1], past
