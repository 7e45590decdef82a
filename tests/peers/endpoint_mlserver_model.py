"""A model of MLServer's that sorts texts by their length. Runs in an environment of mlserver."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.errors import InferenceError, MLServerError
from mlserver.types import InferenceRequest, InferenceResponse


class Lengths(MLModel):  # type: ignore[misc] # it is installed in an environment of its own
    """short or long, with a score; a text that says REFUSE is refused with its whole request.

    LENGTHS_BUSY_EVERY: each such request is told 429. LENGTHS_DIES_AFTER: so many answers, and the
    process is gone without a word. LENGTHS_LOG gets the texts of each answer, before it is sent.
    """

    asked, answered = itertools.count(1), itertools.count(1)

    async def load(self) -> bool:
        """Nothing to load."""
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Two labels a text, the likelier first."""
        texts = StringCodec.decode_input(payload.inputs[0])
        busy_every = int(os.environ.get("LENGTHS_BUSY_EVERY", "0"))
        if busy_every and next(self.asked) % busy_every == 0:
            raise MLServerError("slow down", 429)
        if any("REFUSE" in text for text in texts):
            raise InferenceError("a text says REFUSE")
        self._note(texts)
        rows = [("long", "short") if len(text) > 10 else ("short", "long") for text in texts]
        labels = StringCodec.encode_output("LABELS", [name for row in rows for name in row])
        labels.shape = [len(rows), 2]
        scores = np.array([[0.75, 0.25]] * len(rows), dtype=np.float32)
        outputs = [labels, NumpyCodec.encode_output("score", scores)]
        return InferenceResponse(model_name=self.name, outputs=outputs)

    def _note(self, texts: list[str]) -> None:
        if "LENGTHS_LOG" not in os.environ:
            return
        with Path(os.environ["LENGTHS_LOG"]).open("a") as log:
            log.writelines(json.dumps(text) + "\n" for text in texts)
        if next(self.answered) == int(os.environ["LENGTHS_DIES_AFTER"]):
            os._exit(1)
