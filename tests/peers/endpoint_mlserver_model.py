"""A model of MLServer's that sorts texts by their length. Runs in an environment of mlserver."""

from __future__ import annotations

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse


class Lengths(MLModel):  # type: ignore[misc] # it is installed in an environment of its own
    """short or long, with a score; a text that says REFUSE is refused with its whole request."""

    async def load(self) -> bool:
        """Nothing to load."""
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Two labels a text, the likelier first."""
        texts = StringCodec.decode_input(payload.inputs[0])
        if any("REFUSE" in text for text in texts):
            raise InferenceError("a text says REFUSE")
        rows = [("long", "short") if len(text) > 10 else ("short", "long") for text in texts]
        labels = StringCodec.encode_output("LABELS", [name for row in rows for name in row])
        labels.shape = [len(rows), 2]
        scores = np.array([[0.75, 0.25]] * len(rows), dtype=np.float32)
        outputs = [labels, NumpyCodec.encode_output("score", scores)]
        return InferenceResponse(model_name=self.name, outputs=outputs)
