"""MLServer: a runtime over OIP v2, batched by its own adaptive batching."""

from __future__ import annotations

import base64

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from bench.peers.workloads import workload


class Model(MLModel):
    """The model behind a route."""

    async def load(self) -> bool:
        """Load it."""
        self._workload = workload()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a batch, which MLServer has joined along the first axis."""
        bodies = [base64.b64decode(each) for each in payload.inputs[0].data]
        rows = [self._workload.decode(each) for each in bodies]
        output = StringCodec.encode_output("answer", self._workload.answer(rows))
        return InferenceResponse(model_name=self.name, outputs=[output])
